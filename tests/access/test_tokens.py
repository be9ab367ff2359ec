"""The file of tokens: only hashes, only for its owner, as a whole; and what a collector finds in it from one request to the next."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from streams.access import Grant, NewToken, TokenBook, TokenFile, TokenRefused, TokensUnreadable
from streams.access.tokens import make_token
from streams.cli import cli
from streams.errors import InputError, SettingsError

NOW = datetime.now(UTC)


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


def added(file: TokenFile, *projects: str, **options: object) -> NewToken:
    made = make_token(Grant(projects=projects, **options), NOW)  # type: ignore[arg-type]
    file.add(made.token)
    return made


def test_the_file_holds_hashes_for_its_owner_alone(file: TokenFile) -> None:
    made = added(file, "mbn")
    secret = made.text.split("_", 2)[2]
    assert len(secret) >= 43  # 256 bits
    assert secret not in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.path.parent.iterdir()] == ["tokens.json"]
    assert file.read() == (made.token,)


def test_two_are_valid_while_one_takes_the_place_of_the_other(file: TokenFile) -> None:
    old = added(file, "mbn")
    book = TokenBook(file.path)
    new = added(file, "mbn")
    assert [book.find(each.text).id for each in (old, new)] == [old.token.id, new.token.id]
    file.revoke(old.token.id)
    assert book.find(new.text).projects == ("mbn",)
    with pytest.raises(TokenRefused, match="not known here, or was revoked"):
        book.find(old.text)


def test_what_is_no_token_here_lets_nobody_in(file: TokenFile) -> None:
    made, other = added(file, "mbn"), make_token(Grant(projects=("mbn",)), NOW)
    prefix, own_id, secret = made.text.split("_", 2)
    wrong = [
        "",
        "x",
        own_id,
        secret,
        f"{prefix}_{own_id}_",
        f"{prefix}_{own_id}_{secret}x",
        f"{prefix}_{own_id}_{secret[:-1]}",
    ]
    book = TokenBook(file.path)
    for text in [*wrong, other.text, made.token.sha256, f"{prefix}_{own_id}_{made.token.sha256}", "vigie_é_\udc80"]:
        with pytest.raises(TokenRefused):
            book.find(text)


def test_a_token_of_yesterday_is_refused_and_says_so(file: TokenFile) -> None:
    made = make_token(Grant(projects=("mbn",), days=2), NOW - timedelta(days=3))
    file.add(made.token)
    with pytest.raises(TokenRefused, match="expired on"):
        TokenBook(file.path).find(made.text)


@pytest.mark.parametrize("harm", ["gone", "open", "torn", "newer"])
def test_a_file_that_cannot_be_used_lets_nobody_in_until_it_can(file: TokenFile, harm: str) -> None:
    made = added(file, "mbn")
    book, good = TokenBook(file.path), file.path.read_bytes()
    aside = file.path.with_suffix(".aside")
    os.rename(file.path, aside)
    if harm != "gone":
        file.path.touch(mode=0o644 if harm == "open" else 0o600)
        file.path.write_bytes(
            {"torn": good[:40], "newer": good.replace(b'"version": 1', b'"version": 9')}.get(harm, good)
        )
    with pytest.raises(TokensUnreadable):
        book.find(made.text)
    assert book.problem is not None
    assert str(file.path) in book.problem
    with pytest.raises(SettingsError):
        TokenBook(file.path)
    os.replace(aside, file.path)
    assert book.find(made.text).id == made.token.id
    assert book.problem is None


def test_commands_at_once_lose_no_token(file: TokenFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: added(file, "mbn"), range(40)))
    assert {token.id for token in file.read()} == {each.token.id for each in made}
    with pytest.raises(InputError, match="vigie token list"):
        file.revoke("nobody")


def test_a_link_stays_one_and_a_directory_that_is_not_there_is_named(file: TokenFile, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file.path)
    added(TokenFile(link), "mbn")
    assert link.is_symlink()
    assert len(file.read()) == 1
    with pytest.raises(InputError, match="cannot be written"):
        added(TokenFile(tmp_path / "absent" / "tokens.json"), "mbn")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sha256", '"\\u00e9"'),
        ("sha256", '"abc"'),
        ("created", '"2026-01-01T00:00:00"'),
        ("expires", '"2026-01-01T00:00:00"'),
        ("events_per_second_max", "-5"),
        ("events_per_second_max", "0"),
    ],
)
def test_what_was_written_by_hand_into_the_file_is_held(file: TokenFile, name: str, value: str) -> None:
    added(file, "mbn")
    kept = msgspec.json.decode(file.path.read_bytes())
    kept["tokens"][0][name] = msgspec.Raw(value.encode())
    file.path.write_bytes(msgspec.json.encode(kept))
    with pytest.raises(SettingsError, match="is damaged"):
        file.read()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "{}/absent/token"), "cannot write --out .*; no token is made$"),
        (("--name", "a\nb"), "a character that is not seen"),
    ],
)
def test_no_token_is_made_that_nobody_gets_or_that_writes_lines(
    file: TokenFile, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    command = ["token", "new", "--project", "mbn", *(word.format(tmp_path) for word in words)]
    done = CliRunner().invoke(cli, command, env={"VIGIE_TOKENS_FILE": str(file.path)})
    assert isinstance(done.exception, InputError)
    assert re.search(said, str(done.exception))
    assert not file.path.exists()
