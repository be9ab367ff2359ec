"""How many counts come together: lines of one order, requests of one page. Pure.

Counts that come in heaps are fewer chances than they seem. Three hundred lines of one order are one event; where orders are half an hour
apart, a quarter of an hour without any is no silence. Empty rows in hours that are not empty show how large a heap is: with independent
counts of mean m a row is empty with probability e^-m, with heaps of size b with e^-(m/b).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.watch.alert_types import Array, Flags
from streams.watch.scales import HOURS

#: Hours with so many counts a row, in so many rows at least, tell it.
MEAN_MIN, ROWS_MIN = 1.0, 4
#: Sizes that are tried.
SIZES = np.geomspace(1.0, 200.0, 20)
#: One heap may be as large as the largest row of one day in twenty.
LARGEST_QUANTILE = 0.95
#: The last days are asked, once there are so many; below a size of 1.5 counts are independent.
HEAP_DAYS, HEAP_DAYS_MIN, SIZE_MIN = 28, 2, 1.5
#: A day tells of no more empty rows than so many times those of a mean day, and some: it may have had an outage that nobody was told of.
EMPTY_TIMES_MAX, EMPTY_MORE = 3.0, 2.0


@dataclass(frozen=True, slots=True)
class DayHeaps:
    """Of one day: (series) its `empty` rows in hours that tell something, and its `largest` row, 0 without such hours; `likely`
    (series, sizes): how many empty rows heaps of each size would leave.
    """

    empty: NDArray[np.float32]
    likely: NDArray[np.float32]
    largest: NDArray[np.float32]


def heaps_of(counts: Array, judged: Flags) -> DayHeaps:
    """Of a day's counts (series, slots)."""
    series, slots = counts.shape
    nothing = np.zeros(series, np.float32)
    a_row = slots // HOURS
    if a_row < ROWS_MIN or slots % HOURS:
        return DayHeaps(nothing, np.zeros((series, len(SIZES)), np.float32), nothing)
    by_hour = np.where(judged, np.nan, counts).reshape(series, HOURS, a_row)
    known = np.isfinite(by_hour)
    number = known.sum(axis=2)
    mean = np.where(known, by_hour, 0.0).sum(axis=2) / np.maximum(number, 1)
    telling = (mean >= MEAN_MIN) & (number >= ROWS_MIN)
    empty = np.where(telling, (known & (by_hour == 0)).sum(axis=2), 0).sum(axis=1)
    likely = np.stack([np.where(telling, number * np.exp(-mean / size), 0.0).sum(axis=1) for size in SIZES], axis=1)
    largest = np.where(telling.any(axis=1), np.where(np.isfinite(counts), counts, 0.0).max(axis=1), 0.0)
    return DayHeaps(empty.astype(np.float32), likely.astype(np.float32), largest.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Heaps:
    """`size` (series): variance over mean of the counts, 1 where they are independent; `largest` (series): counts of which one heap
    may consist, 0 there.
    """

    size: Array
    largest: Array


def learn_heaps(days: Sequence[DayHeaps], series: int) -> Heaps:
    """From the last days. Heaps of a geometric size with mean b have a variance of 2 b - 1 times the mean; those of shops, whose sizes
    have a heavier tail, one of about 3 b - 2.
    """
    last = days[-HEAP_DAYS:]
    telling = np.stack([day.likely[:, -1] > 0 for day in last]) if last else np.zeros((0, series), bool)
    if len(last) < HEAP_DAYS_MIN:
        return Heaps(np.ones(series), np.zeros(series))
    empty = np.stack([day.empty for day in last])
    mean = empty.sum(axis=0) / np.maximum(telling.sum(axis=0), 1)
    total = np.minimum(empty, EMPTY_TIMES_MAX * mean + EMPTY_MORE).sum(axis=0)
    likely = np.sum([day.likely for day in last], axis=0)  # rises with the size
    place = np.minimum((likely < total[:, None]).sum(axis=1), len(SIZES) - 1)
    heaped = (telling.sum(axis=0) >= HEAP_DAYS_MIN) & (SIZES[place] >= SIZE_MIN)
    largest = np.quantile(np.stack([day.largest for day in last]), LARGEST_QUANTILE, axis=0)
    return Heaps(np.where(heaped, 3.0 * SIZES[place] - 2.0, 1.0), np.where(heaped, largest, 0.0))
