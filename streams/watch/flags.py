"""Which rows of a stretch raise an alert, and which are calm. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.watch.scales import Scales
from streams.watch.score import MEASURED_PART_MIN, Stretch, day_so_far, deviance_score, log_error
from streams.watch.spread import Spread
from streams.watch.types import Array, Flags, Index, Sensitivity

#: The last rows must deviate by this part of the least ratio (as a logarithm), and a deviation below it is calm.
FRESH_PART = 0.5
#: A row scores less than this when it is calm.
CALM_SCORE = 2.0
#: A row without any count is no drop where so many were expected: it is a silence, or about to be one.
ZERO_ROW_EXPECTED = 3.0
#: A silence is believed when this many standard deviations of the level below expectation would still promise `silence_min` counts.
SILENCE_SPREADS = 2.0
#: A silence is over when rows reach this part of what is expected.
SILENCE_OVER_PART = 0.02
#: What missing comparable days add to sudden windows, which are compared with the same day.
SUDDEN_EXTRA_PART = 0.35


@dataclass(frozen=True, slots=True)
class Rows:
    """The judged rows of a stretch: flags (directions, series, rows) for up and down, and what silence says (series, rows).

    `passing` has bit n set where the n-th window of the scales is beyond its limits; `score` is the highest of the windows,
    `length` the rows of the one that has it.
    """

    passing: Index
    calm: Flags
    score: Array
    length: Index
    silent: Flags
    silent_rows: Index
    heard: Flags


@dataclass(frozen=True, slots=True)
class Errors:
    """What is kept of ordinary rows to learn the spread from: (windows, series, rows)."""

    error: Array
    noise: Array


def judge_rows(
    stretch: Stretch, scales: Scales, spread: Spread, hours: Index, extra: float, least: Sensitivity, first: int
) -> tuple[Rows, Errors]:
    """Judge the rows from `first` on. `hours` is the local hour of each of them, `extra` the uncertainty of too few comparable days."""
    until = stretch.counts.shape[1]
    shape = (2, stretch.counts.shape[0], until - first)
    best, length, passing = np.zeros(shape), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    errors, noises = [], []
    level_spread = np.sqrt(spread.level(len(scales.windows) - 2) ** 2 + extra**2)
    day = day_so_far(stretch, scales, level_spread, first, until)
    for number, rows in enumerate(scales.windows):
        observed, expected, measured = stretch.window(rows, first, until)
        sudden = number < len(scales.sudden)
        likely = expected * np.exp(day) if sudden else expected
        added = extra * (SUDDEN_EXTRA_PART if sudden else 1.0)
        known = (measured >= MEASURED_PART_MIN * rows) & (expected > 0)
        errors.append(np.where(known, log_error(observed, likely), np.nan))
        noises.append(1.0 / (likely + 0.5))
        for direction in range(2):
            tau_square = spread.tau[direction, :, number][:, hours] ** 2 + added**2
            score = deviance_score(observed, likely, tau_square) * (1.0, -1.0)[direction]
            enough = known & _large_enough(observed, expected, likely, direction, least)
            score = np.where(enough, score, 0.0)
            length[direction] = np.where(score > best[direction], rows, length[direction])
            best[direction] = np.maximum(score, best[direction])
            passing[direction] |= (score >= least.score_min).astype(np.int64) << number
    fresh, calm = _fresh_and_calm(stretch, scales, spread, hours, extra, least, first)
    silent, silent_rows, heard, empty = _silence(stretch, scales, level_spread, least, first)
    passing *= fresh
    passing[1] *= ~empty
    return Rows(passing, calm, best, length, silent, silent_rows, heard), Errors(np.stack(errors), np.stack(noises))


def _large_enough(observed: Array, expected: Array, likely: Array, direction: int, least: Sensitivity) -> Flags:
    """The ratio against comparable days and against the day so far, and the counts that are too many or too few."""
    if direction == 0:
        ratio = observed >= least.ratio_surge * np.maximum(expected, likely * 0.95)
        return np.asarray(ratio & (observed - expected >= least.counts_min))
    ratio = observed <= least.ratio_drop * np.minimum(expected, likely * 1.05)
    return np.asarray(ratio & (expected - observed >= least.counts_min))


def _fresh_and_calm(
    stretch: Stretch, scales: Scales, spread: Spread, hours: Index, extra: float, least: Sensitivity, first: int
) -> tuple[Flags, Flags]:
    until = stretch.counts.shape[1]
    fresh = np.zeros((2, stretch.counts.shape[0], until - first), dtype=bool)
    calm = np.zeros_like(fresh)
    # Whether a row still deviates is seen on so many rows as can tell.
    observed, expected, measured = stretch.window(scales.fresh, first, until)
    known = (measured > 0) & (expected > 0)
    ratio = (observed + 0.5) / (expected + 0.5)
    number = scales.windows.index(max(rows for rows in scales.windows if rows <= max(scales.fresh, scales.windows[0])))
    for direction, bound in enumerate((least.ratio_surge, least.ratio_drop)):
        edge = bound**FRESH_PART
        beyond = ratio >= edge if direction == 0 else ratio <= edge
        tau_square = spread.tau[direction, :, number][:, hours] ** 2 + extra**2
        score = deviance_score(observed, expected, tau_square) * (1.0, -1.0)[direction]
        fresh[direction] = known & beyond
        calm[direction] = known & (~beyond | (score < CALM_SCORE))
    return fresh, calm


def _silence(
    stretch: Stretch, scales: Scales, level_spread: Array, least: Sensitivity, first: int
) -> tuple[Flags, Index, Flags, Flags]:
    """(silent, rows of nothing so far, something is heard, nothing although much was expected), each (series, rows)."""
    until = stretch.counts.shape[1]
    known = np.isfinite(stretch.counts) & np.isfinite(stretch.expected)
    something = known & (stretch.counts > 0)
    place = np.arange(until)[None, :]
    last = np.maximum.accumulate(np.where(something, place, -1), axis=1)[:, first:]
    here = np.arange(first, until)[None, :]
    expected = stretch.expected_sum[:, first + 1 :] - np.take_along_axis(stretch.expected_sum, last + 1, axis=1)
    rows = stretch.measured_sum[:, first + 1 :] - np.take_along_axis(stretch.measured_sum, last + 1, axis=1)
    promised = expected * np.exp(-SILENCE_SPREADS * np.minimum(level_spread, 1.0))[:, None]
    empty_row = known[:, first:] & (stretch.counts[:, first:] == 0)
    silent = empty_row & (rows >= scales.silence_rows_min) & (promised >= least.silence_min)
    observed, likely, measured = stretch.window(scales.fresh, first, until)
    heard = (measured > 0) & (observed > SILENCE_OVER_PART * likely) & something[:, first:]
    empty = empty_row & (stretch.expected[:, first:] > ZERO_ROW_EXPECTED)
    return silent, np.asarray(here - last), heard, empty
