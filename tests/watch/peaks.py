"""Past days of which nothing is known but how high they scored."""

import datetime
from dataclasses import replace

import numpy as np

from streams.watch import Array
from streams.watch.comparable_days import weekly
from streams.watch.scales import GROUPS
from streams.watch.store import Day, Past

DAYS = 80


def past_of(surges: Array, group: int = 0) -> Past:
    """One series; `surges` (days, hours): the highest score of each hour, upwards, of a group of windows."""
    past = Past()
    for number, of_day in enumerate(surges):
        date = datetime.date(2026, 1, 5) + datetime.timedelta(days=number)
        by_hour = np.zeros((2, GROUPS, 1, 24), np.float32)
        by_hour[0, group, 0] = of_day
        past.add(replace(Day.unjudged(date, weekly(date), np.ones((1, 24))), peaks=by_hour))
    return past


def every_other_evening(elsewhere: float) -> Past:
    """Every other evening scores 8, and some hour of every day `elsewhere`."""
    surges = np.zeros((DAYS, 24))
    for number in range(DAYS):
        surges[number, number * 5 % 16] = elsewhere
        surges[number, 19] = 8.0 if number % 2 else 1.0
    return past_of(surges)
