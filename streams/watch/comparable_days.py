"""Which days are comparable, as a ladder from the most alike to what must do. Pure."""

import datetime
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from streams.history import DayType

#: After the rentrée traffic takes so long to come down to that of an ordinary school day.
RENTREE_DAYS = 28
#: Before it, so many days rise out of the summer.
APPROACH_DAYS = 14
#: Uncertainty (standard deviation of a logarithm) where nobody told when there is school.
UNKNOWN_EXTRA = 0.3
#: ... of days that come once or a few times a year, which years and weeks make different.
RARE_EXTRA = 0.4
#: ... of summers, which only those of other years tell.
SUMMER_EXTRA = 0.15
#: ... of first days back.
RETURN_EXTRA = 0.15
#: ... of the weeks after the rentrée.
RENTREE_EXTRA = 0.15

_SUMMER_MONTHS = (7, 8)
_SCHOOL = (DayType.SCHOOL_DAY, DayType.WEDNESDAY, DayType.FRIDAY)
_WEEK = range(7)
_WORKDAYS = range(5)
_PARTS = ("work", "saturday", "sunday")
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DayKeys:
    """What a day is called, and which days it is compared with.

    `ladder`: names of days, most alike first. `levels`: (class, group) pairs; the slow level of a day is read from days of
    the class of its first pair, each compared with its own group (None: it tells nothing of the level). `extra`:
    uncertainty whatever the rung; `last_rung`: a day without any comparable day up to that rung is not judged.
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
        if (ahead := self._until_rentree(date)) is not None:
            return _approach(ahead)
        if self._in_break(date, kind):
            return self._holiday(date, kind)
        return self._school(date, kind)

    def _since_rentree(self, date: datetime.date) -> int | None:
        """Days since the first day of school after the summer; None when that is longer ago than `RENTREE_DAYS`."""
        if date.month not in (8, 9, 10):
            return None
        first = None
        for back in range(RENTREE_DAYS + 7):
            day = date - back * _DAY
            if self.type_of(day) is DayType.RENTREE_WEEK:
                first = back
            elif first is not None:
                break
        return first if first is not None and first < RENTREE_DAYS else None

    def _until_rentree(self, date: datetime.date) -> int | None:
        """Days until the rentrée, when it is near."""
        if date.month not in (8, 9):
            return None
        return next(
            (n for n in range(1, APPROACH_DAYS + 1) if self.type_of(date + n * _DAY) is DayType.RENTREE_WEEK), None
        )

    def _in_break(self, date: datetime.date, kind: DayType) -> bool:
        return kind is DayType.HOLIDAY or (
            kind is DayType.PUBLIC_HOLIDAY and DayType.HOLIDAY in (self.type_of(date - _DAY), self.type_of(date + _DAY))
        )

    def _holiday(self, date: datetime.date, kind: DayType) -> DayKeys:
        season = "summer" if date.month in _SUMMER_MONTHS else "break"
        class_ = ("holiday", season)
        if kind is DayType.PUBLIC_HOLIDAY:
            public = ("public", date.month, date.day)
            quiet = _summer(date, "sunday").ladder[2] if season == "summer" else frozenset([("holiday", "break", 6)])
            return DayKeys(public, (frozenset([public]), quiet), _reads(class_), RARE_EXTRA)
        if season == "summer":
            return _summer(date, _part(date))
        name = (*class_, date.weekday())
        alike = frozenset((*class_, other) for other in (_WORKDAYS if date.weekday() < 5 else range(5, 7)))
        return DayKeys(name, (frozenset([name]), alike), ((class_, name),))

    def _school(self, date: datetime.date, kind: DayType) -> DayKeys:
        day = date.weekday()
        workdays = frozenset(_school_name(other) for other in _alike(day))
        same = frozenset([_school_name(day)])
        if kind in _SCHOOL:
            autumn = frozenset(("rentree", week, day) for week in range(1, RENTREE_DAYS // 7))
            return DayKeys(_school_name(day), (same, autumn, workdays), _school_level(day))
        level = _reads("school")
        if kind in (DayType.RETURN, DayType.LOCAL_HOLIDAY, DayType.RENTREE_WEEK):
            return DayKeys(str(kind), (frozenset([str(kind)]), same, workdays), level, RETURN_EXTRA)
        if kind is DayType.PUBLIC_HOLIDAY:
            quiet = frozenset([_school_name(5), _school_name(6)])
            return DayKeys(str(kind), (frozenset([str(kind)]), quiet), level, RARE_EXTRA)
        if kind is DayType.SUNDAY_BEFORE_SCHOOL and DayType.HOLIDAY in (
            self.type_of(date - _DAY),
            self.type_of(date - 2 * _DAY),
        ):
            # How much of the holidays is in it only others like it tell.
            name = "sunday before a return"
            return DayKeys(name, (frozenset([name]),), level, RETURN_EXTRA, last_rung=0)
        if kind is DayType.WEEKEND and day == 6:  # no school the day after
            name = "sunday before a holiday"
            return DayKeys(name, (frozenset([name]), frozenset([_school_name(5), _school_name(6)])), level)
        return DayKeys(_school_name(day), (same, frozenset([_school_name(5), _school_name(6)])), _school_level(day))


def _alike(day: int) -> tuple[int, ...]:
    """Weekdays of school with the shape of this one: Wednesdays end at noon, like no other."""
    return (2,) if day == 2 else (0, 1, 3, 4) if day < 5 else (5, 6)


def _part(date: datetime.date) -> str:
    return _PARTS[max(0, date.weekday() - 4)]


def _reads(class_: Hashable) -> tuple[tuple[Hashable, Hashable], ...]:
    """The level of a class, without adding to it: a day that is unlike the others of the class."""
    return ((class_, None),)


def _summer(date: datetime.date, part: str) -> DayKeys:
    """The same week of other summers: the first days of July are not those of August."""
    week = (date - datetime.date(date.year, 7, 1)).days // 7
    name = ("holiday", "summer", part, week)
    near = frozenset(("holiday", "summer", part, other) for other in (week - 1, week + 1))
    rest = frozenset(("holiday", "summer", part, other) for other in range(10))
    return DayKeys(name, (frozenset([name]), near, rest), ((("holiday", "summer"), name),), SUMMER_EXTRA)


def _school_name(weekday: int) -> Hashable:
    return ("school", weekday)


def _school_level(weekday: int) -> tuple[tuple[Hashable, Hashable], ...]:
    return (("school", _school_name(weekday)),)


def _after_rentree(date: datetime.date, since: int) -> DayKeys:
    """The same day of last year's rentrée; else the days before it in this one; else ordinary days of school."""
    day, week = date.weekday(), since // 7
    first: Hashable = ("rentree", 0, "first")
    name: Hashable = first if since == 0 else ("rentree", week, day)
    near: set[Hashable] = {("rentree", week, other) for other in _alike(day)} | {("rentree", week - 1, day)}
    if since < 7 and day in (0, 1, 3, 4):
        near.add(first)
    elif day == 0:  # at eight a Monday is like Mondays alone
        near = {("rentree", other, day) for other in range(RENTREE_DAYS // 7)}
    levels = (("rentree", name), *_school_level(day))
    return DayKeys(name, (frozenset([name]), frozenset(near), frozenset([_school_name(day)])), levels, RENTREE_EXTRA)


def _approach(ahead: int) -> DayKeys:
    """The last days of summer rise from day to day: only those of other years tell how."""
    name = ("approach", ahead)
    near = frozenset([("approach", ahead - 1), ("approach", ahead + 1)])
    return DayKeys(name, (frozenset([name]), near), (("approach", name),), RARE_EXTRA, last_rung=0)


@dataclass(slots=True)
class MixedDays:
    """The keys of days of a series that lies in several zones."""

    zones: Sequence[KeysOf]

    def __call__(self, date: datetime.date) -> DayKeys:
        """The keys that all zones agree upon; else those of the mixture, which falls back to ordinary days of school.

        What is unsure of a mixture is that of the rung it stands on: four days of the same mixture are as good as any four days.
        """
        keys = [keys_of(date) for keys_of in self.zones]
        if all(one == keys[0] for one in keys):
            return keys[0]
        day = date.weekday()
        classes = tuple(one.levels[0][0] for one in keys)
        name = ("mixed", classes, _alike(day))
        alike = _WORKDAYS if day < 5 else range(5, 7)
        others = frozenset(("mixed", classes, _alike(other)) for other in alike)
        levels = (("mixed", name), *_school_level(day))
        return DayKeys(name, (frozenset([name]), others, frozenset([_school_name(day)])), levels)
