"""How many counts come together: lines of one order, requests of one page. Pure.

Counts that come in heaps are fewer chances than they seem: three hundred lines of one order are one event, and a quarter of an hour without
any is no silence where orders are half an hour apart. How large a heap is shows in the empty rows of hours that are not empty: with
independent counts of mean m a row is empty with probability e^-m, with heaps of size b with e^-(m/b).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.watch.types import Array, Flags

HOURS = 24
#: Hours with so many counts a row, in so many rows at least, tell it.
MEAN_MIN, ROWS_MIN = 1.0, 4
#: Sizes that are tried.
SIZES = np.geomspace(1.0, 200.0, 54)
#: One heap may be as large as the largest row of one day in ten.
LARGEST_QUANTILE = 0.95
#: Of the last days the middle counts, once there are so many; below a size of 1.5 counts are independent.
DAYS_MAX, DAYS_MIN, SIZE_MIN = 28, 2, 1.5


@dataclass(frozen=True, slots=True)
class DayHeaps:
    """Of one day, (series): mean `size` of the heaps that its counts came in, and its `largest` row; NaN where it tells nothing."""

    size: Array
    largest: Array


def heaps_of(counts: Array, judged: Flags) -> DayHeaps:
    """Of a day's counts (series, slots)."""
    series, slots = counts.shape
    a_row = slots // HOURS
    unknown = np.full(series, np.nan)
    if a_row < ROWS_MIN or slots % HOURS:
        return DayHeaps(unknown, unknown)
    by_hour = np.where(judged, np.nan, counts).reshape(series, HOURS, a_row)
    known = np.isfinite(by_hour)
    number = known.sum(axis=2)
    mean = np.where(known, by_hour, 0.0).sum(axis=2) / np.maximum(number, 1)
    telling = (mean >= MEAN_MIN) & (number >= ROWS_MIN)
    empty = np.where(telling, (known & (by_hour == 0)).sum(axis=2), 0).sum(axis=1)
    # (series, sizes): empty rows that each size would leave; they become more with the size.
    likely = np.stack([np.where(telling, number * np.exp(-mean / size), 0.0).sum(axis=1) for size in SIZES], axis=1)
    place = np.minimum((likely < empty[:, None]).sum(axis=1), len(SIZES) - 1)
    largest = np.where(np.isfinite(counts), counts, 0.0).max(axis=1)
    tells = telling.any(axis=1)
    return DayHeaps(np.where(tells, SIZES[place], unknown), np.where(tells, largest, unknown))


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
    if len(days) < DAYS_MIN:
        return Heaps(np.ones(series), np.zeros(series))
    last = days[-DAYS_MAX:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a series of which no day tells anything
        size = np.nanmedian(np.stack([day.size for day in last]), axis=0)
        largest = np.nanquantile(np.stack([day.largest for day in last]), LARGEST_QUANTILE, axis=0)
    heaped = size >= SIZE_MIN
    return Heaps(np.where(heaped, 3.0 * size - 2.0, 1.0), np.where(heaped, largest, 0.0))
