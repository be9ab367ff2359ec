"""100,000 lines a format, the samples broken at random: each becomes an event of the contract, a skip or a reason; nothing raises."""

import random
from collections import Counter

import pytest

from streams.events import EventBounds, VisitEvent, check, decode
from streams.publish.fields import KIND_CHARACTERS_MAX, Skip, Unreadable
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.lines import NotAnObject, bare
from streams.publish.readers import Format, Outgoing
from streams.settings import default_config_dir
from tests.publish.samples import DATA

LINES = 100_000
SEED = 20261125
SOURCES = {
    Format.NATIVE: ["native.ndjson"],
    Format.ENTCORE: ["entcore.ndjson"],
    Format.XITI: ["xiti.log", "xiti-hits.txt"],
    Format.COMBINED: ["combined.log"],
}
PIECES = [
    *(bytes([byte]) for byte in b'\x00\xff"\\{}[]?&=%+ -:,\t\r/'),
    *(
        b"\xed\xa0\x80",
        b"\xc3\xa9",
        b"\\ud800",
        b"%E9",
        b"%00",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"9" * 30,
        b"x" * 300,
    ),
    *(b"GET", b"at=", b'"date":', b'"userId":'),
]


def broken(rnd: random.Random, lines: list[bytes]) -> bytes:
    """One line with one to four faults."""
    line = rnd.choice(lines)
    for _ in range(rnd.randint(1, 4)):
        at = rnd.randrange(len(line) + 1)
        fault = rnd.random()
        if fault < 0.4:
            line = line[:at] + rnd.choice(PIECES) + line[at:]
        elif fault < 0.6:
            line = line[:at] + line[at + rnd.randrange(12) :]
        elif fault < 0.8:
            line = line[:at] + rnd.choice(PIECES) + line[at + rnd.randrange(12) :]
        elif fault < 0.9:
            line = line[:at] + bytes([rnd.randrange(256)]) + line[at + 1 :]
        else:
            line = line[:at] + rnd.choice(lines)[at:]
    return line


@pytest.mark.parametrize("format_name", Format)
def test_every_line_is_an_event_a_skip_or_a_reason(format_name: Format) -> None:
    lines = [line for name in SOURCES[format_name] for line in (DATA / name).read_bytes().splitlines() if line]
    project = "enthdf" if format_name is Format.ENTCORE else None
    at_ms = 1_788_242_400_000 if format_name is Format.XITI else None
    reader = line_reader(FormatOptions(format_name, project, at_ms), default_config_dir(), lambda _project: b"k" * 16)()
    rnd = random.Random(f"{SEED} {format_name}")
    fates: Counter[str] = Counter()
    for _ in range(LINES):
        line = broken(rnd, lines)
        try:
            found = reader.read(line)
        except NotAnObject:  # pragma: no cover
            raise AssertionError(line) from None
        fates[type(found).__name__] += 1
        if isinstance(found, Outgoing):
            if format_name is Format.NATIVE:
                assert found.value == bare(line), "sent as it is, the chain judges it"
                continue
            event = decode(found.value)
            assert isinstance(event, VisitEvent), line
            assert check(event, event.ts, EventBounds()) is None, line
        elif isinstance(found, Skip):
            assert len(found.kind) <= KIND_CHARACTERS_MAX + 20, line
            assert found.kind.isprintable(), line
        else:
            assert isinstance(found, Unreadable), line
            assert found.why, line
    # The faults must reach all three: otherwise this tries nothing.
    wanted = {"Outgoing", "Unreadable"} if format_name is Format.NATIVE else {"Outgoing", "Skip", "Unreadable"}
    assert set(fates) == wanted
    assert min(fates.values()) > LINES // 50, fates
