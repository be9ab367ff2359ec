"""How far the rows of a stretch deviate, at every length: window-limited likelihood ratios. Pure.

A window of w rows has O counts observed and E expected. Its score is the signed root of a likelihood ratio: "another mean in this window"
against "as expected". The mean as expected is E times a lognormal factor of spread tau; counting noise comes on top. Tau is learned: it is
how much the series itself wavers over that length. The highest score over the windows is what a CUSUM accumulates, for shifts of every size
at once (window-limited generalised likelihood ratio, Lai 1995).
"""

from dataclasses import dataclass

import numpy as np

from streams.watch.alert_types import Array, Index
from streams.watch.scales import LEVEL_PARTS, Scales

#: Expectations are rounded to this, so that sums do not depend on where a stretch begins.
QUANTUM = 1 / 4096
#: The day so far moves the expectation of sudden windows by at most so many of its own standard deviations.
LEVEL_SPREADS_MAX = 3.5
#: How much of the level of the rows just before is still there in the window.
LEVEL_PART = 0.95
#: What each part of the stretch before it counts, the nearest one first.
LEVEL_WEIGHTS = (0.5, 0.3, 0.2)
#: Part of a window that must be measured.
MEASURED_PART_MIN = 0.5
_TAU_SQUARE_MIN = 1e-6
NEWTON_STEPS = 2


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one panel, in order.

    `counts` and `expected` (series, rows), NaN where there is none; running sums start with a column of 0. `quiet_sum`: of what a drop is
    held against where that is less than what is expected anywhere, else None.
    """

    counts: Array
    expected: Array
    observed_sum: Array
    expected_sum: Array
    measured_sum: Array
    quiet_sum: Array | None = None

    @staticmethod
    def of(counts: Array, expected: Array, quiet: Array | None = None) -> "Stretch":
        """Sums of the rows that are measured and expected."""
        expected = np.round(expected / QUANTUM) * QUANTUM
        known = np.isfinite(counts) & np.isfinite(expected)
        return Stretch(
            counts,
            expected,
            running_sum(np.where(known, counts, 0.0)),
            running_sum(np.where(known, expected, 0.0)),
            running_sum(known.astype(np.float64)),
            None if quiet is None else running_sum(np.where(known, np.round(quiet / QUANTUM) * QUANTUM, 0.0)),
        )

    def window(self, rows: int, first: int, until: int, back: int = 0) -> tuple[Array, Array, Array]:
        """(observed, expected, measured rows) of the `rows` rows that end at each of the rows first..until-1, shifted `back` rows."""
        last, low, number = first - back + 1, first - back + 1 - rows, until - first
        ends: slice | Index = slice(last, last + number)  # views: no copy
        begins: slice | Index = slice(low, low + number)
        if low < 0:
            ends, begins = (np.clip(np.arange(place, place + number), 0, None) for place in (last, low))
        observed, expected, measured = (
            one[:, ends] - one[:, begins] for one in (self.observed_sum, self.expected_sum, self.measured_sum)
        )
        return observed, expected, measured


def running_sum(values: Array) -> Array:
    """Sums of the rows before each, and of all: (series, rows + 1)."""
    return np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of a stretch from `first` on, which are judged. `slots`: their places in the local day; `extra` (rows of the stretch): the
    uncertainty of too few comparable days.
    """

    stretch: Stretch
    slots: Index
    extra: Array
    first: int

    @property
    def until(self) -> int:
        """The row after the last."""
        return int(self.stretch.counts.shape[1])

    def window(self, rows: int, back: int = 0) -> tuple[Array, Array, Array]:
        """`Stretch.window` of the judged rows."""
        return self.stretch.window(rows, self.first, self.until, back)

    def quiet_part(self, rows: int) -> Array | None:
        """(series, judged rows): which part of the expectation of `rows` rows a drop is held against; None where that is all of it."""
        sums, expected = self.stretch.quiet_sum, self.stretch.expected_sum
        if sums is None:
            return None
        begin, until = (
            np.clip(np.arange(self.first, self.until) + 1 - rows, 0, None),
            slice(self.first + 1, self.until + 1),
        )
        total = expected[:, until] - expected[:, begin]
        return np.asarray((sums[:, until] - sums[:, begin]) / np.where(total > 0, total, 1.0))


@dataclass(frozen=True, slots=True)
class LevelSpread:
    """Standard deviations beyond counting noise: `of_day` (series, rows) of the level of a day, `of_part` (series) of a part of it."""

    of_day: Array
    of_part: Array


@dataclass(frozen=True, slots=True)
class SoFar:
    """The rows just before each window, part by part, the nearest one first: log(observed / expected) and the variance of its noise.

    `level` (series, rows): the log factor by which the day runs above what is expected.
    """

    ratios: list[Array]
    noises: list[Array]
    level: Array


def day_so_far(piece: Piece, scales: Scales, spread: LevelSpread, lag: int) -> SoFar:
    """The day as far as it is known before a window of `lag` rows.

    The nearest part of the level counts most; shrunk by what counting noise makes uncertain; bounded by how much days waver.
    """
    parts, noises, counting = [], [], []
    waver = spread.of_part[:, None] ** 2
    for part in range(LEVEL_PARTS):
        observed, expected, measured = piece.window(scales.level_part, lag + part * scales.level_part)
        known = measured >= MEASURED_PART_MIN * scales.level_part
        parts.append(np.where(known, np.log((observed + 0.5) / (expected + 0.5)), 0.0))
        counting.append(np.where(known, 1.0 / (expected + 0.5), 1.0))
        noises.append(counting[-1] + waver)
    weights = np.array(LEVEL_WEIGHTS)[:, None, None]
    middle = (np.stack(parts) * weights).sum(axis=0)
    noise = (np.stack(counting) * weights**2).sum(axis=0)
    square = spread.of_day**2
    limit = LEVEL_SPREADS_MAX * spread.of_day
    return SoFar(parts, noises, np.clip(LEVEL_PART * middle * square / (square + noise), -limit, limit))


def score_of(observed: Array, expected: Array, tau_square: Array) -> Array:
    """Signed root of the Poisson-lognormal likelihood ratio, in standard deviations; all shapes broadcast.

    The mean is E e^(tau u), u standard normal; -2 log likelihood is u^2 + D(u), D the Poisson deviance of O. The score is the root of its
    least value over u, which Newton's method finds. Large counts: log(O/E) / tau. No wavering: the Poisson deviance.
    """
    tau = np.sqrt(np.maximum(tau_square, _TAU_SQUARE_MIN))
    # Sums of expectations are multiples of QUANTUM; those of rows without any are 0.
    safe = np.maximum(expected, QUANTUM)
    # From above the root, where Newton on this convex function never overshoots.
    far = np.where(observed > safe, np.log(np.maximum(observed, safe) / safe), log_error(observed, safe))
    u = tau * far / (tau * tau + 1.0 / (np.maximum(observed, safe) + np.where(observed > safe, 0.0, 0.5)))
    for _ in range(NEWTON_STEPS):
        mean = safe * np.exp(tau * u)
        u -= (u - tau * (observed - mean)) / (1.0 + tau * tau * mean)
        # Where next to nothing is expected a step goes too far, and the next exponential with it; the least value lies below O.
        u = np.minimum(u, np.maximum(np.log((observed + 0.5) / safe), 0.0) / tau)
    mean = safe * np.exp(tau * u)
    plenty = np.maximum(observed, 0.5)
    deviance = 2.0 * (np.where(observed > 0, observed * np.log(plenty / mean), 0.0) - observed + mean)
    return np.asarray(np.sign(observed - safe) * np.sqrt(np.maximum(u * u + deviance, 0.0)))


def allow_for_learning(score: Array, tau_square: Array, known_square: Array, days: float) -> Array:
    """The score that is as unlikely where tau was known, although it was learned from so many days: Student's t for the normal.

    `known_square`: the rest of the variance, which needs no learning. Degrees of freedom by Welch and Satterthwaite.
    """
    part = tau_square / (tau_square + known_square)
    free = days / (part * part)
    return np.asarray(np.sign(score) * np.sqrt(free * np.log1p(score * score / free)))


def log_error(observed: Array, expected: Array) -> Array:
    """log(observed / expected), kept finite for small counts."""
    return np.asarray(np.log((observed + 0.5) / (expected + 0.5)))
