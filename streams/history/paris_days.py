"""Days in Europe/Paris as epoch minutes and hours. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from streams.clock import PARIS


@lru_cache(maxsize=4096)
def paris_day(day: date) -> tuple[int, int]:
    """First epoch minute of a day in Paris and the one after its last: 23, 24 or 25 hours."""
    begin = datetime.combine(day, time(), PARIS)
    end = datetime.combine(day + timedelta(days=1), time(), PARIS)
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
