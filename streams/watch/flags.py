"""Which rows of a stretch raise an alert, and which are calm. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streams.watch.baseline import EXPECTED_MIN
from streams.watch.scales import LEVEL_PARTS, Scales
from streams.watch.score import MEASURED_PART_MIN, QUANTUM, Stretch, day_so_far, log_error, running_sum, score_of
from streams.watch.spread import Spread
from streams.watch.types import Array, Flags, Index, Sensitivity

#: The last rows must deviate by this part of the least ratio (as a logarithm), and a deviation below it is calm.
FRESH_PART = 0.5
#: The first lasting window scores less than this when it is quiet.
CALM_SCORE = 2.0
#: A row without any count is no drop where so many were expected: it is a silence, or about to be one.
ZERO_ROW_EXPECTED = 3.0
#: Of the least ratio, as a logarithm: what a sudden deviation must reach against comparable days, and against the rows before it.
COMPARED_PART, LIKELY_PART = 0.6, 0.9
#: A silence is believed when this many standard deviations of the level below expectation would still promise `silence_min` counts.
SILENCE_SPREADS = 2.0
#: A silence is over when rows reach this part of what is expected.
SILENCE_OVER_PART = 0.02
#: What missing comparable days add to sudden windows, which are compared with the same day, once it has told its level:
#: from the first to the #: second of these minutes of the day.
SUDDEN_EXTRA_PART = 0.2
#: ... and of days that are so unsure that their shape is, too.
UNSURE_EXTRA, UNSURE_PART = 0.4, 0.5
LEVEL_KNOWN_MINUTES = (300.0, 450.0)


@dataclass(frozen=True, slots=True)
class Rows:
    """The judged rows of a stretch: flags (directions, series, rows) for up and down, and what silence says (series, rows).

    `beyond`: the last rows deviate; `quiet`: the first lasting window does not. `passing` has bit n set where the n-th
    window of the scales is beyond its limits; `score` is the highest of the windows, `length` the rows of the one that has it.
    """

    passing: Index
    beyond: Flags
    quiet: Flags
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
    stretch: Stretch,
    scales: Scales,
    spread: Spread,
    slots: Index,
    extra: Array,
    steep: Array,
    least: Sensitivity,
    first: int,
) -> tuple[Rows, Errors]:
    """Judge the rows from `first` on. `slots` are their places in the local day, `extra` (rows of the stretch) the uncertainty of too few
    comparable days, `steep` (series, rows) that of where the day is steep.
    """
    until = stretch.counts.shape[1]
    hours = slots * scales.step_minutes // 60
    ramp = np.interp(slots * scales.step_minutes, LEVEL_KNOWN_MINUTES, (1.0, SUDDEN_EXTRA_PART))
    shape = (2, stretch.counts.shape[0], until - first)
    best, length, passing = np.zeros(shape), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    errors, noises = [], []
    level_spread = np.sqrt(spread.level(len(scales.windows) - 2)[:, None] ** 2 + extra[first:] ** 2)
    for number, rows in enumerate(scales.windows):
        observed, expected, measured = stretch.window(rows, first, until)
        sudden = number < len(scales.sudden)
        # A sudden window also leans on the rows before it.
        reach = rows + (scales.level_part * LEVEL_PARTS if sudden else 0)
        likely, added = expected, _earliest(extra, reach, first) ** 2
        if sudden:
            likely = expected * np.exp(day_so_far(stretch, scales, level_spread, rows, first, until))
            part = np.where(added > UNSURE_EXTRA**2, np.maximum(ramp, UNSURE_PART), ramp)
            added = added * part**2 + steep**2
        known = (measured >= MEASURED_PART_MIN * rows) & (expected > 0)
        errors.append(np.where(known, log_error(observed, likely), np.nan))
        noises.append(1.0 / (likely + 0.5))
        for direction in range(2):
            tau_square = spread.tau[direction, :, number][:, hours] ** 2 + added
            score = score_of(observed, likely, tau_square) * (1.0, -1.0)[direction]
            enough = known & _large_enough(observed, expected, likely, direction, least)
            score = np.where(enough, score, 0.0)
            length[direction] = np.where(score > best[direction], rows, length[direction])
            best[direction] = np.maximum(score, best[direction])
            passing[direction] |= (score >= least.score_min).astype(np.int64) << number
    beyond, quiet = _last_rows(stretch, scales, spread, hours, extra, least, first)
    silent, silent_rows, heard, empty = _silence(stretch, scales, level_spread, least, first)
    passing *= beyond
    passing[1] *= ~empty
    return Rows(passing, beyond, quiet, best, length, silent, silent_rows, heard), Errors(
        np.stack(errors), np.stack(noises)
    )


def _earliest(extra: Array, rows: int, first: int) -> Array:
    """(rows) the larger uncertainty of the first and the last row of each window: it may reach back into a day that was less sure."""
    begins = np.maximum(np.arange(first, len(extra)) - rows + 1, 0)
    return np.maximum(extra[first:], extra[begins])


def _large_enough(observed: Array, expected: Array, likely: Array, direction: int, least: Sensitivity) -> Flags:
    """The ratio against comparable days and against the day so far, and the counts that are too many or too few.

    A sudden deviation (`likely` is not `expected`) must be nearly as large against the rows before it, and of the same
    direction against comparable days: a quiet day that wakes up is no surge.
    """
    sudden = likely is not expected
    if direction == 0:
        least_observed = least.ratio_surge * expected
        if sudden:
            least_observed = np.maximum(
                least.ratio_surge**COMPARED_PART * expected, least.ratio_surge**LIKELY_PART * likely
            )
        return np.asarray((observed >= least_observed) & (observed - expected >= least.counts_min))
    most_observed = least.ratio_drop * expected
    if sudden:
        most_observed = np.minimum(least.ratio_drop**COMPARED_PART * expected, least.ratio_drop**LIKELY_PART * likely)
    return np.asarray((observed <= most_observed) & (expected - observed >= least.counts_min))


def _last_rows(
    stretch: Stretch, scales: Scales, spread: Spread, hours: Index, extra: Array, least: Sensitivity, first: int
) -> tuple[Flags, Flags]:
    """Whether the last rows deviate still, and whether the first lasting window has nothing to say; (directions, series, rows)."""
    until = stretch.counts.shape[1]
    shape = (2, stretch.counts.shape[0], until - first)
    beyond, quiet = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    observed, expected, measured = stretch.window(scales.fresh, first, until)
    known = (measured > 0) & (expected > 0)
    ratio = (observed + 0.5) / (expected + 0.5)
    number = len(scales.sudden)
    whole, likely, seen = stretch.window(scales.lasting[0], first, until)
    for direction, bound in enumerate((least.ratio_surge, least.ratio_drop)):
        edge = bound**FRESH_PART
        beyond[direction] = known & (ratio >= edge if direction == 0 else ratio <= edge)
        tau_square = spread.tau[direction, :, number][:, hours] ** 2 + _earliest(extra, scales.lasting[0], first) ** 2
        score = score_of(whole, likely, tau_square) * (1.0, -1.0)[direction]
        quiet[direction] = (seen > 0) & (likely > 0) & (score < CALM_SCORE)
    return beyond, quiet


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
    # The least that is ever expected promises nothing: a source that was never seen is not silent.
    hoped = running_sum(np.where(known & (stretch.expected > EXPECTED_MIN + QUANTUM), stretch.expected, 0.0))
    expected = hoped[:, first + 1 :] - np.take_along_axis(hoped, last + 1, axis=1)
    rows = stretch.measured_sum[:, first + 1 :] - np.take_along_axis(stretch.measured_sum, last + 1, axis=1)
    promised = expected * np.exp(-SILENCE_SPREADS * np.minimum(level_spread, 1.0))
    empty_row = known[:, first:] & (stretch.counts[:, first:] == 0)
    silent = empty_row & (rows >= scales.silence_rows_min) & (promised >= least.silence_min)
    observed, likely, measured = stretch.window(scales.fresh, first, until)
    heard = (measured > 0) & (observed > SILENCE_OVER_PART * likely) & something[:, first:]
    empty = empty_row & (stretch.expected[:, first:] > ZERO_ROW_EXPECTED)
    return silent, np.asarray(here - last), heard, empty
