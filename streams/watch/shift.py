"""What a day that begins some minutes earlier or later does to sudden windows. Pure.

Mornings, breaks and bells waver by minutes. Where the day is level that is nothing; at an edge the same day, moved by three minutes, looks
like a surge or a drop. So the expectation is moved by some minutes both ways, and what this changes of a window against the rows
before it is taken for usual.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from streams.watch.alert_types import Array, Index
from streams.watch.scales import Scales
from streams.watch.score import LEVEL_PART, LEVEL_WEIGHTS, SoFar, running_sum

#: Standard deviation of the minutes by which a day is early or late.
SHIFT_MINUTES = 3.0
#: Shifts that are tried, in standard deviations: edges are no straight lines.
TRIED = (-2.5, -1.0, 1.0, 2.5)
#: However clearly the rows so far tell the shift, so much of its spread is left: not every bell is late by as much as the one before.
LEFT_MIN = 0.6
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
    def of(expected: Array, scales: Scales, days: int) -> "Shifts":
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

    def seen(self, rows: int, slots: Index, scales: Scales, so_far: SoFar) -> tuple[Array, Array]:
        """(shift, spread), each (series, len(slots)), of a sudden window of `rows` rows that ends at each slot.

        `shift`: what the day's shift so far does to the window's logarithm; `spread`: the standard deviation of what it leaves unknown. The
        rows before the window tell the shift as far as it bends them: a morning that is early shows it in how steeply it rises.
        """
        places = slots + self.pad
        by_part = [self._of_part(places - rows - part * scales.level_part) for part in range(len(LEVEL_WEIGHTS))]
        still = np.log(_sum(self.total, places, rows, 0.0) + 0.5)
        moved, spread = [], np.zeros(still.shape)
        for number, tried in enumerate(TRIED):
            there = _sum(self.total, places, rows, tried * SHIFT_MINUTES / scales.step_minutes)
            change = np.log(there + 0.5) - still
            for weight, of_part in zip(LEVEL_WEIGHTS, by_part, strict=True):
                change -= LEVEL_PART * weight * of_part[number]
            moved.append(change)
            spread = np.maximum(spread, np.abs(change) / abs(tried))
        shift, left = _regression(by_part, so_far)
        here = _between(moved, shift)
        around = [
            np.abs(_between(moved, np.clip(shift + side * left, TRIED[0], TRIED[-1])) - here) for side in (-1.0, 1.0)
        ]
        return here, np.maximum(spread * left, np.maximum(*around))

    def _of_part(self, places: Index) -> list[Array]:
        return [_columns(self.level[number], places, 0) for number in range(len(TRIED))]

    def change(self, rows: int, slots: Index, scales: Scales) -> Array:
        """(series, len(slots)) |log| of the expectation of such a window against that of the rows before it that its level is read from."""
        places = slots + self.pad
        here = _sum(self.total, places, rows, 0.0) / rows
        before = np.zeros_like(here)
        for part, weight in enumerate(LEVEL_WEIGHTS):
            before += weight * _sum(self.total, places - rows - part * scales.level_part, scales.level_part, 0.0)
        return np.asarray(np.abs(np.log((here + 0.5) / (before / scales.level_part + 0.5))))


def _regression(by_part: list[list[Array]], so_far: SoFar) -> tuple[Array, Array]:
    """(shift, what is left of its spread), in standard deviations of a shift: mean and spread once the rows before the window are seen.

    The slope of how much each part of them is off, over how much a shift moves it, around their means: a busy day is no early one.
    """
    earlier, later = TRIED.index(-1.0), TRIED.index(1.0)
    slopes = [(of_part[later] - of_part[earlier]) / 2.0 for of_part in by_part]
    parts = list(zip(LEVEL_WEIGHTS, slopes, so_far.ratios, so_far.noises, strict=True))
    middle = sum(weight * slope for weight, slope, _ratio, _noise in parts)
    common = np.zeros_like(slopes[0])
    square = np.zeros_like(common)
    noise = np.full_like(common, 1e-9)
    for weight, slope, ratio, variance in parts:
        off = weight * (slope - middle)
        common += off * ratio
        square += off * (slope - middle)
        noise += off * off * variance
    told = square * square / noise
    return np.clip(common * square / noise / (1.0 + told), TRIED[0], TRIED[-1]), np.maximum(
        LEFT_MIN, 1.0 / np.sqrt(1.0 + told)
    )


def _between(moved: list[Array], shift: Array) -> Array:
    """What `shift` does, by straight lines between the shifts that were tried."""
    nodes = [(tried, change) for tried, change in zip(TRIED, moved, strict=True)]
    nodes.insert(len(nodes) // 2, (0.0, np.zeros_like(moved[0])))
    result = np.zeros_like(shift)
    for (low, before), (high, after) in pairwise(nodes):
        inside = (shift >= low) & (shift <= high)
        result = np.where(inside, before + (after - before) * (shift - low) / (high - low), result)
    return result


def _sum(total: Array, places: Index, size: int, moved: float) -> Array:
    """Expected in the `size` rows that end at each of `places`, of a day moved by `moved` rows."""
    whole = math.floor(moved)
    part = moved - whole
    if part < 1e-9:
        return _columns(total, places, 1 + whole) - _columns(total, places, 1 + whole - size)
    first = _columns(total, places, 1 + whole) - _columns(total, places, 1 + whole - size)
    second = _columns(total, places, 2 + whole) - _columns(total, places, 2 + whole - size)
    return np.asarray((1.0 - part) * first + part * second)


def _columns(values: Array, places: Index, moved: int) -> Array:
    """`values[..., places + moved]`; a view where the places follow each other, as they do but when clocks change."""
    first, last = int(places[0]), int(places[-1])
    if last - first == len(places) - 1 and (len(places) < 3 or bool((places[1:] > places[:-1]).all())):
        return values[..., first + moved : last + moved + 1]
    return values[..., places + moved]
