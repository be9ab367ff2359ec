"""Minutes as rows, the same for `vigie minutes` and `/api/v1/minutes`.

    {"minute":"2026-09-01T06:03:00Z","region":"44","events":12,"visits":3,"users":9,"settled":true}

A row is a minute, the codes of the grouping, and the measures; rows without any are left out. `users` is there for minutes whose sketches
are held, null where they are too few to be told. `minute_rows` is pure, `read_rows` reads Redis a few minutes at a time, so that days of
minutes never lie in memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from streams.clock import iso_utc
from streams.count import Field
from streams.errors import StateError
from streams.expose.codes import Codes
from streams.expose.minutes_query import EVENTS, USERS, VISITS, Question, Source
from streams.live import LiveReader, MinuteCounts, SketchReader, Snapshot
from streams.live.keys import SKETCH_MINUTES_KEPT
from streams.observe import progress_problem

#: Minutes read and given at once: at most this many x regions x services rows are in memory.
MINUTES_A_PAGE = 60

#: None: so few users that their number is not told.
Value = str | int | bool | None
#: Member -> value; the members depend on the grouping, see the module's docstring.
Row = dict[str, Value]


def minute_rows(
    minute: MinuteCounts,
    question: Question,
    codes: Codes,
    settled_ms: int | None,
    users: Mapping[str, int | None] | None,
) -> list[Row]:
    """Return the rows of one minute, sorted by their codes. A minute is settled when its end is not after settled time.

    `users` are this minute's by code, None for few; None in all where its sketches are not held.
    """
    measured: dict[str, Mapping[tuple[str, ...], int | None]] = {}
    for name in question.measures:
        if name == EVENTS:
            measured[name] = _sums(codes, question.grouping.events, minute.counts)
        elif name == VISITS:
            measured[name] = _sums(codes, question.grouping.visits, minute.counts)
        elif users is not None:
            members = question.grouping.members
            measured[name] = {(code,) if members else (): number for code, number in users.items()}
    settled = settled_ms is not None and (minute.minute + 1) * 60_000 <= settled_ms
    start = iso_utc(minute.minute * 60_000)
    return [
        {
            "minute": start,
            **dict(zip(question.grouping.members, key, strict=True)),
            **{name: numbers.get(key, 0) for name, numbers in measured.items()},
            "settled": settled,
        }
        for key in sorted({key for numbers in measured.values() for key, number in numbers.items() if number != 0})
    ]


def _sums(codes: Codes, source: Source, counts: Mapping[Field, int]) -> dict[tuple[str, ...], int]:
    sums: dict[tuple[str, ...], int] = {}
    for field_codes, number in codes.listed_counts(source.cut, counts).items():
        key = tuple(field_codes[position] for position in source.positions)
        sums[key] = sums.get(key, 0) + number
    return sums


def read_rows(
    reader: LiveReader, sketches: SketchReader, snapshot: Snapshot, question: Question, codes: Codes
) -> Iterator[list[Row]]:
    """Yield the rows page by page, by minute then codes; `snapshot` was read before, so a row called settled was settled when read.

    Raises:
        ServerError: Redis does not answer.
        StateError: what Redis holds cannot be read by this version.
    """
    if problem := progress_problem(snapshot):
        raise StateError(problem)
    held = iter(reader.held(question.first, question.end))
    while page := list(islice(held, MINUTES_A_PAGE)):
        counts = reader.fetch(page)
        users = _users(sketches, snapshot, question, page)
        yield [
            row
            for minute in counts
            for row in minute_rows(minute, question, codes, snapshot.settled_ms, users.get(minute.minute))
        ]


def _users(
    sketches: SketchReader, snapshot: Snapshot, question: Question, page: list[int]
) -> dict[int, dict[str, int | None]]:
    by = question.grouping.users
    if by is None or USERS not in question.measures:
        return {}
    # Older sketches may be half trimmed by now, also where time has settled further since the snapshot.
    first = (snapshot.settled_ms or 0) // 60_000 - SKETCH_MINUTES_KEPT + 1
    return sketches.minute_users([minute for minute in page if minute >= first], by)
