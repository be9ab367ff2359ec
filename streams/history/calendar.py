"""The school calendar: which kind of day a date is in a zone or a region.

Zones A, B, C and public holidays come from the package `holidays`. `config/calendar.yaml` bounds them to the years that were published:
beyond these the package computes dates that nobody decreed. Corsica and overseas have no packaged source: their days are `UNKNOWN` until
`config/calendar_overrides.yaml` says when they have school. Nothing is invented.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property, lru_cache
from pathlib import Path

from streams.catalog import Catalog
from streams.history.calendar_config import Break, CalendarConfig, DayType, ForcedDays, read_calendar_config

#: Zones that `holidays` knows.
PACKAGED_ZONES = ("A", "B", "C")
#: Shorter breaks (the bridge of Ascension) are no holidays that one returns from.
RETURN_BREAK_DAYS_MIN = 7
RENTREE_WEEK_DAYS = 7
#: How far back a return looks for the break it ends: a break may end before a public holiday.
RETURN_LOOK_BACK_DAYS = 4
_DAY = timedelta(days=1)


def school_year_of(day: date) -> int:
    """The year in which the school year (1 August to 31 July) of a day begins."""
    return day.year if day.month >= 8 else day.year - 1


@dataclass(frozen=True)
class SchoolCalendar:
    """Day types by region and zone. Frozen: what is remembered of earlier answers changes none."""

    config: CalendarConfig
    #: Region code -> school-holiday zone, None for a region without one.
    zones: dict[str, str | None]

    def day_type(self, day: date, region_code: str) -> DayType:
        """The kind of day in a region; `UNKNOWN` for a region without a zone (`99`, `INCONNU`) but on national public holidays."""
        return self._type(day, self.zones.get(region_code) or "", region_code)

    def zone_day_type(self, day: date, zone: str) -> DayType:
        """The kind of day in a zone (`A`, `B`, `C`, `CORSE`, `REUNION`, ...); public holidays are those of metropolitan France."""
        return self._type(day, zone, None)

    def break_on(self, day: date, zone: str) -> Break | None:
        """The school holidays that a day lies in."""
        return next((found for found in self.breaks(zone) if day in found), None)

    def breaks(self, zone: str, school_year: int | None = None) -> tuple[Break, ...]:
        """All known school holidays of a zone, in order; those that begin in one school year where one is named."""
        found = self._breaks.get(zone, ())
        return found if school_year is None else tuple(b for b in found if school_year_of(b.first) == school_year)

    def rentree(self, school_year: int, zone: str = "A") -> date | None:
        """The first school day of a school year, None where nobody told."""
        for told in self.config.school_years:
            if (told.zone, told.year) == (zone, school_year):
                return told.rentree
        if zone not in PACKAGED_ZONES:
            return None
        ends = [b.last for b in self.breaks(zone) if b.last.year == school_year and b.last.month in (8, 9)]
        first = ends[0] + _DAY if ends else None
        return first if first and self.is_known(first, zone) else None

    def is_known(self, day: date, zone: str) -> bool:
        """Whether the school days around this date were published for the zone, or told by the overrides."""
        wanted = (zone, school_year_of(day))
        return any((year.zone, year.year) == wanted for year in self.config.school_years) or (
            zone in PACKAGED_ZONES and self.config.packaged_first <= day <= self.config.packaged_last
        )

    def has_school(self, day: date, zone: str, region_code: str | None = None) -> bool:
        """Whether it is known that pupils have school; Saturdays count as weekend."""
        if forced := self._forced(day, zone, region_code):
            return forced.day_type not in _CLOSED
        return (
            day.weekday() < 5
            and self.is_known(day, zone)
            and self.public_holiday(day, region_code) is None
            and self.break_on(day, zone) is None
        )

    def public_holiday(self, day: date, region_code: str | None = None) -> str | None:
        """French name of a public holiday in the whole region (None: in metropolitan France)."""
        return _public_holidays(self.config.public_holidays.get(region_code or "", ""), day.year).get(day)

    def local_holiday(self, day: date, region_code: str) -> str | None:
        """French name of a public holiday in a part of the region only."""
        if self.public_holiday(day, region_code):
            return None
        names = (
            _public_holidays(part, day.year).get(day) for part in self.config.local_public_holidays.get(region_code, ())
        )
        return next(filter(None, names), None)

    def unknown_regions(self, first: date, last: date) -> tuple[str, ...]:
        """Regions with a zone of which some day from `first` to `last` (included) is not known: reports mark them."""
        return tuple(
            code
            for code, zone in self.zones.items()
            if zone and not (self.is_known(first, zone) and self.is_known(last, zone))
        )

    @cached_property
    def _type(self) -> Callable[[date, str, str | None], DayType]:
        return cache(self._look_up)

    def _look_up(self, day: date, zone: str, region_code: str | None) -> DayType:
        if forced := self._forced(day, zone, region_code):
            return forced.day_type
        is_public = self.public_holiday(day, region_code) is not None
        if not self.is_known(day, zone):
            return DayType.PUBLIC_HOLIDAY if is_public else DayType.UNKNOWN
        if day.weekday() == 6 and self.has_school(day + _DAY, zone, region_code):
            return DayType.SUNDAY_BEFORE_SCHOOL
        if is_public:
            return DayType.PUBLIC_HOLIDAY
        if self.break_on(day, zone):
            return DayType.HOLIDAY
        return DayType.WEEKEND if day.weekday() >= 5 else self._school_day_type(day, zone, region_code)

    def _school_day_type(self, day: date, zone: str, region_code: str | None) -> DayType:
        rentree = self.rentree(school_year_of(day), zone)
        if rentree and rentree <= day < rentree + timedelta(days=RENTREE_WEEK_DAYS):
            return DayType.RENTREE_WEEK
        if self._is_return(day, zone, region_code):
            return DayType.RETURN
        if region_code and self.local_holiday(day, region_code):
            return DayType.LOCAL_HOLIDAY
        return {2: DayType.WEDNESDAY, 4: DayType.FRIDAY}.get(day.weekday(), DayType.SCHOOL_DAY)

    def _is_return(self, day: date, zone: str, region_code: str | None) -> bool:
        for back in range(1, RETURN_LOOK_BACK_DAYS + 1):
            before = day - back * _DAY
            if found := self.break_on(before, zone):
                return found.days >= RETURN_BREAK_DAYS_MIN
            if self.has_school(before, zone, region_code):
                return False
        return False

    def _forced(self, day: date, zone: str, region_code: str | None) -> ForcedDays | None:
        return next((forced for forced in self.config.days if forced.applies(day, zone, region_code)), None)

    @cached_property
    def _breaks(self) -> dict[str, tuple[Break, ...]]:
        found = {zone: self._packaged_breaks(zone) for zone in PACKAGED_ZONES}
        for zone in {year.zone for year in self.config.school_years}:
            years = [year for year in self.config.school_years if year.zone == zone]
            kept = [cut for b in found.get(zone, ()) for cut in _without(b, {year.year for year in years})]
            own = [b for year in years for b in year.all_breaks()]
            found[zone] = tuple(sorted(kept + own, key=lambda b: b.first))
        return found

    def _packaged_breaks(self, zone: str) -> tuple[Break, ...]:
        import holidays

        first, last = self.config.packaged_first, self.config.packaged_last
        # A year more on each side: a break across a bound is known whole.
        years = range(first.year, last.year + 1)
        named = holidays.country_holidays(
            "FR", subdiv=f"Zone {zone}", categories=("school",), years=years, language="fr"
        )
        return tuple(b for b in _runs(sorted(named.items())) if b.last >= first and b.first <= last)


#: Forced day types on which there is no school.
_CLOSED = frozenset(
    {DayType.HOLIDAY, DayType.PUBLIC_HOLIDAY, DayType.WEEKEND, DayType.SUNDAY_BEFORE_SCHOOL, DayType.UNKNOWN}
)


@lru_cache(1024)
def _public_holidays(subdivision: str, year: int) -> dict[date, str]:
    import holidays

    return dict(holidays.country_holidays("FR", subdiv=subdivision or None, years=year, language="fr").items())


def _runs(days: Iterable[tuple[date, str]]) -> list[Break]:
    """Consecutive days of one name as breaks."""
    found: list[Break] = []
    for day, name in days:
        if found and found[-1].name == name and day - found[-1].last == _DAY:
            found[-1] = Break(name, found[-1].first, day)
        else:
            found.append(Break(name, day, day))
    return found


def _without(found: Break, years: set[int]) -> list[Break]:
    """What is left of a break outside these school years."""
    days = (found.first + offset * _DAY for offset in range(found.days))
    return _runs((day, found.name) for day in days if school_year_of(day) not in years)


def load_calendar(config_dir: Path, catalog: Catalog, stand_in: str | None = None) -> SchoolCalendar:
    """Read `calendar.yaml` and `calendar_overrides.yaml`. Zones of which these know nothing have the dates of zone `stand_in`, if any.

    Raises:
        SettingsError: with every problem of a file at once.
    """
    zones = {region.code: region.zone for region in catalog.regions}
    config = read_calendar_config(config_dir, zones)
    known = {*PACKAGED_ZONES, *(year.zone for year in config.school_years)}
    if stand_in is not None:
        zones = {code: zone if zone is None or zone in known else stand_in for code, zone in zones.items()}
    return SchoolCalendar(config, zones)
