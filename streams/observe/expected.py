"""What was expected, row by row, as readers get it. Pure.

Where no comparable day is known yet, that is the configured load shape, at the height of what was seen so far. It is shown, marked as
learning, with bounds that are wide; nobody is called for what deviates from it.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from streams.history import SchoolCalendar
from streams.history.calendar import PACKAGED_ZONES
from streams.history.estimate import day_weight
from streams.load_shape import LoadShape, curve
from streams.watch import AlertScope, Array, Group, Judge
from streams.watch.judging import EPOCH, local_minutes

#: A sum is told where the parts of which something is expected make up this part of it.
KNOWN_PART_MIN = 0.5


@dataclass(frozen=True, slots=True)
class ExpectedRow:
    """One judged row of a scope; `minute` is an epoch minute of the clock, the row is `step_minutes` long."""

    minute: int
    step_minutes: int
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    learning: bool


def is_part(series: AlertScope, scope: AlertScope) -> bool:
    """Whether a series is that of a scope, or of a region in a service's France."""
    return series == scope or (scope.service is not None and scope.region is None and series.service == scope.service)


def judged_rows(judge: Judge, first: int, values: Array, shift: int) -> list[ExpectedRow]:
    """Rows of bands (observed, expected, lower, upper; rows) from epoch minute `first` on, archive time, by the clock."""
    step = judge.group.step_minutes

    def number(value: float) -> float | None:
        return round(float(value), 2) if np.isfinite(value) else None

    return [
        ExpectedRow(
            minute - shift, step, number(seen), number(mean), number(low), number(high), judge.is_learning(minute)
        )
        for minute, (seen, mean, low, high) in zip(itertools.count(first, step), values.T, strict=False)
    ]


def summed(parts: Sequence[Sequence[ExpectedRow]]) -> list[ExpectedRow]:
    """Rows of a place that is judged in parts. A part of which nothing can be expected counts as it came: neither too many nor too few.

    Bounds are summed as if all parts strayed together: what lies outside of them is unusual, what lies inside may be, too.
    """
    by_minute = _by_minute(row for rows in parts for row in rows if row.observed is not None)
    return [_sum(rows) for _minute, rows in sorted(by_minute.items())]


def within_parts(whole: Sequence[ExpectedRow], parts: Sequence[Sequence[ExpectedRow]]) -> list[ExpectedRow]:
    """The rows of a whole whose bounds lie where those of its parts can put them, in minutes in which all of its parts have bounds.

    No nearer than if the parts strayed independently of each other, no farther than if all strayed together.
    """
    by_minute = _by_minute(row for rows in parts for row in rows)
    return [_within(row, by_minute.get(row.minute, ()), len(parts)) for row in whole]


def _by_minute(rows: Iterable[ExpectedRow]) -> dict[int, list[ExpectedRow]]:
    in_order = sorted(rows, key=lambda row: row.minute)
    return {minute: list(some) for minute, some in itertools.groupby(in_order, lambda row: row.minute)}


def _within(row: ExpectedRow, parts: Sequence[ExpectedRow], number: int) -> ExpectedRow:
    reaches = [
        (part.expected - part.lower, part.upper - part.expected)
        for part in parts
        if part.expected is not None and part.lower is not None and part.upper is not None
    ]
    if row.expected is None or row.lower is None or row.upper is None or len(reaches) != number or not reaches:
        return row
    below, above = zip(*reaches, strict=True)
    lower = min(max(row.expected - row.lower, math.hypot(*below)), sum(below))
    upper = min(max(row.upper - row.expected, math.hypot(*above)), sum(above))
    return replace(row, lower=round(max(row.expected - lower, 0.0), 2), upper=round(row.expected + upper, 2))


def _sum(rows: Sequence[ExpectedRow]) -> ExpectedRow:
    observed = sum(row.observed or 0.0 for row in rows)
    known = [row for row in rows if row.expected is not None]
    of_known = sum(row.expected or 0.0 for row in known)
    rest = sum(row.observed or 0.0 for row in rows if row.expected is None)
    whole = replace(rows[0], observed=round(observed, 2), expected=None, lower=None, upper=None, learning=True)
    if not known or of_known < KNOWN_PART_MIN * (of_known + rest):
        return whole
    expected, lower, upper = (
        round(sum(getattr(row, name) or 0.0 for row in known) + rest, 2) for name in ("expected", "lower", "upper")
    )
    learning = sum(row.expected or 0.0 for row in known if row.learning) > (1 - KNOWN_PART_MIN) * of_known
    return replace(whole, expected=expected, lower=lower, upper=upper, learning=learning)


#: The height is known once so many counts came in so many rows.
COUNTS_MIN, ROWS_MIN = 30.0, 10
#: Bounds: a part of what is expected, and as many times as much.
WIDE = 3.0


@dataclass(frozen=True, slots=True)
class ColdShape:
    """The load shape over the calendar; of regions without a zone the holidays of zone A stand in."""

    shape: LoadShape
    calendar: SchoolCalendar

    def weights(self, group: Group, first: int, rows: int) -> Array:
        """How much use each row from epoch minute `first` on has against others, by its local clock and day."""
        local = local_minutes(first, rows, group.step_minutes, group.zone)
        zone = self.calendar.zones.get(next((one.scope.region for one in group.series if one.scope.region), ""))
        known = zone if zone in PACKAGED_ZONES else "A"
        days, place = np.unique(local // 1440, return_inverse=True)
        of_day = [day_weight(self.shape, self.calendar, known, EPOCH + timedelta(days=day)) for day in days.tolist()]
        return np.asarray(np.array(curve(self.shape))[local % 1440] * np.array(of_day)[place])


def scaled(observed: Array, weights: Array) -> Array:
    """(rows): the weights at the height of the rows before each; NaN until that is known."""
    known = np.isfinite(observed)
    counts, weight, number = (
        np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))[:-1]])
        for values in (observed, weights, np.ones(len(known)))
    )
    enough = (counts >= COUNTS_MIN) & (number >= ROWS_MIN) & (weight > 0)
    return np.where(enough, weights * counts / np.maximum(weight, 1e-9), np.nan)


def filled(values: Array, weights: Array) -> Array:
    """Bands (observed, expected, lower, upper; rows) with the load shape where nothing is expected yet."""
    observed, expected, lower, upper = values
    shaped = scaled(observed, weights)
    missing = ~np.isfinite(expected)
    bounds = (np.where(missing, shaped / WIDE, lower), np.where(missing, shaped * WIDE, upper))
    return np.stack([observed, np.where(missing, shaped, expected), *bounds])
