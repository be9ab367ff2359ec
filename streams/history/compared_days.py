"""What is compared with what: days, and as many earlier ones, of France or of a part of it. Pure.

A past day cut down to some regions, with their academies and projects, is summed up like any other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from streams.catalog import Catalog
from streams.clock import dates
from streams.errors import InputError
from streams.history.calendar import SchoolCalendar
from streams.history.day_columns import CutName, CutRows, Key, Sketches
from streams.history.marks import DayFile
from streams.history.pairing import Likeness, PairedDay, like_day, pair_days, rentree_before

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
    near_rentree = rentree_before(calendar, day, days=RENTREE_DAYS)
    then = against or near_rentree or like_day(calendar, day, day - timedelta(days=YEAR_DAYS))
    return ReportQuestion("day", (PairedDay(day, then, Likeness.SAME),))


#: Where the code that decides stands in the keys of each cut, and of which list it is.
_DECIDING = {
    CutName.REGION: (0, "region"),
    CutName.REGION_SERVICE: (0, "region"),
    CutName.PROFILE_REGION: (1, "region"),
    CutName.PROJECT: (0, "project"),
    CutName.ACADEMY: (0, "academy"),
}


@dataclass(frozen=True, slots=True)
class PartOfFrance:
    """`codes` by list (region, academy, project); `code` and `label` name it. A project of no region belongs to none."""

    code: str
    label: str
    codes: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, catalog: Catalog, regions: Collection[str]) -> "PartOfFrance":
        """These regions.

        Raises:
            InputError: one of them does not exist.
        """
        known = {region.code: region for region in catalog.regions}
        if unknown := sorted(set(regions) - set(known)):
            raise InputError(f"--region {unknown[0]!r} is no region: give one of {', '.join(sorted(known))}")
        chosen = [known[code] for code in sorted(set(regions))]
        codes = {
            "region": frozenset(region.code for region in chosen),
            "academy": frozenset(academy.code for region in chosen for academy in region.academies),
            "project": frozenset(project.code for project in catalog.projects if project.region in regions),
        }
        return cls(",".join(region.code for region in chosen), ", ".join(region.name for region in chosen), codes)

    def day(self, day: DayFile) -> DayFile:
        """What belongs to it of a day."""
        return replace(
            day,
            rows={cut: self._rows(cut, found) for cut, found in day.rows.items()},
            sketches=Sketches(self._sketches(day.sketches.users), self._sketches(day.sketches.establishments)),
        )

    def _rows(self, cut: CutName, rows: CutRows) -> CutRows:
        place, name = _DECIDING[cut]
        mine = np.array([key[place] in self.codes[name] for key in rows.keys], bool)
        return rows.where(mine[rows.series]) if len(rows.series) else rows

    def _sketches(self, sketches: Mapping[Key, bytes]) -> dict[Key, bytes]:
        return {
            (scope, code): sketch
            for (scope, code), sketch in sketches.items()
            if code in self.codes["project" if scope == "project" else "region"]
        }
