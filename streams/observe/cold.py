"""What is expected where no comparable day is known yet: the configured load shape, at the height of what was seen so far. Pure.

It is shown, marked as learning, with bounds that are wide; nobody is called for what deviates from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from streams.history import SchoolCalendar
from streams.history.estimate import day_weight
from streams.load_shape import LoadShape, curve
from streams.watch import Array, Group
from streams.watch.judging import EPOCH, local_minutes

#: The height is known once so many counts came in so many rows.
COUNTS_MIN, ROWS_MIN = 30.0, 10
#: Bounds: a part of what is expected, and as many times as much.
WIDE = 3.0
_ZONES = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class ColdShape:
    """The load shape over the calendar; of regions without a zone the holidays of zone A stand in."""

    shape: LoadShape
    calendar: SchoolCalendar

    def weights(self, group: Group, first: int, rows: int) -> Array:
        """How much use each row from epoch minute `first` on has against others, by its local clock and day."""
        local = local_minutes(first, rows, group.step_minutes, group.zone)
        zone = self._zone([one.scope.region for one in group.series if one.scope.region])
        by_day = {day: self._of_day(int(day), zone) for day in np.unique(local // 1440)}
        day = np.array([by_day[number] for number in local // 1440])
        return np.asarray(np.array(curve(self.shape))[local % 1440] * day)

    def _of_day(self, number: int, zone: str) -> float:
        return day_weight(self.shape, self.calendar, zone, EPOCH + timedelta(days=number))

    def _zone(self, regions: Sequence[str]) -> str:
        zone = self.calendar.zones.get(regions[0]) if regions else None
        return zone if zone in _ZONES else "A"


def scaled(observed: Array, weights: Array) -> Array:
    """(rows): the weights at the height of the rows before each; NaN until that is known."""
    known = np.isfinite(observed)
    counts = np.concatenate([[0.0], np.cumsum(np.where(known, observed, 0.0))[:-1]])
    weight = np.concatenate([[0.0], np.cumsum(np.where(known, weights, 0.0))[:-1]])
    number = np.concatenate([[0], np.cumsum(known)[:-1]])
    enough = (counts >= COUNTS_MIN) & (number >= ROWS_MIN) & (weight > 0)
    return np.where(enough, weights * counts / np.maximum(weight, 1e-9), np.nan)


def filled(values: Array, weights: Array) -> Array:
    """Bands (observed, expected, lower, upper; rows) with the load shape where nothing is expected yet."""
    observed, expected, lower, upper = values
    shaped = scaled(observed, weights)
    missing = ~np.isfinite(expected)
    return np.stack(
        [
            observed,
            np.where(missing, shaped, expected),
            np.where(missing, shaped / WIDE, lower),
            np.where(missing, shaped * WIDE, upper),
        ]
    )
