"""A day to come from days that are like it: a mean by minute and an interval from 10 to 90 %. Pure; knows nothing after its last day.

1. The *effect* of a kind of day (its kind in the school calendar, and its weekday) and the *level*, which wanders, make up a day's visits.
   Both are estimated from the last ten weeks; the level is that of the last days, which follow a step within a few days.
2. The *curve* is that of days like it: of the same kind, those of the same weekday and younger ones more.
3. The *interval*: by how much the level was wrong so many days ahead, how much quarters of an hour scatter around the curve, and the heaps
   in which visits come.

The days of a rentrée have none like them: theirs are the same days after the rentrée of the year before, at this year's level. A kind of
day that did not come for ten weeks (the first days of the summer) is told from last year's, in the same way.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from streams.history import DayType

Values = NDArray[np.float64]
#: A kind of day in the school calendar, of one zone or of several.
Kind = tuple[DayType, ...]

DAY_MINUTES = 1440
QUARTER = 15
LIKE_DAYS_BACK = 70
LIKE_DAYS_MAX = 12
#: A day three weeks older counts half.
HALF_LIFE_DAYS = 21.0
#: How much of each day's surprise the level takes over.
LEVEL_TRUST = 0.35
#: Standard deviations from the mean to the 10th or 90th percentile.
TO_DECILE = 1.2816
#: A day as a whole is never known better than this; a rentrée from one other never better than that.
DAY_SPREAD_MIN, UNSURE_SPREAD_MIN, RENTREE_SPREAD_MIN = 0.02, 0.15, 0.20
#: Nor worse than this, of days like it: levels that leap, as over a summer, are no measure of a day of school.
DAY_SPREAD_MAX = 0.30
#: Days from the rentrée on that are compared with those of the rentrée before.
RENTREE_DAYS = 7
YEAR_DAYS = 364
#: Days of last year that a kind of day is told from: so far from the same date, so many of them.
YEAR_AROUND_DAYS, YEAR_LIKE_MAX = 28, 4


@dataclass(frozen=True, slots=True)
class KnownDays:
    """Measured days: (series, 1440) visits by minute of the clock in Paris of each; `kind_of` tells a day's kind, `rentree_of` the rentrée
    of the school year that a day belongs to.
    """

    days: Mapping[date, Values]
    kind_of: Callable[[date], Kind]
    rentree_of: Callable[[date], date | None]

    def until(self, last: date) -> "KnownDays":
        """What was known at the end of a day."""
        return replace(self, days={day: values for day, values in self.days.items() if day <= last})


@dataclass(frozen=True, slots=True)
class Outlook:
    """A day to come: `mean`, `lower` and `upper` (series, 1440) by minute; by quarter of an hour the interval is `quarters()`.

    `like` are the days that it is from, `notes` what makes it less sure. The interval is `width` times as wide as the formula's.
    """

    day: date
    mean: Values
    heaps: Values
    spread: Values
    like: tuple[date, ...]
    notes: tuple[str, ...]
    width: float = 1.0

    @property
    def lower(self) -> Values:
        """One in ten lies below."""
        return np.maximum(self.mean - self._reach(self.mean), 0.0)

    @property
    def upper(self) -> Values:
        """One in ten lies above."""
        return self.mean + self._reach(self.mean)

    def whole_day(self) -> tuple[Values, Values, Values]:
        """Mean, lower and upper of the whole day, (series,)."""
        mean = self.mean.sum(axis=1)
        reach = self.width * TO_DECILE * self.spread * mean
        return mean, np.maximum(mean - reach, 0.0), mean + reach

    def quarters(self) -> tuple[Values, Values, Values]:
        """Mean, lower and upper of each quarter of an hour, (series, 96)."""
        mean = _quarters(self.mean)
        reach = self._reach(mean)
        return mean, np.maximum(mean - reach, 0.0), mean + reach

    def _reach(self, mean: Values) -> Values:
        return self.width * TO_DECILE * np.sqrt(self.heaps[:, None] * mean + (self.spread[:, None] * mean) ** 2)


def outlook(known: KnownDays, day: date) -> Outlook | None:
    """What to expect of a day, None where nothing like it is known."""
    rentree = known.rentree_of(day)
    if rentree is not None and 0 <= (day - rentree).days < RENTREE_DAYS:
        return _after_rentree(known, day, rentree)
    past = known.until(day - timedelta(days=1))
    like = _like(past, day)
    is_of_kind = any(known.kind_of(one) == known.kind_of(day) for one in like)
    if not is_of_kind and (found := _of_last_year(past, day)):
        return found
    if not like:
        return None
    total, wrong = _total(past, day)
    notes: tuple[str, ...] = ()
    if not is_of_kind:
        notes = ("no day of its kind is known: from its weekday alone",)
    elif len(like) < 3:
        notes = (f"only {len(like)} day(s) like it: less sure than usual",)
    return _made(
        day,
        [past.days[one] for one in like],
        _weights(like, day),
        total,
        (like, notes, max(UNSURE_SPREAD_MIN if notes else DAY_SPREAD_MIN, min(wrong, DAY_SPREAD_MAX))),
    )


def _total(known: KnownDays, day: date) -> tuple[float, float]:
    """The visits of a day, all series together, and how wrong (as a part of it) such a total was so many days ahead."""
    days = sorted(one for one in known.days if one >= day - timedelta(days=LIKE_DAYS_BACK))
    logs = np.log(np.array([max(float(known.days[one].sum()), 1.0) for one in days]))
    keys = [(known.kind_of(one), one.weekday()) for one in days]
    level = np.full(len(logs), np.median(logs))  # not their own course: a fortnight of holidays is no level
    effects: dict[tuple[Kind, int], float] = {}
    for _round in range(3):
        by_key: dict[tuple[Kind, int], list[float]] = {}
        for key, rest in zip(keys, (logs - level).tolist(), strict=True):
            by_key.setdefault(key, []).append(rest)
        effects = {key: float(np.median(found)) for key, found in by_key.items()}
        level = _rolling(logs - np.array([effects[key] for key in keys]))
    told = logs - np.array([effects[key] for key in keys])
    followed = list(itertools.accumulate(told.tolist(), lambda level, each: level + LEVEL_TRUST * (each - level)))
    ahead = min((day - days[-1]).days, len(told) - 1)
    errors = told[ahead:] - np.array(followed[: len(told) - ahead]) if ahead else np.zeros(1)
    wrong = 1.4826 * float(np.median(np.abs(errors[-28:] - np.median(errors[-28:]))))
    key = (known.kind_of(day), day.weekday())
    like = ([effect for other, effect in effects.items() if other[part] == key[part]] for part in (0, 1))
    effect = effects.get(key, float(np.mean(next(filter(None, like), [0.0]))))  # else of its kind, else of its weekday
    return float(np.exp(effect + followed[-1])), wrong


def _rolling(values: Values) -> Values:
    """The median of each day and the three on either side."""
    padded = np.pad(values, 3, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1))


def _like(known: KnownDays, day: date) -> tuple[date, ...]:
    kind, oldest = known.kind_of(day), day - timedelta(days=LIKE_DAYS_BACK)
    found = [one for one in known.days if oldest <= one < day and known.kind_of(one) == kind]
    if set(kind) == {DayType.UNKNOWN} or not found:  # no calendar, or the first of its kind: the same weekday
        same = [one for one in known.days if oldest <= one < day and one.weekday() == day.weekday()]
        found = [one for one in same if known.kind_of(one) == kind] or same
    found.sort(key=lambda one: (one.weekday() != day.weekday(), day - one))
    return tuple(sorted(found[:LIKE_DAYS_MAX]))


def _weights(like: tuple[date, ...], day: date) -> Values:
    age = np.array([(day - one).days for one in like], np.float64)
    same = np.array([2.0 if one.weekday() == day.weekday() else 1.0 for one in like])
    weights = same * 0.5 ** (age / HALF_LIFE_DAYS)
    return np.asarray(weights / weights.sum())


def _after_rentree(known: KnownDays, day: date, rentree: date) -> Outlook | None:
    before = known.rentree_of(rentree - timedelta(days=60))
    then = before + (day - rentree) if before else None
    # A rentrée on another weekday: its weekend is no day of school.
    if then is None or then not in known.days or (then.weekday() >= 5) is not (day.weekday() >= 5):
        return None
    return _from_last_year(known, day, (then,), ("from the rentrée before alone", rentree), RENTREE_SPREAD_MIN)


def _of_last_year(known: KnownDays, day: date) -> Outlook | None:
    """A kind of day that did not come lately: last year's around the same date, those of the same weekday where there are any."""
    then, kind = day - timedelta(days=YEAR_DAYS), known.kind_of(day)
    found = [one for one in known.days if abs((one - then).days) <= YEAR_AROUND_DAYS and known.kind_of(one) == kind]
    found = [one for one in found if one.weekday() == day.weekday()] or found
    if set(kind) == {DayType.UNKNOWN} or not found:
        return None
    like = tuple(sorted(sorted(found, key=lambda one: (abs((one - then).days), one))[:YEAR_LIKE_MAX]))
    return _from_last_year(known, day, like, ("from last year's days of its kind alone", day), UNSURE_SPREAD_MIN)


def _from_last_year(
    known: KnownDays, day: date, like: tuple[date, ...], told: tuple[str, date], spread_min: float
) -> Outlook | None:
    """At this year's level: that of the ten weeks before the date told against the same weeks a year ago."""
    note, since = told
    grown = [
        (known.days[one].sum(), known.days[one - timedelta(days=YEAR_DAYS)].sum())
        for one in known.days
        if one >= since - timedelta(days=LIKE_DAYS_BACK) and one - timedelta(days=YEAR_DAYS) in known.days
    ]
    now, earlier = (float(sum(side)) for side in zip(*grown, strict=True)) if grown else (1.0, 1.0)
    is_known = bool(grown) and earlier > 0
    level = now / earlier if is_known else 1.0
    said = f"at {level:.2f} times last year's level" if is_known else "this year's level is not known"
    table = [known.days[one] for one in like]
    total = level * float(np.mean([values.sum() for values in table]))
    return _made(day, table, np.full(len(like), 1 / len(like)), total, (like, (note, said), spread_min))


def _made(
    day: date,
    table: Sequence[Values],
    weights: Values,
    total: float,
    told: tuple[tuple[date, ...], tuple[str, ...], float],
) -> Outlook:
    like, notes, of_day = told
    sums = np.array([max(float(values.sum()), 1.0) for values in table])
    curve = np.einsum("d,dsm->sm", weights / sums, np.stack(table))
    # Around each like day's own total: heaps where little happens, the curve where much does.
    expected = _quarters(curve)
    scale = float(np.sum(weights * sums))
    rest = sum(
        weight * (_quarters(values) - expected * own) ** 2 / own**2
        for weight, values, own in zip(weights, table, sums, strict=True)
    )
    rest = np.asarray(rest) * scale**2 * len(like) / max(len(like) - 1, 1)
    expected = expected * scale
    busy = expected >= np.median(expected, axis=1, keepdims=True)
    calm = np.where(busy, 0.0, expected).sum(axis=1)
    heaps = np.maximum(np.where(busy, 0.0, rest).sum(axis=1) / np.maximum(calm, 1e-9), 1.0)
    left = np.where(busy, rest - heaps[:, None] * expected, 0.0).sum(axis=1)
    of_curve = np.maximum(left, 0.0) / np.maximum(np.where(busy, expected**2, 0.0).sum(axis=1), 1e-9)
    return Outlook(day, _smooth(curve) * total, heaps, np.sqrt(of_day**2 + of_curve), like, notes)


def summed(outlooks: Sequence[Outlook]) -> Outlook:
    """All of several as one series: what they are wrong about as wholes, they are wrong about together."""
    means = [one.mean.sum(axis=1) for one in outlooks]
    whole = max(float(sum(mean.sum() for mean in means)), 1e-9)
    heaps, spread = (
        np.array([sum(float((values * mean).sum()) for values, mean in zip(column, means, strict=True)) / whole])
        for column in ([one.heaps for one in outlooks], [one.spread for one in outlooks])
    )
    like = tuple(sorted({day for one in outlooks for day in one.like}))
    times = Counter(note for one in outlooks for note in one.notes)
    # The levels of single regions say nothing of all.
    notes = tuple(
        note if number == len(outlooks) else f"{note}, for {number} of {len(outlooks)}"
        for note, number in times.items()
        if number == len(outlooks) or not note.startswith("at ")
    )
    mean = np.sum([one.mean.sum(axis=0) for one in outlooks], axis=0)[None]
    return Outlook(outlooks[0].day, mean, np.maximum(heaps, 1.0), spread, like, notes, outlooks[0].width)


def _quarters(values: Values) -> Values:
    return np.asarray(values.reshape(*values.shape[:-1], -1, QUARTER).sum(axis=-1))


def _smooth(mean: Values) -> Values:
    """Each minute with the five on either side, so that what a few days have by chance does not look like a pattern."""
    padded = np.pad(mean, ((0, 0), (5, 5)), mode="edge")
    return np.stack([np.convolve(row, np.ones(11) / 11, "valid") for row in padded])
