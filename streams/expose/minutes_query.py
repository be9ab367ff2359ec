"""What a person asks of the minutes: `from`, `to`, `by`, `measure` as text, read into one value or refused with what is allowed."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from streams.clock import iso_utc
from streams.count import Cut, Field
from streams.errors import InputError, StateError
from streams.expose.codes import Codes
from streams.live import LiveReader, MinuteCounts, SketchReader, Snapshot
from streams.live.keys import SKETCH_MINUTES_KEPT
from streams.live.sketches import UsersBy
from streams.observe import progress_problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_CHARACTERS_MAX = 40
#: `+` in an address that was not escaped arrives as a space: `2026-09-01T08:00 02:00`. No ISO 8601 time looks like that otherwise.
_LOST_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")

EVENTS, VISITS, USERS = MEASURES = ("events", "visits", "users")


#: Where a measure of a grouping comes from: the cut, and which codes of its fields are those of the row (the rest is added up).
Source = tuple[Cut, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Grouping:
    """A way of adding up a minute: the members of a row, and where its events and its visits come from.

    `users` is what distinct users are counted by; None where they are not: they never add up.
    """

    name: str
    members: tuple[str, ...]
    events: Source
    visits: Source
    users: UsersBy | None = None

    def adds_up(self, measure: str) -> bool:
        """Whether a sum over all rows is a figure of its own: a visitor's visits of two services are one visit, users are people."""
        return measure == EVENTS or (measure == VISITS and self.visits[0] is not Cut.SERVICE_VISITS)


# Visits are each cut's own measure. Visits of several services never are added up: that sum would be no number of visits.
GROUPINGS = {
    grouping.name: grouping
    for grouping in (
        Grouping("region,service", ("region", "service"), (Cut.EVENTS, (0, 1)), (Cut.SERVICE_VISITS, (0, 1))),
        Grouping("region", ("region",), (Cut.EVENTS, (0,)), (Cut.VISITS, (0,)), "region"),
        Grouping("service", ("service",), (Cut.EVENTS, (1,)), (Cut.SERVICE_VISITS, (1,))),
        Grouping("project", ("project",), (Cut.PROJECT, (0,)), (Cut.VISIT_PROJECT, (0,)), "project"),
        Grouping("profile", ("profile",), (Cut.PROFILE, (0,)), (Cut.VISIT_PROFILE, (0,))),
        Grouping("profile,region", ("profile", "region"), (Cut.PROFILE, (0, 1)), (Cut.VISIT_PROFILE, (0, 1))),
        Grouping("academy", ("academy",), (Cut.ACADEMY, (0,)), (Cut.VISIT_ACADEMY, (0,)), "academy"),
        Grouping("none", (), (Cut.EVENTS, ()), (Cut.VISITS, ()), "none"),
    )
}
DEFAULT_BY = "region,service"


@dataclass(frozen=True, slots=True)
class Question:
    """Minutes with `first <= epoch minute < end` (None: all held), added up by `grouping`; `measures` are the members of a row."""

    first: int | None
    end: int | None
    grouping: Grouping
    measures: tuple[str, ...]


def read_question(
    from_text: str | None, to_text: str | None, by_text: str | None, measure: str | None = None
) -> Question:
    """Read the four parameters; None is the default of each: for `measure`, all that this grouping has.

    Raises:
        InputError: one of them is not allowed; the message says what is.
    """
    grouping = read_by(DEFAULT_BY if by_text is None else by_text)
    measures = _read_measure(measure, grouping)
    first = None if from_text is None else _first_minute(read_time("from", from_text))
    end = None if to_text is None else _first_minute(read_time("to", to_text))
    if first is not None and end is not None and first > end:
        raise InputError("from is after to: swap them")
    return Question(first, end, grouping, measures)


def _read_measure(measure: str | None, grouping: Grouping) -> tuple[str, ...]:
    if measure is None:
        return MEASURES if grouping.users is not None else (EVENTS, VISITS)
    if measure not in MEASURES:
        raise InputError(f"measure: {_cut(measure)} is not measured; allowed: {', '.join(MEASURES)}")
    if measure == USERS and grouping.users is None:
        counted = " | ".join(name for name, other in GROUPINGS.items() if other.users is not None)
        raise InputError(f"measure: users are not counted by {grouping.name}; allowed by: {counted}")
    return (measure,)


def read_by(text: str) -> Grouping:
    """Read `by`: names separated by commas, in any order."""
    asked = {tuple(sorted(name.split(","))): grouping for name, grouping in GROUPINGS.items()}
    if (found := asked.get(tuple(sorted(part.strip() for part in text.split(","))))) is None:
        raise InputError(
            f"by: {_cut(text)} are not counted together; allowed: {' | '.join(GROUPINGS)} (any order of the names)"
        )
    return found


def read_time(name: str, text: str) -> int:
    """Read an ISO 8601 time into UTC epoch ms; without an offset it is UTC."""
    asked = _LOST_PLUS.sub(r"\1+\2", text.strip().upper())
    try:
        if len(asked) > _TIME_CHARACTERS_MAX:
            raise ValueError("too long")
        moment = datetime.fromisoformat(asked)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise InputError(
            f"{name}: {_cut(text)} is not a time; write ISO 8601 with an offset or Z, for instance 2026-09-01T06:00:00Z "
            "or 2026-09-01T08:00:00+02:00 (without an offset it is UTC)"
        ) from None


def _first_minute(epoch_ms: int) -> int:
    """The first epoch minute that starts at `epoch_ms` or later."""
    return -(-epoch_ms // 60_000)


def _cut(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 60 else text[:60] + "…")


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
    grouping = question.grouping
    measured: dict[str, Mapping[tuple[str, ...], int | None]] = {
        name: _sums(codes, source, minute.counts)
        for name, source in ((EVENTS, grouping.events), (VISITS, grouping.visits))
        if name in question.measures
    }
    if USERS in question.measures and users is not None:
        measured[USERS] = {(code,) if grouping.members else (): number for code, number in users.items()}
    settled = settled_ms is not None and (minute.minute + 1) * 60_000 <= settled_ms
    start = iso_utc(minute.minute * 60_000)
    return [
        {
            "minute": start,
            **dict(zip(grouping.members, key, strict=True)),
            **{name: numbers.get(key, 0) for name, numbers in measured.items()},
            "settled": settled,
        }
        for key in sorted({key for numbers in measured.values() for key, number in numbers.items() if number != 0})
    ]


def _sums(codes: Codes, source: Source, counts: Mapping[Field, int]) -> dict[tuple[str, ...], int]:
    sums = Counter[tuple[str, ...]]()
    cut, positions = source
    for field_codes, number in codes.listed_counts(cut, counts).items():
        sums[tuple(field_codes[position] for position in positions)] += number
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
        users = _users(sketches, snapshot, question, page)
        yield [
            row
            for minute in reader.fetch(page)
            for row in minute_rows(minute, question, codes, snapshot.settled_ms, users.get(minute.minute))
        ]


def _users(
    sketches: SketchReader, snapshot: Snapshot, question: Question, page: list[int]
) -> dict[int, dict[str, int | None]]:
    if (by := question.grouping.users) is None or USERS not in question.measures:
        return {}
    # Older sketches may be half trimmed by now, also where time has settled further since the snapshot.
    first = (snapshot.settled_ms or 0) // 60_000 - SKETCH_MINUTES_KEPT + 1
    return sketches.minute_users([minute for minute in page if minute >= first], by)
