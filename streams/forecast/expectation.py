"""A day to come from days that are like it: a mean by minute and an interval from 10 to 90 %. Pure; knows nothing after its last day.

1. *Like* are days of the same kind in the school calendar (those of the same weekday count double), of the last ten weeks, younger ones
   more. The days of a rentrée have none: theirs are the same days after the rentrée of the year before.
2. The *level*: by how much the last days differ from what their own like days told, half of it.
3. The *interval*: how much like days differ from one another as wholes, how much their quarters of an hour scatter around their own curve,
   and the heaps in which visits come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from streams.history import DayType

Values = NDArray[np.float64]
Kind = tuple[DayType, int | None]

DAY_MINUTES = 1440
QUARTER = 15
LIKE_DAYS_BACK = 70
LIKE_DAYS_MAX = 12
#: A day three weeks older counts half.
HALF_LIFE_DAYS = 21.0
#: The last measured days that tell the level, and how much of what they tell is believed.
LEVEL_DAYS, LEVEL_TRUST = 6, 0.5
#: Standard deviations from the mean to the 10th or 90th percentile.
TO_DECILE = 1.2816
#: A day as a whole is never known better than this; a rentrée from one other never better than that.
DAY_SPREAD_MIN, RENTREE_SPREAD_MIN = 0.02, 0.20
#: Days from the rentrée on that are compared with those of the rentrée before.
RENTREE_DAYS = 7
YEAR_DAYS = 364


@dataclass(frozen=True, slots=True)
class KnownDays:
    """Measured days: (series, 1440) visits by minute of the clock in Paris of each; `kind_of` tells a day's kind, `rentree_of` the rentrée
    of the school year that a day belongs to.
    """

    days: Mapping[date, Values]
    kind_of: Callable[[date], DayType]
    rentree_of: Callable[[date], date | None]

    def until(self, last: date) -> KnownDays:
        """What was known at the end of a day."""
        return KnownDays(
            {day: values for day, values in self.days.items() if day <= last}, self.kind_of, self.rentree_of
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """A day to come: `mean`, `lower` and `upper` (series, 1440) by minute; by quarter of an hour the interval is `quarters()`.

    `like` are the days that it is from, `notes` what makes it less sure.
    """

    day: date
    mean: Values
    heaps: Values
    spread: Values
    like: tuple[date, ...]
    notes: tuple[str, ...]

    @property
    def lower(self) -> Values:
        """One in ten lies below."""
        return np.maximum(self.mean - self._reach(self.mean), 0.0)

    @property
    def upper(self) -> Values:
        """One in ten lies above."""
        return self.mean + self._reach(self.mean)

    def quarters(self) -> tuple[Values, Values, Values]:
        """Mean, lower and upper of each quarter of an hour, (series, 96)."""
        mean = _quarters(self.mean)
        reach = self._reach(mean)
        return mean, np.maximum(mean - reach, 0.0), mean + reach

    def _reach(self, mean: Values) -> Values:
        return TO_DECILE * np.sqrt(self.heaps[:, None] * mean + (self.spread[:, None] * mean) ** 2)


def outlook(known: KnownDays, day: date) -> Outlook | None:
    """What to expect of a day, None where nothing like it is known."""
    rentree = known.rentree_of(day)
    if rentree is not None and 0 <= (day - rentree).days < RENTREE_DAYS:
        return _after_rentree(known, day, rentree)
    like = _like(known, day)
    if not like:
        return None
    weights = _weights(like, day)
    level, notes = _level(known), []
    if len(like) < 3:
        notes.append(f"only {len(like)} day(s) like it: less sure than usual")
    table = np.stack([known.days[one] for one in like])
    return _made(day, table, weights, level, (like, tuple(notes), DAY_SPREAD_MIN))


def _like(known: KnownDays, day: date) -> tuple[date, ...]:
    kind, oldest = known.kind_of(day), day - timedelta(days=LIKE_DAYS_BACK)
    found = [one for one in known.days if oldest <= one < day and known.kind_of(one) is kind]
    if kind is DayType.UNKNOWN or len(found) < 2:  # no calendar, or the first of its kind: the same weekday
        same = [one for one in known.days if oldest <= one < day and one.weekday() == day.weekday()]
        found = [one for one in same if known.kind_of(one) is kind] or same
    found.sort(key=lambda one: (one.weekday() != day.weekday(), day - one))
    return tuple(sorted(found[:LIKE_DAYS_MAX]))


def _weights(like: tuple[date, ...], day: date) -> Values:
    age = np.array([(day - one).days for one in like], np.float64)
    same = np.array([2.0 if one.weekday() == day.weekday() else 1.0 for one in like])
    weights = same * 0.5 ** (age / HALF_LIFE_DAYS)
    return np.asarray(weights / weights.sum())


def _level(known: KnownDays) -> float:
    """By how much the last days differ, all series together, from what days like them told."""
    ratios = []
    for one in sorted(known.days)[-LEVEL_DAYS:]:
        like = _like(known, one)
        expected = (
            sum(w * known.days[other].sum() for w, other in zip(_weights(like, one), like, strict=True))
            if like
            else 0.0
        )
        total = float(known.days[one].sum())
        if expected > 0 and total > 0:
            ratios.append(np.log(total / expected))
    return float(np.exp(LEVEL_TRUST * np.median(ratios))) if ratios else 1.0


def _after_rentree(known: KnownDays, day: date, rentree: date) -> Outlook | None:
    before = known.rentree_of(rentree - timedelta(days=60))
    then = before + (day - rentree) if before else None
    if then is None or then not in known.days:
        return None
    # A rentrée on another weekday: its weekend is no day of school.
    if (then.weekday() >= 5) is not (day.weekday() >= 5):
        return None
    grown = [
        (known.days[one].sum(), known.days[one - timedelta(days=YEAR_DAYS)].sum())
        for one in known.days
        if one >= rentree - timedelta(days=LIKE_DAYS_BACK) and one - timedelta(days=YEAR_DAYS) in known.days
    ]
    now, earlier = (float(sum(side)) for side in zip(*grown, strict=True)) if grown else (1.0, 1.0)
    notes = ["from the rentrée before alone"]
    notes.append(
        f"at {now / earlier:.2f} times last year's level" if grown and earlier else "this year's level is not known"
    )
    level = now / earlier if grown and earlier else 1.0
    return _made(day, known.days[then][None], np.ones(1), level, ((then,), tuple(notes), RENTREE_SPREAD_MIN))


def _made(
    day: date, table: Values, weights: Values, level: float, told: tuple[tuple[date, ...], tuple[str, ...], float]
) -> Outlook:
    like, notes, spread_min = told
    mean = np.einsum("d,dsm->sm", weights, table)
    quarters = _quarters(table)
    expected = _quarters(mean)
    totals, whole = quarters.sum(axis=2), np.maximum(expected.sum(axis=1), 1e-9)
    share = totals / whole[None]
    more = 1.0 + 1.0 / len(like)
    of_days = more * np.einsum("d,ds->s", weights, (share - 1.0) ** 2)
    # Around each day's own level: heaps where little happens, the shape where much does.
    rest = (quarters - share[:, :, None] * expected[None]) ** 2
    rest = np.einsum("d,dsq->sq", weights, rest) * (len(like) / max(len(like) - 1, 1))
    busy = expected >= np.median(expected, axis=1, keepdims=True)
    calm_sum = np.where(busy, 0.0, expected).sum(axis=1)
    heaps = np.maximum(np.where(busy, 0.0, rest).sum(axis=1) / np.maximum(calm_sum, 1e-9), 1.0)
    left = np.where(busy, rest - heaps[:, None] * expected, 0.0).sum(axis=1)
    of_shape = np.maximum(left, 0.0) / np.maximum(np.where(busy, expected**2, 0.0).sum(axis=1), 1e-9)
    spread = np.sqrt(np.maximum(of_days + of_shape, spread_min**2))
    return Outlook(day, _smooth(mean) * level, heaps, spread, like, notes)


def _quarters(values: Values) -> Values:
    return np.asarray(values.reshape(*values.shape[:-1], -1, QUARTER).sum(axis=-1))


def _smooth(mean: Values) -> Values:
    """Each minute with the five on either side, so that what a few days have by chance does not look like a pattern."""
    kernel = np.ones(11) / 11
    padded = np.pad(mean, ((0, 0), (5, 5)), mode="edge")
    return np.stack([np.convolve(row, kernel, "valid") for row in padded])
