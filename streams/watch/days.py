"""Which days are comparable, as a ladder from the most alike to what must do. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from streams.history.types import DayType

#: After the rentrée traffic takes so long to come down to that of an ordinary school day.
RENTREE_DAYS = 28
#: Before it, so many days rise out of the summer.
APPROACH_DAYS = 12
#: Uncertainty (standard deviation of a logarithm) where nobody told when there is school.
UNKNOWN_EXTRA = 0.3

_SUMMER_MONTHS = (7, 8)
_SCHOOL = (DayType.SCHOOL_DAY, DayType.WEDNESDAY, DayType.FRIDAY)
_WEEK = range(7)
_WORKDAYS = range(5)
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DayKeys:
    """What a day is called, and which days it is compared with.

    `ladder`: names of days, most alike first. `levels`: (class, group) pairs; the slow level of a day is read from days of
    the class of its first pair, each compared with its own group. `extra`: uncertainty whatever the rung; `rungs_min`: a
    day without any comparable day up to that rung is not judged.
    """

    name: Hashable
    ladder: tuple[frozenset[Hashable], ...]
    levels: tuple[tuple[Hashable, Hashable], ...]
    extra: float = 0.0
    last_rung: int = 2


#: Gives the keys of a local day.
KeysOf = Callable[[datetime.date], DayKeys]


def weekly(date: datetime.date) -> DayKeys:
    """A weekly cycle and nothing else: the same weekday, then working days or weekends, then any day."""
    return _weekly(date, "week", 0.0)


def _weekly(date: datetime.date, class_: str, extra: float) -> DayKeys:
    day = date.weekday()
    alike = _WORKDAYS if day < 5 else range(5, 7)
    name = (class_, day)
    ladder = (
        frozenset([name]),
        frozenset((class_, other) for other in alike),
        frozenset((class_, any_) for any_ in _WEEK),
    )
    return DayKeys(name, ladder, ((class_, name),), extra)


@dataclass(slots=True)
class SchoolDays:
    """The keys of the days of a zone or region; `type_of` tells the type of a day. Called with a date."""

    type_of: Callable[[datetime.date], DayType]
    _memo: dict[datetime.date, DayKeys] = field(default_factory=dict)

    def __call__(self, date: datetime.date) -> DayKeys:
        """The keys of a day."""
        if date not in self._memo:
            self._memo[date] = self._keys(date)
        return self._memo[date]

    def _keys(self, date: datetime.date) -> DayKeys:
        kind = self.type_of(date)
        if kind is DayType.UNKNOWN:
            return _weekly(date, "unknown", UNKNOWN_EXTRA)
        if (since := self._since_rentree(date)) is not None:
            return _after_rentree(date, since)
        if self._in_break(date, kind):
            return self._holiday(date)
        return self._school(date, kind)

    def _since_rentree(self, date: datetime.date) -> int | None:
        """Days since the first day of school after the summer; None when that is longer ago than `RENTREE_DAYS`."""
        if date.month not in (8, 9, 10):
            return None
        first = None
        for back in range(RENTREE_DAYS + 7):
            day = date - back * _DAY
            kind = self.type_of(day)
            if kind is DayType.RENTREE_WEEK:
                first = back
            elif first is not None:
                break
        return first if first is not None and first < RENTREE_DAYS else None

    def _in_break(self, date: datetime.date, kind: DayType) -> bool:
        if kind is DayType.HOLIDAY:
            return True
        beside = {self.type_of(date - _DAY), self.type_of(date + _DAY)}
        return kind is DayType.PUBLIC_HOLIDAY and DayType.HOLIDAY in beside

    def _holiday(self, date: datetime.date) -> DayKeys:
        season = "summer" if date.month in _SUMMER_MONTHS else "break"
        class_ = ("holiday", season)
        if season == "summer" and date.month == 8:
            for ahead in range(1, APPROACH_DAYS + 1):
                if self.type_of(date + ahead * _DAY) is DayType.RENTREE_WEEK:
                    return _approach(ahead)
        weekend = date.weekday() >= 5
        name = (*class_, weekend)
        both = frozenset([(*class_, True), (*class_, False)])
        other = frozenset(("holiday", any_, weekend) for any_ in ("summer", "break"))
        return DayKeys(name, (frozenset([name]), both, other), ((class_, name),))

    def _school(self, date: datetime.date, kind: DayType) -> DayKeys:
        day = date.weekday()
        workdays = frozenset(_school_name(other) for other in _WORKDAYS)
        same = frozenset([_school_name(day)])
        if kind in _SCHOOL:
            return DayKeys(_school_name(day), (same, workdays), _school_level(day))
        if kind in (DayType.RETURN, DayType.LOCAL_HOLIDAY, DayType.RENTREE_WEEK):
            return DayKeys(str(kind), (frozenset([str(kind)]), same, workdays), _school_level(day))
        if kind is DayType.PUBLIC_HOLIDAY:
            quiet = frozenset([_school_name(5), _school_name(6), "sunday before a return"])
            return DayKeys(str(kind), (frozenset([str(kind)]), quiet), (("public", str(kind)),))
        if kind is DayType.SUNDAY_BEFORE_SCHOOL and self.type_of(date - _DAY) is DayType.HOLIDAY:
            name = "sunday before a return"
            return DayKeys(name, (frozenset([name]), frozenset([_school_name(6)])), _school_level(6))
        if kind is DayType.WEEKEND and day == 6:  # no school the day after
            name = "sunday before a holiday"
            return DayKeys(name, (frozenset([name]), frozenset([_school_name(5), _school_name(6)])), _school_level(6))
        return DayKeys(_school_name(day), (same, frozenset([_school_name(5), _school_name(6)])), _school_level(day))


def _school_name(weekday: int) -> Hashable:
    return ("school", weekday)


def _school_level(weekday: int) -> tuple[tuple[Hashable, Hashable], ...]:
    return (("school", _school_name(weekday)),)


def _after_rentree(date: datetime.date, since: int) -> DayKeys:
    """The same day of last year's rentrée; else the days before it in this one; else ordinary days of school."""
    day, week = date.weekday(), since // 7
    first: Hashable = ("rentree", 0, "first")
    name: Hashable = first if since == 0 else ("rentree", week, day)
    alike = _WORKDAYS if day < 5 else range(5, 7)
    near: set[Hashable] = {("rentree", week, other) for other in alike} | {("rentree", week - 1, day)}
    if since < 7 and day < 5:
        near.add(first)
    levels = (("rentree", name), *_school_level(day))
    return DayKeys(name, (frozenset([name]), frozenset(near), frozenset([_school_name(day)])), levels)


def _approach(ahead: int) -> DayKeys:
    """The last days of summer rise from day to day: only those of other years tell how."""
    name = ("approach", ahead)
    near = frozenset([("approach", ahead - 1), ("approach", ahead + 1)])
    return DayKeys(name, (frozenset([name]), near), (("approach", name),), last_rung=0)


@dataclass(slots=True)
class MixedDays:
    """The keys of days of a series that lies in several zones."""

    zones: Sequence[KeysOf]

    def __call__(self, date: datetime.date) -> DayKeys:
        """The keys that all zones agree upon; else those of the mixture, which falls back to ordinary days of school."""
        keys = [keys_of(date) for keys_of in self.zones]
        if all(one == keys[0] for one in keys):
            return keys[0]
        day = date.weekday()
        classes = tuple(one.levels[0][0] for one in keys)
        name = ("mixed", classes, day)
        alike = _WORKDAYS if day < 5 else range(5, 7)
        others = frozenset(("mixed", classes, other) for other in alike)
        levels = (("mixed", name), *_school_level(day))
        return DayKeys(name, (frozenset([name]), others, frozenset([_school_name(day)])), levels, UNKNOWN_EXTRA)
