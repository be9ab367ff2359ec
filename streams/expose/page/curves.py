"""The lines of the curve: the minutes themselves, the same weekday a week before, and near a rentrée the last one."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np

from streams.catalog import Catalog
from streams.clock import PARIS, french_date, paris_date, paris_day, paris_days_of
from streams.errors import VigieError
from streams.expose.page.older_minutes import PastVisits
from streams.expose.page.picture import Picture
from streams.expose.scope import Scope, region_of
from streams.expose.spans import NO_GRID, Grid, Line, Minutes, Span
from streams.history import SchoolCalendar, school_year_of
from streams.history.calendar import PACKAGED_ZONES
from streams.history.pairing import like_days_before, rentree_before
from streams.history.side import wall_minutes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A line of earlier days; `day` is the one that goes with the curve's last minute. `visits` is None where nothing of it is known."""

    day: str
    visits: Line | None


@dataclass(frozen=True, slots=True)
class Curve:
    """A grid, the visits on it, and those of earlier days. `rentree` is None but near one."""

    grid: Grid
    visits: Line
    week: Earlier | None
    rentree: Earlier | None


NO_CURVE = Curve(NO_GRID, [], None, None)


class Lines:
    """Lines of any scope on any grid, in minutes of the clock."""

    def __init__(self, past: PastVisits, calendar: SchoolCalendar, catalog: Catalog) -> None:
        self._past, self._calendar, self._catalog = past, calendar, catalog

    def curve(self, picture: Picture, scope: Scope, span: Span, until: int | None = None) -> Curve:
        """All lines of a span that ends before epoch minute `until`, or with the last settled minute."""
        if picture.settled_minute is None:
            return NO_CURVE
        settled = picture.settled_minute + 1
        grid = Grid.before(settled if until is None else min(until, settled), span, self._past.shift_minutes)
        zone = zones_of(self._calendar, scope, self._catalog)[0]
        week = self._earlier(scope, grid, lambda day: day - timedelta(days=7))
        rentree = self._earlier(scope, grid, lambda day: rentree_before(self._calendar, day, (zone,)))
        return Curve(grid, self._visits(picture, scope, grid), week, rentree)

    def _visits(self, picture: Picture, scope: Scope, grid: Grid) -> Line:
        """What was counted: what the picture holds, before it what the past tells. A past that cannot be read is not known."""
        held = range(max(grid.first, picture.grid.start), min(grid.end, picture.grid.stop))
        known = [picture.minutes[m].of_scope(scope)[1] if m in picture.minutes else 0 for m in held]
        begin = grid.end - len(known)
        before = np.full(max(0, begin - grid.first), np.nan)
        if len(before):
            try:
                before = self._past.between(scope, grid.first, begin, picture.whole_from)
            except VigieError as error:
                logger.warning("the curve is shown without its past: %s", error)
        return grid.means(np.concatenate([before, np.array(known, np.float64)]))

    def _earlier(self, scope: Scope, grid: Grid, other_of: Callable[[date], date | None]) -> Earlier | None:
        shift = self._past.shift_minutes
        values, named = np.full(len(grid.minutes), np.nan), None
        for day in paris_days_of(grid.first + shift, grid.end + shift):
            if (other := other_of(day)) is None:
                continue
            named = other
            begin, stop = (minute - shift for minute in paris_day(day))
            low, high = max(begin, grid.first), min(stop, grid.end)
            if (found := _day_of(self._past, scope, other)) is not None:
                values[low - grid.first : high - grid.first] = same_times(found, day, other)[low - begin : high - begin]
        if named is None:
            return None
        return Earlier(_name(named), grid.means(values) if np.isfinite(values).any() else None)


def _day_of(past: PastVisits, scope: Scope, day: date) -> Minutes | None:
    """A day whose file cannot be read is not shown."""
    try:
        return past.day(scope, day)
    except VigieError as error:
        logger.warning("a day is not shown: %s", error)
        return None


def zones_of(calendar: SchoolCalendar, scope: Scope, catalog: Catalog) -> Sequence[str]:
    """The zones of a place's school holidays; those of mainland France where it has none of its own."""
    zone = calendar.zones.get(region_of(scope, catalog) or "")
    return (zone,) if zone else PACKAGED_ZONES


def same_times(values: Minutes, day: date, other: date) -> Minutes:
    """Values of the minutes of `other` brought onto those of `day` with the same time on the clock in Paris, NaN where it has none."""
    times, others = wall_minutes(day), wall_minutes(other)
    if len(times) == len(others):
        return values
    at = np.full(24 * 60, -1)
    at[others[::-1]] = np.arange(len(others))[::-1]
    return np.where(at[times] < 0, np.nan, values[at[times]])


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
        zones = zones_of(self._calendar, scope, self._catalog)
        found = []
        if days := list(like_days_before(self._calendar, today, zones)):
            known = ((day, told) for day in days if (told := self._visits(scope, minute, today, day)) is not None)
            day, visits = next(known, (days[0], None))
            archived = "" if day == days[0] else " archivé"
            without_year = _name(day).rpartition(" ")[0]
            found.append(Beside(_name(day), f"le {without_year}, dernier jour comparable{archived}", visits))
        if (like := rentree_before(self._calendar, today, zones[:1])) is not None:
            is_the_day = like == self._calendar.rentree(school_year_of(like), zones[0])
            what = f"la rentrée du {_name(like)}" if is_the_day else f"le {_name(like)}, à la dernière rentrée"
            found.append(Beside(_name(like), what, self._visits(scope, minute, today, like)))
        return found

    def _visits(self, scope: Scope, minute: int, today: date, day: date) -> float | None:
        """At the same time on the clock in Paris."""
        if (values := _day_of(self._past, scope, day)) is None:
            return None
        value = float(same_times(values, today, day)[minute + self._past.shift_minutes - paris_day(today)[0]])
        return None if value != value else value


def _name(day: date) -> str:
    return french_date(datetime.combine(day, time(12), PARIS))
