"""What others do, on the same series: five well-known rules, three of them also with the school calendar that we have.

Each gives a score by row and direction; a row is beyond the rule where the score exceeds a threshold, and an alert begins when that holds
for `rows` rows. Thresholds are set by the bench, on the ordinary year, for the budget of false alerts.

- *fixed threshold*: visits against one number a series, the 99.9 % quantile of the year before (and its inverse for drops).
- *mean + k sigma*: the same minute, two neighbours on each side, of the 4 same weekdays before.
- *grafana adaptive*: the rules of grafana/promql-anomaly-detection (rules/adaptive.yml), re-expressed: mean of the last hour, standard
  deviation of the last hour where it exceeds half the mean, averaged over 26 h, a margin of half the mean, bands of a day and a week ago; 5
  minutes. The score is the factor on both multipliers (2 and 0.5) at which the row would be inside; 1 is the rules as published.
- *Farrington flexible* (Noufaily et al. 2013): the same minute +- 3 of the 5 same
weekdays before, quasi-Poisson with trend, reweighted by Anscombe residuals, threshold on the 2/3 power.
- *NB CUSUM* (Höhle and Paul 2008): likelihood ratio of x1.3 (x0.7) against the mean above, negative binomial with the
dispersion of the year before, accumulated, begun anew every two hours.
"""

import datetime
from dataclasses import dataclass

import numpy as np

from streams.watch import Array, DayKeys, Index, KeysOf

WEEKDAYS_MEAN, WEEKDAYS_FARRINGTON, COMPARABLE = 4, 5, 6
CUSUM_UP, CUSUM_DOWN = 1.3, 0.7
#: The CUSUM begins anew so often: over a whole day, one that is busier as a whole would outweigh every surge.
CUSUM_MINUTES = 120
NO_SCORE = -1e9


@dataclass(frozen=True, slots=True)
class Days:
    """Counts by local day and minute, NaN where the clock skips one: (days, 1440); `place` maps rows to (day, minute)."""

    ordinals: Index
    table: Array
    day: Index
    slot: Index

    @staticmethod
    def of(dates: Index, slots: Index, counts: Array) -> "Days":
        """The table of one place."""
        ordinals, day = np.unique(dates, return_inverse=True)
        total, times = np.zeros((len(ordinals), 1440)), np.zeros((len(ordinals), 1440))
        np.add.at(total, (day, slots), counts)
        np.add.at(times, (day, slots), 1.0)
        return Days(ordinals, np.where(times > 0, total / np.maximum(times, 1), np.nan), day, slots)


@dataclass(frozen=True, slots=True)
class Scores:
    """(rows) each way, `NO_SCORE` where the rule has no opinion; an alert needs `rows` rows."""

    up: Array
    down: Array
    rows: int


def all_scores(days: Days, counts: Array, keys_of: KeysOf, first: int) -> dict[str, Scores]:
    """Scores of every rival for the rows from `first` on."""
    weekday = _weekdays(days, 8)
    school = _school_days(days, keys_of)
    from_day = int(days.day[first])
    dispersion = _dispersion(days, school, from_day)
    found = {
        "fixed threshold": _fixed(counts, first),
        "grafana adaptive": _adaptive(counts, first),
    }
    for suffix, lists, mean_days, far_days in (
        ("", weekday, WEEKDAYS_MEAN, WEEKDAYS_FARRINGTON),
        (" + calendar", school, COMPARABLE, COMPARABLE),
    ):
        mean, spread = _by_day(days, lists, mean_days, from_day, _mean_spread)
        observed = days.table[from_day:]
        found[f"mean + k sigma{suffix}"] = _rows(days, first, (observed - mean) / spread, rows=2)
        fit, wide = _by_day(days, lists, far_days, from_day, _farrington)
        power = (np.power(observed, 2 / 3) - np.power(fit, 2 / 3)) / wide
        found[f"Farrington flexible{suffix}"] = _rows(days, first, power, rows=2)
        found[f"NB CUSUM{suffix}"] = _cusum(days, first, observed, mean, dispersion)
    return found


def _weekdays(days: Days, number: int) -> list[list[int]]:
    return [[at - 7 * week for week in range(1, number + 1) if at >= 7 * week] for at in range(len(days.ordinals))]


def _school_days(days: Days, keys_of: KeysOf) -> list[list[int]]:
    """The newest days of the first rung of our own ladder that has two."""
    keys: list[DayKeys] = [keys_of(datetime.date.fromordinal(int(one))) for one in days.ordinals]
    lists = []
    for at, key in enumerate(keys):
        before = range(at - 1, -1, -1)
        rungs = ([day for day in before if keys[day].name in names][:COMPARABLE] for names in key.ladder)
        lists.append(next((rung for rung in rungs if len(rung) >= 2), []))
    return lists


def _by_day(days: Days, lists: list[list[int]], number: int, first: int, fit: object) -> tuple[Array, Array]:
    centres, spreads = [], []
    for at in range(first, len(days.ordinals)):
        past = lists[at][:number]
        if len(past) < 2:
            centre = spread = np.full(1440, np.nan)
        else:
            centre, spread = fit(days.table[past], np.array([at - one for one in past], dtype=np.float64))  # type: ignore[operator]
        centres.append(centre)
        spreads.append(spread)
    return np.stack(centres), np.stack(spreads)


def _windows(table: Array, half: int) -> Array:
    """(days, 1440, 2 half + 1): each minute with its neighbours."""
    padded = np.pad(table, ((0, 0), (half, half)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=1)


def _mean_spread(past: Array, _ages: Array) -> tuple[Array, Array]:
    values = _windows(past, 2).transpose(1, 0, 2).reshape(1440, -1)
    known = np.isfinite(values)
    number = np.maximum(known.sum(axis=1), 2)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=1) / number
    square = np.where(known, (filled - mean[:, None]) ** 2, 0.0).sum(axis=1) / (number - 1)
    return mean, np.sqrt(np.maximum(square, mean + 1.0))


def _farrington(past: Array, ages: Array) -> tuple[Array, Array]:
    """(mean expected today, standard deviation of its 2/3 power); quasi-Poisson with log link and a linear trend over the ages."""
    values = np.nan_to_num(_windows(past, 3).transpose(1, 0, 2).reshape(1440, -1))
    time = np.repeat(-ages / max(ages.max(), 1.0), 7)[None, :]
    weight = np.ones_like(values)
    for _ in range(2):
        fit, variance = _quasi_poisson(values, time, weight)
        dispersion = (weight * (values - fit) ** 2 / fit).sum(axis=1) / np.maximum(weight.sum(axis=1) - 2, 1.0)
        dispersion = np.maximum(dispersion, 1.0)[:, None]
        anscombe = 1.5 * (values ** (2 / 3) - fit ** (2 / 3)) / (fit ** (1 / 6) * np.sqrt(dispersion))
        weight = np.where(anscombe > 2.58, np.maximum(anscombe, 2.58) ** -2, 1.0)
    mean, leverage = variance
    # An extrapolated trend beyond what was ever seen is not used.
    mean = np.minimum(mean, values.max(axis=1))
    mean = np.maximum(mean, 0.05)
    phi = dispersion[:, 0]
    return mean, np.sqrt(4 / 9 * mean ** (1 / 3) * phi * (1.0 + mean * leverage))


def _quasi_poisson(values: Array, time: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    """Fitted means of the past; (mean, variance of its logarithm over phi) at time 0, today."""
    eta = np.log(np.maximum(values, 0.5))
    fit = np.exp(eta)
    for _ in range(4):
        heft = weight * fit
        working = eta + (values - fit) / fit
        s0, s1, s2 = heft.sum(1), (heft * time).sum(1), (heft * time * time).sum(1)
        t0, t1 = (heft * working).sum(1), (heft * working * time).sum(1)
        det = np.maximum(s0 * s2 - s1 * s1, 1e-9)
        intercept, slope = (s2 * t0 - s1 * t1) / det, (s0 * t1 - s1 * t0) / det
        eta = np.clip(intercept[:, None] + slope[:, None] * time, -5, 14)
        fit = np.exp(eta)
    return fit, (np.exp(np.clip(intercept, -5, 14)), s2 / det)


def _dispersion(days: Days, lists: list[list[int]], until: int) -> float:
    """alpha of Var = mu + alpha mu^2, from every eighth day of the year before. A median, and days comparable by the
    calendar: with the same weekdays holidays would make it so wide that nothing scored."""
    values = []
    for at in range(max(until - 330, 28), until, 8):
        past = lists[at][:WEEKDAYS_MEAN]
        if len(past) < 2:
            continue
        mean, _ = _mean_spread(days.table[past], np.zeros(len(past)))
        large = (mean > 20) & np.isfinite(days.table[at])
        values.append(((days.table[at] - mean) ** 2 - mean)[large] / mean[large] ** 2)
    found = np.concatenate(values) if values else np.zeros(0)
    # The median of a squared normal deviation is 0.455 of its mean.
    return float(max(np.median(found) / 0.455, 1e-3)) if len(found) else 0.01


def _cusum(days: Days, first: int, observed: Array, mean: Array, alpha: float) -> Scores:
    sides = []
    base = np.maximum(mean, 0.05)
    for factor in (CUSUM_UP, CUSUM_DOWN):
        ratio = (1 + alpha * factor * base) / (1 + alpha * base)
        step = observed * np.log(factor) - (observed + 1 / alpha) * np.log(ratio)
        pieces = np.where(np.isfinite(step), step, 0.0).reshape(len(step), -1, CUSUM_MINUTES)
        total = np.cumsum(pieces, axis=2)
        total -= np.minimum(np.minimum.accumulate(total, axis=2), 0.0)
        sides.append(np.where(np.isfinite(mean), total.reshape(step.shape), NO_SCORE))
    return Scores(_pick(days, first, sides[0]), _pick(days, first, sides[1]), 1)


def _fixed(counts: Array, first: int) -> Scores:
    high = np.quantile(counts[:first], 0.999)
    now = counts[first:]
    return Scores(now / high, high / (now + 1.0), 2)


def _adaptive(counts: Array, first: int) -> Scores:
    seen = np.where(counts > 0, counts, np.nan)  # the rules select what is above 0
    mean, spread = _trailing(seen, 60)
    wide = np.where(spread > 0.5 * mean, spread, np.nan)
    short, _ = _trailing(wide, 26 * 60)
    lasts = [np.arange(len(counts)) // 5 * 5 - offset for offset in (10050, 1410)]  # 167 h 30 min, 23 h 30 min
    up, down = [], []
    with np.errstate(all="ignore"):
        for centre, reach in (
            (mean, 2 * short),
            (mean, 0.5 * mean),
            *((_at(mean, rows), 2 * _at(spread, rows)) for rows in lasts),
        ):
            up.append((seen - centre) / reach)
            down.append((centre - seen) / reach)
        best = [np.fmin.reduce(side)[first:] for side in (up, down)]
    high, low = (np.where(np.isfinite(one), one, NO_SCORE) for one in best)
    return Scores(high, low, rows=5)


def _at(values: Array, rows: Index) -> Array:
    return np.where(rows >= 0, values[np.maximum(rows, 0)], np.nan)


def _trailing(values: Array, rows: int) -> tuple[Array, Array]:
    """Mean and standard deviation of the last `rows` rows, of those that are known."""
    known = np.isfinite(values)
    sums = [np.concatenate([[0.0], np.cumsum(np.where(known, values**power, 0.0))]) for power in (0, 1, 2)]
    low = np.maximum(np.arange(len(values)) + 1 - rows, 0)
    number, total, square = (one[1:] - one[low] for one in sums)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean, np.sqrt(np.maximum(square / np.maximum(number, 1) - mean**2, 0.0))


def _rows(days: Days, first: int, score: Array, rows: int) -> Scores:
    return Scores(_pick(days, first, score), _pick(days, first, -score), rows)


def _pick(days: Days, first: int, table: Array) -> Array:
    found = table[days.day[first:] - int(days.day[first]), days.slot[first:]]
    return np.where(np.isfinite(found), found, NO_SCORE)
