"""A file that grew under another secret is refused: its persons would be other visitors."""

from pathlib import Path

import msgspec
import pytest

from streams.errors import InputError, SettingsError
from streams.publish.event import fingerprint
from streams.publish.lines import InputLine
from streams.publish.mark import Book, MarkFile, ResumeMark
from streams.publish.readers import secrets_from
from streams.publish.resume import refuse_another_secret

SECRETS = {"VIGIE_SECRET_MBN": "0123456789abcdef", "VIGIE_SECRET_ELYCO": "0123456789abcdef0"}


def published(path: Path, secrets: dict[str, str]) -> Book:
    """The book of the next run, after one that published a line of each project."""
    book = Book("xiti", "", "visits")
    line = InputLine(b"a line", True, 6)
    book.send(1, line, line.digest())
    secret_of = secrets_from(secrets, 16)
    book.note_secrets({project: secret_of(project) for project in ("mbn", "elyco")})
    mark = book.mark()
    assert mark is not None
    MarkFile(path).write(mark)
    return Book("xiti", "", "visits", MarkFile(path).read()[0])


def test_another_secret_is_refused_by_its_fingerprint(tmp_path: Path) -> None:
    book = published(tmp_path / "hits.log", SECRETS)
    refuse_another_secret("hits.log", book, secrets_from(SECRETS, 16))
    with pytest.raises(InputError, match=r"hits\.log: 1 of its lines were published with another VIGIE_SECRET_ELYCO"):
        refuse_another_secret(
            "hits.log", book, secrets_from({**SECRETS, "VIGIE_SECRET_ELYCO": "0123456789abcdef1"}, 16)
        )
    same = {**SECRETS, "VIGIE_SECRET_MBN": "hex:" + b"0123456789abcdef".hex()}
    refuse_another_secret("hits.log", book, secrets_from(same, 16))


def test_a_project_that_gives_no_secret_now_is_told_where_a_line_needs_it(tmp_path: Path) -> None:
    book = published(tmp_path / "hits.log", SECRETS)
    refuse_another_secret("hits.log", book, secrets_from({"VIGIE_SECRET_MBN": SECRETS["VIGIE_SECRET_MBN"]}, 16))
    refuse_another_secret("hits.log", book, secrets_from({}, 16))


def test_a_mark_tells_secrets_apart_and_none_of_them(tmp_path: Path) -> None:
    published(tmp_path / "hits.log", SECRETS)
    text = MarkFile(tmp_path / "hits.log").path.read_text()
    assert not any(secret in text for secret in SECRETS.values())
    prints = {fingerprint(b"%016d" % number) for number in range(1000)}
    assert len(prints) == 1000
    assert {len(each) for each in prints} == {8}, "too few bits to find a secret by trying"


def test_a_mark_of_before_knows_no_secret(tmp_path: Path) -> None:
    book = published(tmp_path / "hits.log", SECRETS)
    old = {name: value for name, value in msgspec.to_builtins(book.mark()).items() if name != "secrets"}
    before = Book("xiti", "", "visits", msgspec.convert(old, ResumeMark))
    refuse_another_secret("hits.log", before, secrets_from({}, 16))
    assert before.secrets == {}


@pytest.mark.parametrize(
    "text", [" 0123456789abcdef", "0123456789abcdef\n", " " * 20, "HEX:30313233343536373839616263646566"]
)
def test_a_secret_that_its_file_or_shell_changed_is_refused(text: str) -> None:
    """It would make other visitors of the same users, and nobody would know."""
    with pytest.raises(SettingsError, match=r"VIGIE_SECRET_MBN (is blank|begins)"):
        secrets_from({"VIGIE_SECRET_MBN": text}, 16)("mbn")
