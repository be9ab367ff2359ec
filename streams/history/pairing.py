"""Which earlier day each day is held against: a Monday with school against a Monday with school, never a Friday against a Saturday. Pure.

Both sides have as many days. A day goes with the nearest one that is like it: the same weekday, of the same kind in every zone. What is
left of one kind goes together whatever its weekday (a rentrée on a Tuesday leaves a Monday and a Tuesday over); the rest stays apart.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from streams.history.calendar import PACKAGED_ZONES, RENTREE_WEEK_DAYS, SchoolCalendar, school_year_of


class DayUse(StrEnum):
    """How much use a day promises, in a zone."""

    RENTREE = "rentrée"  # the first school day of a year
    SCHOOL = "school day"  # a Monday, Tuesday, Thursday or Friday with school
    WEDNESDAY = "Wednesday with school"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"
    PUBLIC = "public holiday"  # on a weekday
    FREE = "weekday without school"
    FREE_SATURDAY = "Saturday of holidays"
    FREE_SUNDAY = "Sunday of holidays"
    UNKNOWN = "day of no known school calendar"


#: In school time, and in holidays, by weekday.
_WEEKEND = {5: (DayUse.SATURDAY, DayUse.FREE_SATURDAY), 6: (DayUse.SUNDAY, DayUse.FREE_SUNDAY)}


@dataclass(frozen=True, slots=True)
class UnlikeDays:
    """How many of the days compared are of a kind on both sides, where these numbers differ; in these zones."""

    kind: DayUse
    zones: tuple[str, ...]
    now: int
    then: int


def kind_of(calendar: SchoolCalendar, day: date, zone: str) -> DayUse:
    """The kind of one day in a zone."""
    if day.weekday() >= 5:
        is_free = calendar.is_known(day, zone) and calendar.break_on(day, zone) is not None
        used, free = _WEEKEND[day.weekday()]
        return free if is_free else used
    if calendar.public_holiday(day) is not None:
        return DayUse.PUBLIC
    if not calendar.is_known(day, zone):
        return DayUse.UNKNOWN
    if not calendar.has_school(day, zone):
        return DayUse.FREE
    if calendar.rentree(school_year_of(day), zone) == day:
        return DayUse.RENTREE
    return DayUse.WEDNESDAY if day.weekday() == 2 else DayUse.SCHOOL


def is_off(calendar: SchoolCalendar, day: date) -> bool:
    """Whether there is no school in any zone."""
    return day.weekday() >= 5 or all(
        kind_of(calendar, day, zone) in (DayUse.FREE, DayUse.PUBLIC) for zone in PACKAGED_ZONES
    )


def unlike_days(
    calendar: SchoolCalendar, days: Sequence[date], against: Sequence[date], numbers: Sequence[int]
) -> tuple[UnlikeDays, ...]:
    """The kinds of which there are more on one side, among the days with these numbers; by zone where they differ."""
    found: dict[tuple[DayUse, int, int], list[str]] = {}
    for zone in PACKAGED_ZONES:
        now, then = (Counter(kind_of(calendar, side[n], zone) for n in numbers) for side in (days, against))
        for kind in DayUse:
            if now[kind] != then[kind]:
                found.setdefault((kind, now[kind], then[kind]), []).append(zone)
    return tuple(UnlikeDays(kind, tuple(zones), mine, other) for (kind, mine, other), zones in sorted(found.items()))


#: How far from the date where it would be expected a like day is looked for.
LIKE_DAYS_MAX = 28
#: How far back the last like day is looked for: over a break.
LIKE_DAYS_BACK_MAX = 70


class Likeness(StrEnum):
    """How like two days are that are held against one another."""

    SAME = "same weekday"  # and the same kind; or both are the rentrée
    KIND = "same kind"  # of another weekday: they count, and are not drawn side by side
    APART = "apart"  # school on one side, none on the other: they are not compared


@dataclass(frozen=True, slots=True)
class PairedDay:
    """A day, the one that it is held against, and how like they are."""

    now: date
    then: date
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class _Dated:
    """A day and its kind in each zone."""

    day: date
    kinds: tuple[DayUse, ...]
    #: In the first week of a school year, which is like no later one.
    is_early: bool

    @property
    def has_no_weekday(self) -> bool:
        """Whether it is what it is whatever the weekday: the rentrée, a public holiday."""
        return all(kind in (DayUse.RENTREE, DayUse.PUBLIC) for kind in self.kinds)

    def is_like(self, other: "_Dated") -> bool:
        """Whether nothing says that they are of different kinds in some zone."""
        pairs = zip(self.kinds, other.kinds, strict=True)
        return all(mine is theirs or DayUse.UNKNOWN in (mine, theirs) for mine, theirs in pairs)

    def is_same(self, other: "_Dated", places: int) -> bool:
        """Whether it is the same weekday, too, and no early day against a later one `places` further on."""
        if self.has_no_weekday and other.has_no_weekday:
            return self.kinds == other.kinds
        is_near = places <= RENTREE_WEEK_DAYS or not (self.is_early or other.is_early)
        return is_near and self.day.weekday() == other.day.weekday() and self.is_like(other)


def pair_days(calendar: SchoolCalendar, days: Sequence[date], against: Sequence[date]) -> tuple[PairedDay, ...]:
    """A pair for each of the `days`, in their order; each of `against` is in one."""
    now, then = ([_dated(calendar, day) for day in side] for side in (days, against))
    left_now, left_then = dict(enumerate(now)), dict(enumerate(then))
    found: dict[int, PairedDay] = {}
    rules: tuple[tuple[Likeness, Callable[[_Dated, _Dated, int], bool]], ...] = (
        (Likeness.SAME, _Dated.is_same),
        (Likeness.KIND, lambda mine, other, _places: mine.is_like(other)),
        (Likeness.APART, lambda _mine, _other, _places: True),
    )
    for likeness, fits in rules:
        for place, other in _nearest_first(len(now)):
            is_open = place in left_now and other in left_then
            if is_open and fits(left_now[place], left_then[other], abs(place - other)):
                found[place] = PairedDay(left_now.pop(place).day, left_then.pop(other).day, likeness)
    return tuple(found[place] for place in range(len(now)))


def like_day(calendar: SchoolCalendar, day: date, near: date, zones: Sequence[str] = PACKAGED_ZONES) -> date:
    """The day like it that is nearest to a date, at most `LIKE_DAYS_MAX` off; the nearest of that weekday where none is of its kind."""
    wanted = _dated(calendar, day, zones)
    around = [near + timedelta(days=offset) for offset in sorted(range(-LIKE_DAYS_MAX, LIKE_DAYS_MAX + 1), key=abs)]
    same_weekday = next(one for one in around if one.weekday() == day.weekday())
    return next((one for one in around if wanted.is_same(_dated(calendar, one, zones), 0)), same_weekday)


def like_days_before(calendar: SchoolCalendar, day: date, zones: Sequence[str] = PACKAGED_ZONES) -> Iterator[date]:
    """The days like it that came before, the last one first, at most `LIKE_DAYS_BACK_MAX` back: the last Monday with school in these zones.

    None lies before the rentrée that a day follows. The first two weeks of a school year have none: the first is like no other one, and
    what they are like is the year before (`rentree_before`).
    """
    wanted = _dated(calendar, day, zones)
    rentree = calendar.rentree(school_year_of(day), zones[0])
    oldest = rentree if rentree and rentree <= day else day - timedelta(days=LIKE_DAYS_BACK_MAX)
    for back in range(1, min(LIKE_DAYS_BACK_MAX, (day - oldest).days) + 1):
        before = _dated(calendar, day - timedelta(days=back), zones)
        if wanted.is_same(before, RENTREE_WEEK_DAYS + 1):
            yield before.day


def rentree_before(
    calendar: SchoolCalendar, day: date, zones: Sequence[str] = PACKAGED_ZONES, days: int = 2 * RENTREE_WEEK_DAYS
) -> date | None:
    """Near a rentrée, in the first `days` days of a school year: the day of the year before that goes with it. None on other days."""
    rentree, before = (calendar.rentree(school_year_of(day) - years, zones[0]) for years in (0, 1))
    if rentree is None or before is None or not 0 <= (day - rentree).days < days:
        return None
    return before if day == rentree else like_day(calendar, day, before + (day - rentree), zones)


def _nearest_first(length: int) -> list[tuple[int, int]]:
    """(place, place of the other side), those that are nearest first."""
    shifts = sorted(range(1 - length, length), key=lambda shift: (abs(shift), -shift))
    return [(place, place + shift) for shift in shifts for place in range(length) if 0 <= place + shift < length]


def _dated(calendar: SchoolCalendar, day: date, zones: Sequence[str] = PACKAGED_ZONES) -> _Dated:
    kinds = tuple(kind_of(calendar, day, zone) for zone in zones)
    rentree = calendar.rentree(school_year_of(day), zones[0])
    return _Dated(day, kinds, rentree is not None and 0 <= (day - rentree).days < RENTREE_WEEK_DAYS)
