"""What is compared with what: days, and as many earlier ones. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from streams.clock import dates
from streams.errors import InputError
from streams.history.calendar import SchoolCalendar, school_year_of
from streams.history.pairing import Likeness, PairedDay, like_day, pair_days

RENTREE_DAYS = 28
#: A year of whole weeks: the same weekday.
YEAR_DAYS = 364
DAYS_MAX = 400


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """What is compared: days in order, and of each the earlier one that is like it. `kind` is `rentree`, `period` or `day`."""

    kind: str
    pairs: tuple[PairedDay, ...]

    @property
    def days(self) -> tuple[date, ...]:
        """The days asked for, in order."""
        return tuple(pair.now for pair in self.pairs)

    @property
    def against(self) -> tuple[date, ...]:
        """The earlier ones, in the order of their pairs."""
        return tuple(pair.then for pair in self.pairs)

    @property
    def first_pair(self) -> ReportQuestion:
        """The same of the first day alone."""
        return ReportQuestion(self.kind, self.pairs[:1])

    def ends(self) -> tuple[tuple[date, date], tuple[date, date]]:
        """(first day, last day) of both sides."""
        return (self.days[0], self.days[-1]), (min(self.against), max(self.against))


def rentree_question(calendar: SchoolCalendar, year: int, against: int) -> ReportQuestion:
    """The first four weeks of two school years, from the rentrée on.

    Raises:
        InputError: a rentrée is not known, or the other one is not an earlier one.
    """
    if against >= year:
        raise InputError(f"--against {against} is not before --year {year}: name an earlier school year")
    firsts = []
    for school_year in (year, against):
        first = calendar.rentree(school_year)
        if first is None:
            raise InputError(
                f"the rentrée of {school_year} is not known: add the school year to config/calendar_overrides.yaml (zone A)"
            )
        firsts.append(first)
    sides = [tuple(dates(first, first + timedelta(days=RENTREE_DAYS - 1))) for first in firsts]
    return ReportQuestion("rentree", pair_days(calendar, sides[0], sides[1]))


def period_question(calendar: SchoolCalendar, first: date, last: date, against: date | None) -> ReportQuestion:
    """A range of days against as many from another day on (None: the same weekdays a year before).

    Raises:
        InputError: the range is empty or too long.
    """
    length = (last - first).days + 1
    if not 1 <= length <= DAYS_MAX:
        raise InputError(
            f"a period of {length} days: --to must not lie before --from, and at most {DAYS_MAX} days are compared"
        )
    begin = against or first - timedelta(days=YEAR_DAYS)
    if begin == first:
        raise InputError(f"--against {begin} is the same period: name the first of as many other days")
    earlier = dates(begin, begin + timedelta(days=length - 1))
    return ReportQuestion("period", pair_days(calendar, tuple(dates(first, last)), tuple(earlier)))


def day_question(calendar: SchoolCalendar, day: date, against: date | None) -> ReportQuestion:
    """One day, against `against`; None chooses the other day:

    - a rentrée is held against the rentrée before;
    - a day within four weeks of a rentrée against the day like it that is nearest to day n of the school year before;
    - any other day against the day like it that is nearest to a year of whole weeks before.

    Raises:
        InputError: it is held against itself.
    """
    if against == day:
        raise InputError(f"--against {against} is the same day: name another one")
    return ReportQuestion("day", (PairedDay(day, against or _comparable(calendar, day), Likeness.SAME),))


def _comparable(calendar: SchoolCalendar, day: date) -> date:
    rentree, before = calendar.rentree(school_year_of(day)), calendar.rentree(school_year_of(day) - 1)
    if not rentree or not before or not 0 <= (day - rentree).days < RENTREE_DAYS:
        return like_day(calendar, day, day - timedelta(days=YEAR_DAYS))
    if day == rentree:
        return before
    return like_day(calendar, day, before + (day - rentree))
