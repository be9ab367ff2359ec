"""A new normal of some hours: what the last days of a kind did alike is expected, though the comparable weeks before did otherwise. Pure.

Clocks and timetables change, and a morning begins an hour earlier. Days of the same weekday would tell that after weeks, and every morning
until then would be a surge.
"""

import datetime

import numpy as np

from streams.watch.alert_types import Array
from streams.watch.comparable_days import DayKeys
from streams.watch.scales import HOURS
from streams.watch.store import Day, Past, by_hour

#: So many days in a row, none older than that, must have been off in an hour: on fewer an event that recurs would be usual.
LAST_DAYS, AGE_DAYS_MAX = 4, 12
#: ... each by so much (a logarithm), by so many standard deviations of its counts, and by more than they differ among themselves.
OFF_MIN, COUNTING_SPREADS = 0.18, 2.0


def with_lately(past: Past, date: datetime.date, keys: DayKeys, expected: Array) -> Array:
    """`expected` (series, slots) of the comparable days, or what the last days of the kind say of some of its hours."""
    alike = frozenset().union(*keys.ladder[:2])
    last: list[Day] = []
    for day in reversed(past.days):
        if (date - day.date).days > AGE_DAYS_MAX or len(last) == LAST_DAYS:
            break
        if day.keys.name in alike and day.hoped is not None:
            last.append(day)
    if len(last) < LAST_DAYS:
        return expected
    rows = expected.shape[1] / HOURS
    hoped = np.stack([day.hoped for day in last if day.hoped is not None]) * rows
    seen = np.stack([by_hour(day.counts.astype(np.float64)) for day in last]) * rows
    off = np.log((seen + 0.5) / (hoped + 0.5))  # (days, series, hours), NaN where not known
    low, high = off.min(axis=0), off.max(axis=0)
    least = np.where(low > 0, low, -high)
    enough = np.maximum(OFF_MIN, COUNTING_SPREADS / np.sqrt(hoped.max(axis=0) + 0.5))
    with np.errstate(invalid="ignore"):
        # Nothing at all is never usual: what comes back comes back as it was.
        new = (least >= enough) & (least > high - low) & (seen > 0).all(axis=0)
    if not new.any():
        return expected
    change = np.where(new, np.median(off, axis=0), 0.0)
    before = next(
        (day.hoped for day in reversed(past.days) if day.keys.name == keys.name and day.hoped is not None), None
    )
    if before is not None:  # as far as the comparable days do not know it by now
        change -= np.where(new, np.nan_to_num(np.log((by_hour(expected) * rows + 0.5) / (before * rows + 0.5))), 0.0)
    hours = np.minimum(np.arange(expected.shape[1]) * HOURS // expected.shape[1], HOURS - 1)
    return expected * np.exp(change)[:, hours]
