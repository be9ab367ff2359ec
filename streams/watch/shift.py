"""What a day that begins some minutes earlier or later does to sudden windows. Pure.

Mornings, breaks and bells waver by minutes. Where the day is level that is nothing; at an edge the same day, moved by three minutes, looks
like a surge or a drop. So the expectation is moved by some minutes both ways, and what this changes of a window against the rows
before it is taken for usual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from streams.watch.scales import Scales
from streams.watch.score import LEVEL_PART, LEVEL_WEIGHTS, running_sum
from streams.watch.types import Array, Index

#: Standard deviation of the minutes by which a day is early or late.
SHIFT_MINUTES = 3.0
#: Shifts that are tried, in standard deviations: edges are no straight lines.
TRIED = (-2.5, -1.0, 1.0, 2.5)
#: Neighbours over which the expectation is smoothed, so that its noise is not taken for an edge.
SMOOTH_MINUTES = 3


@dataclass(frozen=True, slots=True)
class Shifts:
    """The running sum of a day's expectation, with `pad` rows before it and after it like its first and last.

    `level` (tried shifts, series, padded rows): what each shift does to the logarithm of a part of the level that ends at a
    row. `days`: on how many of its own kind the expectation stands.
    """

    total: Array
    level: Array
    pad: int
    days: int

    @staticmethod
    def of(expected: Array, scales: Scales, days: int) -> Shifts:
        """Of (series, slots)."""
        moved = math.ceil(TRIED[-1] * SHIFT_MINUTES / scales.step_minutes) + 1
        pad = scales.sudden[-1] + scales.level_reach + scales.level_part + 2 * moved
        half = SMOOTH_MINUTES // scales.step_minutes
        filled = np.pad(np.where(np.isfinite(expected), expected, 0.0), ((0, 0), (pad + half, pad + half)), mode="edge")
        if half:
            sums = running_sum(filled)
            filled = (sums[:, 2 * half + 1 :] - sums[:, : -2 * half - 1]) / (2 * half + 1)
        total = running_sum(filled)
        rows = np.arange(scales.level_part + moved, total.shape[1] - moved - 2)
        level = np.zeros((len(TRIED), *filled.shape))
        still = np.log(_sum(total, rows, scales.level_part, 0.0) + 0.5)
        for number, tried in enumerate(TRIED):
            there = _sum(total, rows, scales.level_part, tried * SHIFT_MINUTES / scales.step_minutes)
            level[number][:, rows] = np.log(there + 0.5) - still
        return Shifts(total, level, pad, days)

    def spread(self, rows: int, slots: Index, scales: Scales) -> Array:
        """(series, len(slots)) standard deviation of the logarithm of a sudden window of `rows` rows that ends at each slot."""
        places = slots + self.pad
        spread = np.zeros((self.total.shape[0], len(slots)))
        still = np.log(_sum(self.total, places, rows, 0.0) + 0.5)
        for number, tried in enumerate(TRIED):
            there = _sum(self.total, places, rows, tried * SHIFT_MINUTES / scales.step_minutes)
            moved = np.log(there + 0.5) - still
            for part, weight in enumerate(LEVEL_WEIGHTS):
                moved -= LEVEL_PART * weight * self.level[number][:, places - rows - part * scales.level_part]
            spread = np.maximum(spread, np.abs(moved) / abs(tried))
        return spread

    def change(self, rows: int, slots: Index, scales: Scales) -> Array:
        """(series, len(slots)) |log| of the expectation of such a window against that of the rows before it that its level is read from."""
        places = slots + self.pad
        here = _sum(self.total, places, rows, 0.0) / rows
        before = np.zeros_like(here)
        for part, weight in enumerate(LEVEL_WEIGHTS):
            before += weight * _sum(self.total, places - rows - part * scales.level_part, scales.level_part, 0.0)
        return np.asarray(np.abs(np.log((here + 0.5) / (before / scales.level_part + 0.5))))


def _sum(total: Array, places: Index, size: int, moved: float) -> Array:
    """Expected in the `size` rows that end at each of `places`, of a day moved by `moved` rows."""
    whole = math.floor(moved)
    until = places + 1 + whole
    part = moved - whole
    first = total[:, until] - total[:, until - size]
    if part < 1e-9:
        return np.asarray(first)
    return np.asarray((1.0 - part) * first + part * (total[:, until + 1] - total[:, until + 1 - size]))
