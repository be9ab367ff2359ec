"""Minutes as rows, the same for `vigie minutes` and `/api/v1/minutes`.

    {"minute":"2026-09-01T06:03:00Z","region":"44","service":"CAHIER_TEXTES","events":12,"settled":true}

A row is a minute, the codes of the grouping, and the measures; rows of zero are left out. `minute_rows` is pure, `read_rows` reads Redis
a few minutes at a time, so that days of minutes never lie in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from streams.clock import iso_utc
from streams.errors import StateError
from streams.expose.codes import Codes
from streams.expose.question import Grouping, Question
from streams.live import LiveReader, MinuteCounts, Snapshot
from streams.observe import progress_problem

#: Minutes read and given at once: at most this many x regions x services rows are in memory.
MINUTES_A_PAGE = 60

#: Member -> value; the members depend on the grouping, see the module's docstring.
Row = dict[str, str | int | bool]


def minute_rows(minute: MinuteCounts, grouping: Grouping, codes: Codes, settled_ms: int | None) -> list[Row]:
    """Return the rows of one minute, sorted by their codes. A minute is settled when its end is not after settled time."""
    sums: dict[tuple[str, ...], int] = {}
    for field_codes, number in codes.fold(grouping.cut, minute.counts).items():
        key = tuple(field_codes[position] for position in grouping.positions)
        sums[key] = sums.get(key, 0) + number
    settled = settled_ms is not None and (minute.minute + 1) * 60_000 <= settled_ms
    start = iso_utc(minute.minute * 60_000)
    return [
        {"minute": start, **dict(zip(grouping.members, key, strict=True)), "events": number, "settled": settled}
        for key, number in sorted(sums.items())
        if number
    ]


def read_rows(reader: LiveReader, snapshot: Snapshot, question: Question, codes: Codes) -> Iterator[list[Row]]:
    """Yield the rows page by page, by minute then codes; `snapshot` was read before, so a row called settled was settled when read.

    Raises:
        ServerError: Redis does not answer.
        StateError: what Redis holds cannot be read by this version.
    """
    if problem := progress_problem(snapshot):
        raise StateError(problem)
    held = iter(reader.held(question.first, question.end))
    while page := list(islice(held, MINUTES_A_PAGE)):
        yield [
            row
            for minute in reader.fetch(page)
            for row in minute_rows(minute, question.grouping, codes, snapshot.settled_ms)
        ]
