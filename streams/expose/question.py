"""What a person asks of the minutes: `from`, `to`, `by`, `measure` as text, read into one value or refused with what is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streams.count import Cut
from streams.errors import InputError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_CHARACTERS_MAX = 40
#: `+` in an address that was not escaped arrives as a space: `2026-09-01T08:00 02:00`. No ISO 8601 time looks like that otherwise.
_LOST_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")

MEASURES = ("events",)


@dataclass(frozen=True, slots=True)
class Grouping:
    """A way of adding up a minute: the cut it reads, the members of a row, and which codes of the cut's fields they are."""

    name: str
    cut: Cut
    members: tuple[str, ...]
    positions: tuple[int, ...]


GROUPINGS = {
    grouping.name: grouping
    for grouping in (
        Grouping("region,service", Cut.EVENTS, ("region", "service"), (0, 1)),
        Grouping("region", Cut.EVENTS, ("region",), (0,)),
        Grouping("service", Cut.EVENTS, ("service",), (1,)),
        Grouping("project", Cut.PROJECT, ("project",), (0,)),
        Grouping("profile", Cut.PROFILE, ("profile",), (0,)),
        Grouping("profile,region", Cut.PROFILE, ("profile", "region"), (0, 1)),
        Grouping("academy", Cut.ACADEMY, ("academy",), (0,)),
        Grouping("none", Cut.EVENTS, (), ()),
    )
}
DEFAULT_BY = "region,service"


@dataclass(frozen=True, slots=True)
class Question:
    """Minutes with `first <= epoch minute < end` (None: all held), added up by `grouping`."""

    first: int | None
    end: int | None
    grouping: Grouping


def read_question(
    from_text: str | None, to_text: str | None, by_text: str | None, measure: str | None = None
) -> Question:
    """Read the four parameters; None is the default of each.

    Raises:
        InputError: one of them is not allowed; the message says what is.
    """
    if measure not in (None, *MEASURES):
        raise InputError(f"measure: {_cut(measure)} is not measured; allowed: {', '.join(MEASURES)}")
    grouping = read_by(DEFAULT_BY if by_text is None else by_text)
    first = None if from_text is None else _first_minute(read_time("from", from_text))
    end = None if to_text is None else _first_minute(read_time("to", to_text))
    if first is not None and end is not None and first > end:
        raise InputError("from is after to: swap them")
    return Question(first, end, grouping)


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
