"""What the rows of a local day are held against, in one value. Pure."""

from dataclasses import dataclass

import numpy as np

from streams.watch.alert_types import Array, Sensitivity
from streams.watch.bursts import Heaps
from streams.watch.limits import Limits
from streams.watch.scales import Scales
from streams.watch.shift import Shifts
from streams.watch.spread import Spread

#: Too many or too few must be this part of a mean row of the day, at least: nights have most of the rows, and the least to lose.
WORTH_PART = 0.15


@dataclass(frozen=True, slots=True)
class Standard:
    """`worth` (directions, series): events that must be too many or too few."""

    scales: Scales
    least: Sensitivity
    spread: Spread
    shifts: Shifts
    limits: Limits
    worth: Array
    learning: bool

    @staticmethod
    def worth_of(expected: Array, least: Sensitivity, heaps: Heaps) -> Array:
        """From what is expected of a day, (series, slots)."""
        known = np.isfinite(expected)
        mean = np.where(known, expected, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1) / heaps.size
        worth = np.maximum(least.counts_min, WORTH_PART * mean)
        return np.stack([np.maximum(worth, heaps.largest / heaps.size), worth])
