"""What stands beside the page's figure: the same minute of the last day like today, and near a rentrée of the last one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

from streams.catalog import Catalog
from streams.clock import PARIS, french_date
from streams.errors import VigieError
from streams.expose.page.curves import same_times, zones_of
from streams.expose.page.older_minutes import PastVisits
from streams.expose.scope import Scope
from streams.history import SchoolCalendar, school_year_of
from streams.history.pairing import like_days_before, rentree_before
from streams.history.paris_days import paris_date, paris_day

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Beside:
    """Visits of the same minute of an earlier `day` (French); `what` says which day that is. None: no file tells them."""

    day: str
    what: str
    visits: float | None


class EarlierDays:
    """The days of an archive that today is held against: those of a place by the calendar of its zone."""

    def __init__(self, past: PastVisits, calendar: SchoolCalendar, catalog: Catalog) -> None:
        self._past, self._calendar, self._catalog = past, calendar, catalog

    def beside(self, scope: Scope, minute: int) -> list[Beside]:
        """What goes with an epoch minute of the clock: the last like day that has a figure, and near a rentrée the last one."""
        today = paris_date(minute + self._past.shift_minutes)
        return [*self._last_like(scope, minute, today), *self._rentree(scope, minute, today)]

    def _last_like(self, scope: Scope, minute: int, today: date) -> Iterator[Beside]:
        days = list(like_days_before(self._calendar, today, zones_of(self._calendar, scope, self._catalog)))
        for day in days:
            if (visits := self._visits(scope, minute, today, day)) is not None:
                archived = "" if day == days[0] else " archivé"
                yield Beside(_name(day), f"le {_short(day)}, dernier jour comparable{archived}", visits)
                return
        if days:
            yield Beside(_name(days[0]), f"le {_short(days[0])}, dernier jour comparable", None)

    def _rentree(self, scope: Scope, minute: int, today: date) -> Iterator[Beside]:
        zone = zones_of(self._calendar, scope, self._catalog)[0]
        day = rentree_before(self._calendar, today, zone)
        if day is not None:
            is_the_day = day == self._calendar.rentree(school_year_of(day), zone)
            what = f"la rentrée du {_name(day)}" if is_the_day else f"le {_name(day)}, à la dernière rentrée"
            yield Beside(_name(day), what, self._visits(scope, minute, today, day))

    def _visits(self, scope: Scope, minute: int, today: date, day: date) -> float | None:
        """At the same time on the clock in Paris."""
        try:
            values = self._past.day(scope, day)
        except VigieError as error:
            logger.warning("a day is not shown: %s", error)
            return None
        if values is None:
            return None
        value = float(same_times(values, today, day)[minute + self._past.shift_minutes - paris_day(today)[0]])
        return None if value != value else value


def _name(day: date) -> str:
    return french_date(datetime.combine(day, time(12), PARIS))


def _short(day: date) -> str:
    """Without the year."""
    return _name(day).rpartition(" ")[0]
