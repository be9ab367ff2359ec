"""What is read of plain lines at a fraction of the time is what is read of them with care, or nothing."""

import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.catalog import load_catalog
from streams.publish.accesslog import Hit, match_plain, ms_of_plain, place_of_plain, read_hit
from streams.publish.combined import CombinedReader
from streams.publish.emitter_tables import combined_tables
from streams.publish.fields import FoundOnce
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.lines import read_lines
from streams.publish.outcomes import classify, classify_all
from streams.publish.readers import Format
from streams.settings import default_config_dir

HEAD = b"ent-0750711.exemple.fr:443 203.0.113.1 - e.dupont [01/Sep/2026:07:52:01 +0200] "
LINE = (
    HEAD + b'"GET /messagerie/inbox?x=1&y=%20 HTTP/1.1" 200 5120 "https://ent.exemple.fr/portail" "Mozilla/5.0 (X11)"'
)
#: What lines are made of, and what breaks them.
PIECES = st.sampled_from(
    [
        *(
            b"",
            b" ",
            b"-",
            b'"',
            b"[",
            b"]",
            b"\\",
            b"\\x22",
            b"%41",
            b"%",
            b"?",
            b"#",
            b";",
            b"..",
            b"//",
            b"\t",
            b"\xe9",
            b"7",
        ),
        *(
            b"POST",
            b" - ",
            b"[01/Sep/2026:07:52:01 +0200]",
            b"203.0.113.1",
            b"256.1.1.1",
            b"https://x/",
            b"HTTP/1.1",
            b"x" * 30,
        ),
    ]
)


TABLES = combined_tables(default_config_dir(), load_catalog(default_config_dir()))
READER = CombinedReader(TABLES, "pcn")
NEW_READER = line_reader(FormatOptions(Format.COMBINED, "pcn"), default_config_dir(), lambda _project: b"x" * 32)


def read_plain(line: bytes) -> tuple[int, bytes | None, bytes, bytes, bytes, bytes, bytes] | None:
    """The request of a line that the quick way reads."""
    plain = match_plain(line)
    if plain is None:
        return None
    place, user, time, request, status = plain.groups()
    where, ts_ms = place_of_plain(place), ms_of_plain(time)
    return None if where is None or ts_ms is None else (ts_ms, *where, user, *request.split(b" "), status)


def _changed(changes: list[tuple[int, int, bytes]]) -> bytes:
    """The line with each change: where, how many bytes go, what comes in their place."""
    line = LINE
    for at, removed, put in changes:
        line = line[:at] + put + line[at + removed :]
    return line


def _same(line: bytes) -> bool:
    """Whether the quick way agrees with the careful one; it may leave a line to it."""
    plain = read_plain(line)
    if plain is None:
        return True
    hit = read_hit(line)
    target = re.split(rb"\?", hit.target)[0] if isinstance(hit, Hit) else b""
    ts_ms, host, client, user, method, path, status = plain
    assert READER.read(line) == READER.read(line) == CombinedReader(TABLES, "pcn")._read_with_care(line), line
    return isinstance(hit, Hit) and (ts_ms, host, client, user, method.decode(), path, int(status)) == (
        hit.ts_ms, hit.host, hit.client, hit.user, hit.method, target, hit.status
    )  # fmt: skip


def test_a_plain_line_is_read() -> None:
    assert read_plain(LINE) is not None
    assert read_plain(LINE.partition(b" ")[2]) is not None
    assert _same(LINE)
    for second in (b"00", b"59"):
        assert _same(LINE.replace(b":01 +", b":" + second + b" +"))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(LINE)), st.integers(0, 12), PIECES), min_size=1, max_size=3))
def test_whatever_is_put_into_a_line(changes: list[tuple[int, int, bytes]]) -> None:
    line = _changed(changes)
    assert _same(line), line


ENDS = st.sampled_from(
    [b"\n", b"\n", b"\r\n", b"\r\r\n", b"\n\n", b"\n\0\0", b"\n\xef\xbb\xbf", b"\n \n", b"\r", b"]\n", b""]
)
CHANGES = st.lists(st.tuples(st.integers(0, len(LINE)), st.integers(0, 12), PIECES | ENDS), max_size=2)


def _is_read_alike(content: bytes) -> bool:
    """Whether lines that are read many at a time are what each of them is."""
    one, many = NEW_READER(), NEW_READER()
    singly = [classify(line, one) for line in read_lines(io.BytesIO(content))]
    return [found for some in classify_all(io.BytesIO(content), many) for found in some] == singly


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(CHANGES, ENDS), max_size=6))
def test_lines_of_a_block_are_what_each_of_them_is(lines: list[tuple[list[tuple[int, int, bytes]], bytes]]) -> None:
    content = b"".join(_changed(changes) + end for changes, end in lines)
    assert _is_read_alike(content), content


def test_a_line_that_ends_anywhere_is_two() -> None:
    for at in range(len(LINE)):
        for end in (b"\n", b"\r", b"\r\n"):
            content = LINE + b"\n" + LINE[:at] + end + LINE[at + 1 :] + b"\r\n" + LINE
            assert _is_read_alike(content), content


def test_what_was_found_is_found_once_in_bounded_memory() -> None:
    asked: list[int] = []

    def find(key: int) -> int | None:
        asked.append(key)
        return None if key == 2 else -key

    remembered = FoundOnce(find, 3)
    assert [remembered[key] for key in (1, 2, 2, 1, 3)] == [-1, None, None, -1, -3]
    assert asked == [1, 2, 3]
    assert remembered[4] == -4
    assert len(remembered) == 1
    assert remembered[1] == -1
