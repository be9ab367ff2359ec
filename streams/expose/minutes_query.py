"""What a person asks of the minutes: `from`, `to`, `by`, `measure` as text, read into one value or refused with what is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streams.count import Cut
from streams.errors import InputError
from streams.live.sketches import UsersBy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_CHARACTERS_MAX = 40
#: `+` in an address that was not escaped arrives as a space: `2026-09-01T08:00 02:00`. No ISO 8601 time looks like that otherwise.
_LOST_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")

EVENTS, VISITS, USERS = MEASURES = ("events", "visits", "users")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a measure of a grouping comes from: the cut, and which codes of its fields are those of the row (the rest is added up)."""

    cut: Cut
    positions: tuple[int, ...]


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
        return measure == EVENTS or (measure == VISITS and self.visits.cut is not Cut.SERVICE_VISITS)


# Visits are each cut's own measure. Visits of several services never are added up: that sum would be no number of visits.
GROUPINGS = {
    grouping.name: grouping
    for grouping in (
        Grouping(
            "region,service", ("region", "service"), Source(Cut.EVENTS, (0, 1)), Source(Cut.SERVICE_VISITS, (0, 1))
        ),
        Grouping("region", ("region",), Source(Cut.EVENTS, (0,)), Source(Cut.VISITS, (0,)), "region"),
        Grouping("service", ("service",), Source(Cut.EVENTS, (1,)), Source(Cut.SERVICE_VISITS, (1,))),
        Grouping("project", ("project",), Source(Cut.PROJECT, (0,)), Source(Cut.VISIT_PROJECT, (0,)), "project"),
        Grouping("profile", ("profile",), Source(Cut.PROFILE, (0,)), Source(Cut.VISIT_PROFILE, (0,))),
        Grouping(
            "profile,region", ("profile", "region"), Source(Cut.PROFILE, (0, 1)), Source(Cut.VISIT_PROFILE, (0, 1))
        ),
        Grouping("academy", ("academy",), Source(Cut.ACADEMY, (0,)), Source(Cut.VISIT_ACADEMY, (0,)), "academy"),
        Grouping("none", (), Source(Cut.EVENTS, ()), Source(Cut.VISITS, ()), "none"),
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
    asked = sorted(part.strip() for part in text.split(","))
    for grouping in GROUPINGS.values():
        if asked == sorted(grouping.name.split(",")):
            return grouping
    raise InputError(
        f"by: {_cut(text)} are not counted together; allowed: {' | '.join(GROUPINGS)} (any order of the names)"
    )


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
