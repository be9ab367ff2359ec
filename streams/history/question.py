"""What is compared with what: days, and as many earlier ones. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from streams.errors import InputError
from streams.history.calendar import SchoolCalendar, school_year_of
from streams.history.days import dates

RENTREE_DAYS = 28
#: A year of whole weeks: the same weekday.
YEAR_DAYS = 364
DAYS_MAX = 400


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared: days, and as many earlier ones, day n against day n. `kind` is `rentree`, `period` or `day`."""

    kind: str
    days: tuple[date, ...]
    against: tuple[date, ...]


def rentree_question(calendar: SchoolCalendar, year: int, against: int) -> Question:
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
    return Question("rentree", sides[0], sides[1])


def period_question(first: date, last: date, against: date | None) -> Question:
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
    return Question("period", tuple(dates(first, last)), tuple(dates(begin, begin + timedelta(days=length - 1))))


def day_question(calendar: SchoolCalendar, day: date, against: date | None) -> Question:
    """One day. Against none that is named: a rentrée against the one before; else the same weekday, a year of whole weeks before.

    Within four weeks of a rentrée the same weekday is the one nearest to day n of the school year before.

    Raises:
        InputError: it is held against itself.
    """
    if against == day:
        raise InputError(f"--against {against} is the same day: name another one")
    return Question("day", (day,), (against or _comparable(calendar, day),))


def _comparable(calendar: SchoolCalendar, day: date) -> date:
    rentree, before = calendar.rentree(school_year_of(day)), calendar.rentree(school_year_of(day) - 1)
    if not rentree or not before or not 0 <= (day - rentree).days < RENTREE_DAYS:
        return day - timedelta(days=YEAR_DAYS)
    if day == rentree:
        return before
    day_n = before + (day - rentree)
    # Of the seven days around day n, the one of that weekday; the rentrée itself, and the holidays before it, are like no other day.
    ahead = (day.weekday() - day_n.weekday() + 3) % 7 - 3
    found = day_n + timedelta(days=ahead)
    return found if found > before else found + timedelta(days=7)
