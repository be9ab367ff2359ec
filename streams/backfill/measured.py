"""Which minutes logs measured: in them what is not there is a zero. Pure.

A file measured everything from its first event to its last, but for a hole of a week or more; from one file to the next a night may lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.backfill.log_input import DayOfInput
from streams.history.marks import MINUTES_AN_HOUR

MINUTE_MS = 60_000
#: Without an event within one file for so long: nobody was there, or a clock was wrong, or files were put together.
HOLE_MINUTES = 7 * 24 * 60
#: From the last event of a file to the first one of the next: a night, after which a log was rotated.
NIGHT_MINUTES = 12 * 60

Span = tuple[int, int]


def measured_spans(inputs: Iterable[Sequence[DayOfInput]]) -> list[Span]:
    """Ranges [first, end) of epoch minutes that these files of one project measured."""
    spans = [span for days in inputs for span in _joined([_span(day) for day in days], HOLE_MINUTES)]
    return _joined(spans, NIGHT_MINUTES)


def of_hour(spans: Iterable[Span], hour: int) -> tuple[Span, ...]:
    """The part of an epoch hour that was measured."""
    first, end = hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR
    return tuple((max(begin, first), min(until, end)) for begin, until in spans if begin < end and until > first)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Ranges that touch or overlap, as one."""
    return _joined(spans, 0)


def _span(day: DayOfInput) -> Span:
    return day.first_ms // MINUTE_MS, day.last_ms // MINUTE_MS + 1


def _joined(spans: Iterable[Span], gap: int) -> list[Span]:
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found
