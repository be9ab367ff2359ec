"""Days of the rest of the world: a weekly cycle, public holidays, the days beside them, Christmas weeks, school holidays. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from streams.watch.comparable_days import RARE_EXTRA, RETURN_EXTRA, DayKeys, weekly

_DAY = datetime.timedelta(days=1)
_SUNDAY: Hashable = ("week", 6)
_WEEKEND: frozenset[Hashable] = frozenset([("week", 5), ("week", 6)])
#: From 22 December to 2 January little is as in other weeks, where Christmas is a holiday.
_CHRISTMAS = ((12, 22), (1, 2))


@dataclass(frozen=True, slots=True)
class CountryDays:
    """The keys of the days of a country: `is_holiday` tells its public holidays, `is_school_holiday` whether its schools are closed."""

    is_holiday: Callable[[datetime.date], bool]
    is_school_holiday: Callable[[datetime.date], bool] = lambda _date: False

    def __call__(self, date: datetime.date) -> DayKeys:
        """The keys of a day.

        What was never seen falls back to Sundays or to its own weekday, unsure enough that neither a quiet holiday nor a busy one alarms.
        """
        ordinary = weekly(date)
        same, level = ordinary.ladder[0], (("week", None),)
        if self.is_holiday(date):
            # Whether it will be like a Sunday or like any day nobody knows before one was seen.
            return DayKeys(
                ("public holiday",), (frozenset([("public holiday",)]), frozenset([_SUNDAY]), same), level, RARE_EXTRA
            )
        part = "work" if date.weekday() < 5 else ("saturday", "sunday")[date.weekday() - 5]
        if self._at_christmas(date):
            name: Hashable = ("christmas", part)
            return DayKeys(name, (frozenset([name]), _WEEKEND, same), level, RARE_EXTRA)
        if date.weekday() < 5 and (self.is_holiday(date - _DAY) or self.is_holiday(date + _DAY)):
            name = ("beside", self.is_holiday(date + _DAY))
            return DayKeys(name, (frozenset([name]), same, ordinary.ladder[1]), level, RETURN_EXTRA)
        if self.is_school_holiday(date):
            name = ("school holiday", part)
            return DayKeys(
                name, (frozenset([name]), same, ordinary.ladder[1]), (("school holiday", name),), RETURN_EXTRA
            )
        return ordinary

    def _at_christmas(self, date: datetime.date) -> bool:
        first, last = _CHRISTMAS
        if not ((date.month, date.day) >= first or (date.month, date.day) <= last):
            return False
        return self.is_holiday(datetime.date(date.year if date.month == 12 else date.year - 1, 12, 25))
