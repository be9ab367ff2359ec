"""Scenario time, how French screens say it, and days in Paris as epoch minutes. Pure: the instant is an argument.

A simulated day is moved onto the clock: scenario time = clock + `calendar_shift_seconds` (0 in production). `ts` stays on the real clock;
day types, local days and the times that screens show go through the shift, and screens say so.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

#: Minutes and times of which calendars know the date: before the year 9999, whatever the zone.
MINUTE_MAX = 253_370_764_800 // 60
MINUTE_MS = 60_000
MS_MAX = MINUTE_MAX * MINUTE_MS
#: Types of such members of what is decoded.
Minute = Annotated[int, msgspec.Meta(ge=0, le=MINUTE_MAX)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=MS_MAX)]

PARIS = ZoneInfo("Europe/Paris")
_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def scenario_time(now_ms: int, shift_seconds: int) -> datetime:
    """Return the time that screens show at the clock's `now_ms` (UTC epoch ms), in Paris."""
    return datetime.fromtimestamp(now_ms / 1000 + shift_seconds, PARIS)


def french_date(moment: datetime) -> str:
    """`mardi 1er septembre 2026`, in the moment's own zone."""
    day = "1er" if moment.day == 1 else str(moment.day)
    return f"{_DAYS[moment.weekday()]} {day} {_MONTHS[moment.month - 1]} {moment.year}"


def french_moment(moment: datetime) -> str:
    """`mardi 1er septembre 2026, 07:52`, in the moment's own zone."""
    return f"{french_date(moment)}, {moment:%H:%M}"


def simulation_notice(now_ms: int, shift_seconds: int) -> str | None:
    """`simulation du mardi 1er septembre 2026, 07:52` (Paris), or None in production, where there is no shift."""
    return f"simulation du {french_moment(scenario_time(now_ms, shift_seconds))}" if shift_seconds else None


def paris_text(epoch_ms: int, shift_seconds: int, timespec: str = "minutes") -> str:
    """`2026-09-01 07:52+02:00`: what commands print for a moment, in Paris and in the scenario's time. `timespec` as for `isoformat`."""
    return scenario_time(epoch_ms, shift_seconds).isoformat(sep=" ", timespec=timespec)


def simulation_note(now_ms: int, shift_seconds: int) -> str | None:
    """What commands print above their figures in a simulation; None in production."""
    if shift_seconds == 0:
        return None
    return f"simulation: times are the scenario's, in Paris, where it is {paris_text(now_ms, shift_seconds)} now"


def iso_utc(epoch_ms: int, *, milliseconds: bool = False) -> str:
    """`2026-09-01T06:03:00Z`, with `.123` before the Z where `milliseconds` are wanted."""
    text = datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(
        timespec="milliseconds" if milliseconds else "seconds"
    )
    return text.replace("+00:00", "Z")


@lru_cache(maxsize=4096)
def paris_day(day: date) -> tuple[int, int]:
    """First epoch minute of a day in Paris and the one after its last: 23, 24 or 25 hours."""
    begin, end = (datetime.combine(day + timedelta(days=more), time(), PARIS) for more in (0, 1))
    return int(begin.timestamp()) // 60, int(end.timestamp()) // 60


def paris_date(minute: int) -> date:
    """The date in Paris of an epoch minute."""
    return datetime.fromtimestamp(minute * 60, UTC).astimezone(PARIS).date()


def dates(first: date, last: date) -> Iterator[date]:
    """Every date, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def paris_days_of(first: int, end: int) -> Iterator[date]:
    """The days in Paris that hold some of the epoch minutes `first <= minute < end`."""
    if first < end:
        yield from dates(paris_date(first), paris_date(end - 1))
