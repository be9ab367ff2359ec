"""Which rows of a stretch raise an alert, and which are calm. Pure."""

from dataclasses import dataclass

import numpy as np

from streams.watch.alert_types import Array, Flags, Index, Sensitivity
from streams.watch.baseline import EXPECTED_MIN
from streams.watch.scales import GROUPS, Scales
from streams.watch.score import QUANTUM, LevelSpread, Piece, allow_for_learning, log_error, running_sum, score_of
from streams.watch.standard import Standard
from streams.watch.window import Window, larger_extra, make_window

#: The last rows must deviate by this part of the least ratio (as a logarithm), and a deviation below it is calm; it begins with the first
#: row that deviates so far.
FRESH_PART = 0.5
#: The first lasting window scores less than this when it is quiet.
CALM_SCORE = 2.0
#: A row without any count is no drop where so many were expected: it is a silence, or about to be one.
ZERO_ROW_EXPECTED = 3.0
#: Of the least ratio, as a logarithm: what a sudden deviation must reach against comparable days, and against the rows before it.
COMPARED_PART, LIKELY_PART = 0.4, 0.9
#: A silence is believed when this many standard deviations of the level below expectation would still promise `silence_min` counts.
SILENCE_SPREADS = 2.0
#: A silence is over when rows reach this part of what is expected.
SILENCE_OVER_PART = 0.02
#: In rows shorter than `SINGLE_ROW_FROM_MINUTES` a window must score so much more where fewer counts a minute are likely.
FEW_A_MINUTE, FEW_SCORE = 60.0, 0.5
#: A window that scores more than this tells nothing of the spread, whether it is told or not: what happens on every other evening would
#: be usual before it was ever told. Shorter rows than `SINGLE_ROW_FROM_MINUTES` are many, and show by themselves what most do.
SUSPECT, SUSPECT_OF_MINUTES = 1.7, 3.0
#: Errors of sudden windows tell something new so many times a day; the spread counts as learned from so many days, at least.
SUDDEN_A_DAY, LEARNED_DAYS_MIN = 3.0, 10


@dataclass(frozen=True, slots=True)
class Rows:
    """The judged rows of a stretch: flags (directions, series, rows) for up and down, and what silence says (series, rows).

    `beyond`: the last rows deviate; `quiet`: the first lasting window does not. `passing` has bit n set where the n-th window of
    the scales is beyond its limits, `alone` where its ratio is, too, against comparable days alone; `score` (directions, groups,
    series, rows) is the highest of a group's windows where the last rows deviate, else 0; `leading` the group that is farthest
    beyond its limit, `length` the rows of that window.
    """

    passing: Index
    alone: Index
    beyond: Flags
    quiet: Flags
    score: Array
    leading: Index
    length: Index
    silent: Flags
    silent_rows: Index
    heard: Flags


@dataclass(frozen=True, slots=True)
class Errors:
    """What is kept of ordinary rows to learn the spread from: (windows, series, rows)."""

    error: Array
    noise: Array


def judge_rows(piece: Piece, day: Standard) -> tuple[Rows, Errors]:
    """Judge the rows of a piece."""
    scales, spread = day.scales, day.spread
    hours = piece.slots * scales.step_minutes // 60
    shape = (2, piece.stretch.counts.shape[0], piece.until - piece.first)
    best, above = np.zeros((2, GROUPS, *shape[1:])), np.full(shape, -np.inf)
    length, leading = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    passing, alone = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    errors, noises = [], []
    of_day = np.sqrt(spread.level(len(scales.windows) - 2)[:, None] ** 2 + piece.extra[piece.first :] ** 2)
    level = LevelSpread(of_day, spread.level(scales.part_window))
    suspect = SUSPECT if scales.single else SUSPECT_OF_MINUTES
    for number, (rows, group) in enumerate(zip(scales.windows, scales.groups, strict=True)):
        window = make_window(piece, day, level, rows, number < len(scales.sudden))
        error = np.where(window.known, log_error(window.observed, window.likely), np.nan)
        noises.append(1.0 / (window.likely + 0.5) + window.early)
        few = few_score(window.likely / (rows * scales.step_minutes), scales)
        for direction in range(2):
            held = window
            if direction == 1 and (part := piece.quiet_part(rows)) is not None:
                held = window.times(part)
            score = _score(held, spread.tau[direction, :, number][:, hours] ** 2, direction, day) - few
            excess = score - day.limits.score[direction, group][:, hours]
            higher = excess > above[direction]
            length[direction] = np.where(higher, rows, length[direction])
            leading[direction] = np.where(higher, group, leading[direction])
            above[direction] = np.maximum(excess, above[direction])
            best[direction, group] = np.maximum(score, best[direction, group])
            error[score > suspect] = np.nan
            passes = excess >= 0.0
            passing[direction] |= passes.astype(np.int64) << number
            by_ratio = passes & _beyond(held.observed, held.expected, direction, day.least)
            alone[direction] |= by_ratio.astype(np.int64) << number
        errors.append(error)
    beyond, quiet = _last_rows(piece, day)
    silent, silent_rows, heard, empty = _silence(piece, day, of_day)
    passing *= beyond
    passing[1] *= ~empty
    best *= beyond[:, None]
    return Rows(passing, alone, beyond, quiet, best, leading, length, silent, silent_rows, heard), Errors(
        np.stack(errors), np.stack(noises)
    )


def _score(window: Window, tau_square: Array, direction: int, day: Standard) -> Array:
    """(series, rows) in standard deviations, 0 where the window is too small or too short to speak of."""
    score = np.zeros(window.observed.shape)
    places = np.nonzero(window.known & _large_enough(window, direction, day))
    if len(places[0]):
        days = max(day.spread.days, LEARNED_DAYS_MIN) * (SUDDEN_A_DAY if window.sudden else 1.0)
        observed, likely, doubt = window.observed[places], window.likely[places], window.doubt[places]
        known = np.broadcast_to(tau_square, score.shape)[places]
        found = score_of(observed, likely, known + doubt) * (1.0, -1.0)[direction]
        score[places] = allow_for_learning(found, known, doubt + 1.0 / (likely + 0.5), days)
    return score


def few_score(rate: Array, scales: Scales) -> Array:
    """What it takes more where `rate` counts a minute are likely: nights have most of the minutes, and the least to lose."""
    return np.where((rate < FEW_A_MINUTE) & (not scales.single), FEW_SCORE, 0.0)


def _beyond(observed: Array, expected: Array, direction: int, least: Sensitivity, part: float = 1.0) -> Flags:
    """Whether the ratio reaches `part` of the least one, as a logarithm."""
    if direction == 0:
        return np.asarray(observed >= least.ratio_surge**part * expected)
    return np.asarray(observed <= least.ratio_drop**part * expected)


def _large_enough(window: Window, direction: int, day: Standard) -> Flags:
    """The ratio against comparable days and against the day so far, and the counts that are too many or too few.

    A sudden deviation must be nearly as large against the rows before it, and of the same direction against comparable
    days: a quiet day that wakes up is no surge.
    """
    least = day.least
    counts = (window.observed - window.expected) * (1.0, -1.0)[direction] >= day.worth[direction][:, None]
    if not window.sudden:
        return np.asarray(counts & _beyond(window.observed, window.expected, direction, least))
    compared = _beyond(window.observed, window.expected, direction, least, COMPARED_PART)
    return np.asarray(counts & compared & _beyond(window.observed, window.likely, direction, least, LIKELY_PART))


def _last_rows(piece: Piece, day: Standard) -> tuple[Flags, Flags]:
    """Whether the last rows deviate still, and whether the first lasting window has nothing to say; (directions, series, rows)."""
    scales = day.scales
    hours = piece.slots * scales.step_minutes // 60
    shape = (2, piece.stretch.counts.shape[0], piece.until - piece.first)
    beyond, quiet = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    observed, expected, measured = piece.window(scales.fresh)
    known = (measured > 0) & (expected > 0)
    number = len(scales.sudden)
    whole, likely, seen = piece.window(scales.lasting[0])
    for direction in range(2):
        beyond[direction] = known & _beyond(observed + 0.5, expected + 0.5, direction, day.least, FRESH_PART)
        tau_square = (
            day.spread.tau[direction, :, number][:, hours] ** 2
            + larger_extra(piece.extra, scales.lasting[0], piece.first) ** 2
        )
        score = score_of(whole, likely, tau_square) * (1.0, -1.0)[direction]
        quiet[direction] = (seen > 0) & (likely > 0) & (score < CALM_SCORE)
    return beyond, quiet


def _silence(piece: Piece, day: Standard, level_spread: Array) -> tuple[Flags, Index, Flags, Flags]:
    """(silent, rows of nothing so far, something is heard, nothing although much was expected), each (series, rows)."""
    stretch, first, until = piece.stretch, piece.first, piece.until
    known = np.isfinite(stretch.counts) & np.isfinite(stretch.expected)
    something = known & (stretch.counts > 0)
    last = np.maximum.accumulate(np.where(something, np.arange(until)[None, :], -1), axis=1)[:, first:]
    here = np.arange(first, until)[None, :]
    # The least that is ever expected promises nothing: a source that was never seen is not silent.
    hoped = running_sum(np.where(known & (stretch.expected > EXPECTED_MIN + QUANTUM), stretch.expected, 0.0))
    expected = hoped[:, first + 1 :] - np.take_along_axis(hoped, last + 1, axis=1)
    rows = stretch.measured_sum[:, first + 1 :] - np.take_along_axis(stretch.measured_sum, last + 1, axis=1)
    promised = expected * np.exp(-SILENCE_SPREADS * np.minimum(level_spread, 1.0))
    empty_row = known[:, first:] & (stretch.counts[:, first:] == 0)
    silent = empty_row & (rows >= day.scales.silence_rows_min) & (promised >= day.least.silence_min)
    observed, likely, measured = piece.window(day.scales.fresh)
    heard = (measured > 0) & (observed > SILENCE_OVER_PART * likely) & something[:, first:]
    empty = empty_row & (stretch.expected[:, first:] > ZERO_ROW_EXPECTED)
    return silent, np.asarray(here - last), heard, empty
