"""What a day should look like: a robust centre of comparable days, moved to the level of the latest ones. Pure."""

import datetime
from dataclasses import dataclass

import numpy as np

from streams.watch.alert_types import Array, Flags
from streams.watch.comparable_days import DayKeys
from streams.watch.scales import HOURS
from streams.watch.store import Past

#: Comparable days that are averaged at one rung, the newest ones, and how old they may be.
COMPARABLE_DAYS_MAX = 8
COMPARABLE_AGE_DAYS_MAX = 400
#: With so many days of the first rung the others are not asked; with so many of another a day without any of the first is judged.
ENOUGH_DAYS, JUDGED_DAYS_MIN = 4, 2
#: What a rung adds to the uncertainty, as a standard deviation of log(observed / expected).
RUNG_SPREAD = (0.0, 0.3, 0.5)
#: ... and what a single comparable day adds; of several, that over their number.
ONE_DAY_SPREAD = 0.3
#: A day of the next rung counts for so much of one.
SUPPORT_PART = 0.25
#: ... and what it adds when the newest of them is older than so many days: the level may have moved since.
STALE_DAYS, STALE_SPREAD = 21, 0.12
#: Days that are less sure than this tell nothing of the spread of others.
TELLING_EXTRA_MAX = 0.35
#: Rows are left out of later baselines only if their own stood on so many comparable days.
SURE_DAYS = 3
#: What was judged on all of the newest comparable days is no exception any more.
NEWEST_DAYS = 3
#: With so many days of one name, those far from the densest half of them are left out: further than so many of its widths, and further
#: than counting noise is likely to go (on a square-root scale, where it is 1/2 everywhere).
DENSE_DAYS_MIN, NEAR_WIDTHS, NEAR_ROOTS = 4, 2.0, 1.25
#: The level: days that are looked at, and how fast it forgets (days, e-fold).
LEVEL_DAYS = 400
LEVEL_FORGET_DAYS = 4.0
LEVEL_BLUR_DAYS = 5.0
#: Days of the last weeks whose middle tells which of them is strange, and how few tell nothing.
HUBER_DAYS, HUBER_DAYS_MIN, HUBER_AGE_DAYS = 7, 5, 21
#: Values of a slot are drawn in to so many (Poisson) standard deviations around their trimmed mean.
WINSOR_SPREADS = 3.0
#: Smoothing along the day goes on until a slot stands on so many counts.
COUNTS_ENOUGH = 300.0
SMOOTH_WIDTHS = ((30, (1,)), (6, (1, 3)), (2, (1, 3, 7)), (0, (1, 5, 15, 31)))
SMOOTH_SPREADS = 2.5
#: The least that is ever expected in a row.
EXPECTED_MIN = 0.02


@dataclass(frozen=True, slots=True)
class Baseline:
    """`expected` (series, slots), NaN without any comparable day. `extra` standard deviation that missing comparable days
    add; `days` of the first rung; `learning`: too few to leave anything out of later baselines; `judged` False: too few to
    say anything; `telling`: enough for its errors to tell the spread. `quiet` (series, slots): what the quietest comparable day
    promises, by what it had over an hour around each slot, at most `expected`; None with too few days.
    """

    expected: Array
    extra: float
    days: int
    learning: bool
    judged: bool
    telling: bool = False
    quiet: Array | None = None


def make_baseline(past: Past, date: datetime.date, keys: DayKeys, slots: int, heap: Array) -> Baseline:
    """The expectation for `date` from days before it; `heap` (series): how many counts come together."""
    rungs = _rungs(past, date, keys)
    if not any(rungs[: keys.last_rung + 1]):
        return Baseline(np.full((len(heap), slots), np.nan), 1.0, 0, True, False)
    level = _Level(past, date, keys)
    expected: Array | None = None
    quiet: Array | None = None
    extra, first = 0.0, len(rungs[0])
    for rung in range(len(rungs) - 1, -1, -1):
        days = rungs[rung]
        if not days or (rung and first >= ENOUGH_DAYS):
            continue
        counts, told = _at_today(past, days, level, heap)
        centre, number = _centre(np.where(told, np.nan, counts), heap, alike=rung == 0)
        if rung == 0:
            quiet = _quiet(counts * heap[:, None, None], centre)
        if expected is None:
            expected, extra = centre, RUNG_SPREAD[rung] + ONE_DAY_SPREAD / len(days)
        else:
            # The less there is of this rung, the more the next one is heard: as if it were one more day.
            mixed = (number * centre + _scaled(expected, centre)) / (number + 1.0)
            expected = np.where(np.isfinite(mixed), mixed, np.where(np.isfinite(centre), centre, expected))
            support = len(days) + SUPPORT_PART * len(rungs[rung + 1])
            extra = min(extra, RUNG_SPREAD[rung] + ONE_DAY_SPREAD / support)
    assert expected is not None
    if first >= ENOUGH_DAYS:
        extra = 0.0
    judged = first > 0 or any(len(days) >= JUDGED_DAYS_MIN for days in rungs)
    newest = max(past.days[days[0]].date for days in rungs if days)
    stale = STALE_SPREAD if (date - newest).days > STALE_DAYS else 0.0
    extra = float(np.sqrt(extra**2 + keys.extra**2 + stale**2))
    expected = np.maximum(expected, EXPECTED_MIN)
    telling = judged and keys.extra < TELLING_EXTRA_MAX
    low = None if quiet is None else expected * quiet
    return Baseline(expected, extra, first, first < SURE_DAYS, judged, telling, low)


def quiet_of(baseline: Baseline, recurs: Flags) -> Array:
    """(series, slots) what a drop is held against: in `recurs` (series, hours), where surges recur, the quietest comparable day."""
    if baseline.quiet is None or not recurs.any():
        return baseline.expected
    slots = baseline.expected.shape[1]
    here = recurs[:, np.arange(slots) * HOURS // slots]
    return np.where(here, np.fmin(baseline.expected, baseline.quiet), baseline.expected)


def _rungs(past: Past, date: datetime.date, keys: DayKeys) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in keys.ladder]
    for index in range(len(past.days) - 1, -1, -1):
        if (date - past.days[index].date).days > COMPARABLE_AGE_DAYS_MAX or len(found[0]) == COMPARABLE_DAYS_MAX:
            break
        name = past.days[index].keys.name
        for rung, names in enumerate(keys.ladder):
            if name in names:
                if len(found[rung]) < COMPARABLE_DAYS_MAX:
                    found[rung].append(index)
                break
    return found


def _at_today(past: Past, days: list[int], level: "_Level", heap: Array) -> tuple[Array, Flags]:
    """(series, days, slots): counts of the days at today's level, in events, and where they are no part of the expectation."""
    stacked = np.stack([past.days[index].counts for index in days], axis=1).astype(np.float64)
    told = np.stack([past.days[index].judged for index in days], axis=1)
    usual = told[:, :NEWEST_DAYS].sum(axis=1) >= NEWEST_DAYS
    stacked *= np.stack([level.to_today(index) for index in days], axis=1)[:, :, None] / heap[:, None, None]
    return stacked, told & ~usual[:, None, :]


def _quiet(counts: Array, centre: Array) -> Array | None:
    """(series, slots) what part of `centre` the quietest day has, at most 1; None with too few days."""
    if counts.shape[1] < DENSE_DAYS_MIN:
        return None
    low = _hour_roots(counts).min(axis=1)
    middle = _hour_roots(centre[:, None, :])[:, 0]
    known = np.isfinite(low) & np.isfinite(middle)
    ratio = np.where(known, low, 1.0) / np.maximum(np.where(known, middle, 1.0), 1e-9)
    return np.asarray(np.minimum(ratio, 1.0) ** 2)


def _centre(stacked: Array, heap: Array, alike: bool) -> tuple[Array, Array]:
    """Robust mean of the days of (series, days, slots), smoothed; and on how many days each slot stands."""
    if alike:
        stacked = _of_most_days(stacked)
    number = np.isfinite(stacked).sum(axis=1)
    stacked.sort(axis=1)  # NaN last
    trim = np.where(number == 3, 1, number // 4)
    place = np.arange(stacked.shape[1])[None, :, None]
    inside = (place >= trim[:, None, :]) & (place < (number - trim)[:, None, :])
    kept = number - 2 * trim
    total = np.where(inside, stacked, 0.0).sum(axis=1)
    trimmed = (total / np.maximum(kept, 1))[:, None, :]
    # A trimmed mean of small counts lies below their mean: what counting explains is let in again.
    near = WINSOR_SPREADS * np.sqrt(trimmed + 1.0) + 1.0
    clipped = np.clip(stacked, trimmed - near, trimmed + near)
    total = np.where(np.isfinite(clipped), clipped, 0.0).sum(axis=1)
    centre = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return _smooth(centre, number) * heap[:, None], number.astype(np.float64)


def _of_most_days(stacked: Array) -> Array:
    """(series, days, slots) without what lies far from the densest half of the days, over an hour around each slot.

    So an event that recurs on fewer than half of them is not expected. On a square-root scale, where counting noise is 1/2 everywhere.
    """
    number = stacked.shape[1]
    if number < DENSE_DAYS_MIN:
        return stacked
    half = number // 2
    root = _hour_roots(stacked)
    ordered = np.sort(root, axis=1)
    with np.errstate(invalid="ignore"):
        widths = ordered[:, half - 1 :] - ordered[:, : number - half + 1]
    widths = np.where(np.isfinite(widths), widths, np.inf)
    at = widths.argmin(axis=1)[:, None, :]
    dense = np.take_along_axis(widths, at, axis=1)
    low, high = np.take_along_axis(ordered, at, axis=1), np.take_along_axis(ordered, at + half - 1, axis=1)
    with np.errstate(invalid="ignore"):
        middle, reach = (low + high) / 2.0, np.maximum(NEAR_ROOTS, NEAR_WIDTHS * dense)
        for _ in range(2):  # two days may be alike by chance: their middle is moved to that of the days around it
            near = np.abs(root - middle) <= reach
            middle = np.where(near, root, 0.0).sum(axis=1, keepdims=True) / np.maximum(
                near.sum(axis=1, keepdims=True), 1
            )
        near = np.abs(root - middle) <= reach
    return np.where(near | ~np.isfinite(dense), stacked, np.nan)


def _hour_roots(stacked: Array) -> Array:
    """Roots of the sums over an hour around each slot of (series, days, slots), infinite where nothing was measured."""
    known = np.isfinite(stacked)
    width = stacked.shape[2] // 24 // 2 * 2 + 1
    filled, seen = _hour_sum(np.where(known, stacked, 0.0), width), _hour_sum(known.astype(np.float64), width)
    return np.where(seen > 0, np.sqrt(np.maximum(filled, 0.0) * width / np.maximum(seen, 1.0)), np.inf)


def _hour_sum(values: Array, width: int) -> Array:
    return _box(values.reshape(-1, values.shape[2]), width).reshape(values.shape)


def _smooth(centre: Array, number: Array) -> Array:
    """A mean over the neighbours, over as few as give enough counts to stand on."""
    widths = smooth_widths(1440 / centre.shape[1])
    filled = np.isfinite(centre)
    own = np.where(filled, centre, 0.0) * number
    result = np.full(centre.shape, np.nan)
    open_ = np.ones(centre.shape, dtype=bool)
    for width in widths:
        total, seen = _box(np.where(filled, centre, 0.0), width), _box(filled.astype(np.float64), width)
        mean = np.where(seen > 0, total / np.maximum(seen, 1.0), np.nan)
        # Where the slot itself says otherwise the neighbours are another regime: a door that opens at eight.
        like = np.abs(own - mean * number) <= SMOOTH_SPREADS * np.sqrt(np.maximum(mean * number, 0.0)) + 1.0
        result = np.where(open_ & np.isfinite(mean) & (like | ~filled | (width == 1)), mean, result)
        open_ &= ~(total * np.maximum(number, 1) >= COUNTS_ENOUGH)
    return result


def smooth_widths(step_minutes: float) -> tuple[int, ...]:
    """Rows that are averaged, at most the last of them: no more than half an hour, over which a day is straight."""
    return next(widths for least, widths in SMOOTH_WIDTHS if step_minutes >= least)


def _box(values: Array, width: int) -> Array:
    if width == 1:
        return values
    half = width // 2
    sums = np.cumsum(np.pad(values, ((0, 0), (half + 1, half))), axis=1)
    return np.asarray(sums[:, width:] - sums[:, :-width])


def _scaled(other: Array, centre: Array) -> Array:
    """`other` at the height of `centre`, where both are known: a coarser rung lends its shape, not its level."""
    both = np.isfinite(other) & np.isfinite(centre)
    top = np.where(both, centre, 0.0).sum(axis=1, keepdims=True)
    bottom = np.where(both, other, 0.0).sum(axis=1, keepdims=True)
    factor = np.clip((top + 1.0) / (bottom + 1.0), 0.05, 20.0)
    return np.where(both.any(axis=1, keepdims=True), other * factor, other)


class _Level:
    """The slow level of each day of the class, as log factors; growth moves it, judged minutes do not."""

    def __init__(self, past: Past, date: datetime.date, keys: DayKeys) -> None:
        oldest = date - datetime.timedelta(days=LEVEL_DAYS)
        self._class = keys.levels[0][0]
        self._index = [i for i, day in enumerate(past.days) if day.date >= oldest and self._group(past, i) is not None]
        self._ages = np.array([(date - past.days[i].date).days for i in self._index], dtype=np.float64)
        self._past, self._date = past, date
        self._x, self._weight = self._days()
        near = self._weight * np.exp(-self._ages / LEVEL_FORGET_DAYS) * _huber(self._x, self._weight, self._ages)
        self._today = (near * self._x).sum(axis=1) / np.maximum(near.sum(axis=1), 1e-9) if self._index else 0.0

    def _group(self, past: Past, index: int) -> object | None:
        return next((group for class_, group in past.days[index].keys.levels if class_ == self._class), None)

    def _days(self) -> tuple[Array, Array]:
        if not self._index:
            return np.zeros((1, 0)), np.zeros((1, 0))
        hours = np.stack([self._past.days[i].hours for i in self._index], axis=1)
        measured = np.isfinite(hours)
        filled = np.where(measured, hours, 0.0)
        x = np.zeros(hours.shape[:2])
        weight = np.zeros(hours.shape[:2])
        groups: dict[object, list[int]] = {}
        for place, i in enumerate(self._index):
            groups.setdefault(self._group(self._past, i), []).append(place)
        for places in groups.values():
            if len(places) < 2:
                continue
            mean = filled[:, places].sum(axis=1) / np.maximum(measured[:, places].sum(axis=1), 1)
            bottom = (mean[:, None, :] * measured[:, places]).sum(axis=2)
            top = filled[:, places].sum(axis=2)
            x[:, places] = np.clip(np.log((top + 0.05) / (bottom + 0.05)), -2.0, 2.0)
            weight[:, places] = bottom / np.maximum(mean.sum(axis=1), 1e-9)[:, None]
        return x, weight

    def to_today(self, index: int) -> Array:
        """(series): what day `index` is multiplied by to stand at today's level."""
        if not self._index:
            return np.ones(self._past.days[index].counts.shape[0])
        age = (self._date - self._past.days[index].date).days
        near = self._weight * np.exp(-np.abs(self._ages - age) / LEVEL_BLUR_DAYS)
        total = near.sum(axis=1)
        then = np.where(total > 1e-6, (near * self._x).sum(axis=1) / np.maximum(total, 1e-9), 0.0)
        return np.where(total > 0.3, np.exp(np.clip(self._today - then, -1.5, 1.5)), 1.0)


def _huber(x: Array, weight: Array, ages: Array) -> Array:
    """Less weight for days far from the middle of the last ones: one strange day does not move the level, four do."""
    recent = np.flatnonzero((ages <= HUBER_AGE_DAYS) & (weight > 0).any(axis=0))[-HUBER_DAYS:]
    if len(recent) < HUBER_DAYS_MIN:
        return np.ones(x.shape)
    middle = np.median(x[:, recent], axis=1, keepdims=True)
    spread = np.median(np.abs(x[:, recent] - middle), axis=1, keepdims=True)
    limit = np.maximum(0.05, 2.5 * spread)
    return np.asarray(np.minimum(1.0, limit / np.maximum(np.abs(x - middle), 1e-9)))
