"""What `config/calendar.yaml` and `config/calendar_overrides.yaml` say, checked."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from streams.yaml_file import convert_section, read_mapping, section_error

T = TypeVar("T")


class DayType(StrEnum):
    """What kind of day it is in a school-holiday zone or region; days of one type are comparable. Weekdays are Monday to Friday."""

    SCHOOL_DAY = "school_day"  # a Monday, Tuesday or Thursday with school
    WEDNESDAY = "wednesday"  # with school, mostly in the morning
    FRIDAY = "friday"  # with school, the weekend before it
    WEEKEND = "weekend"  # outside holidays, but for the next one
    SUNDAY_BEFORE_SCHOOL = "sunday_before_school"  # school the next day; the last Sunday of holidays, too
    HOLIDAY = "holiday"  # school holidays, their weekends included
    PUBLIC_HOLIDAY = "public_holiday"  # in the whole region
    LOCAL_HOLIDAY = "local_holiday"  # public in a part of the region (Alsace-Moselle), on a day of school
    RETURN = "return"  # first school day after holidays of a week or more
    RENTREE_WEEK = "rentree_week"  # school days among the seven days that begin with the rentrée
    UNKNOWN = "unknown"  # nobody told when there is school


class Break(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """School holidays in one zone: both days included; `name` in French."""

    name: str
    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def days(self) -> int:
        """How many days it lasts."""
        return (self.last - self.first).days + 1


class SchoolYear(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One whole school year of one zone, in place of whatever was known of it; `summer` is its first day of summer holidays."""

    zone: str
    year: Annotated[int, Meta(ge=2000, le=2199)]
    rentree: date
    summer: date
    breaks: tuple[Break, ...] = ()

    def all_breaks(self) -> list[Break]:
        """The holidays named, and those of the summer before and after, from 1 August to 31 July."""
        begin, end = date(self.year, 8, 1), date(self.year + 1, 7, 31)
        before = [Break("Vacances d'été", begin, self.rentree - timedelta(days=1))] if self.rentree > begin else []
        return [*before, *self.breaks, Break("Vacances d'été", self.summer, end)]

    def problems(self) -> Iterator[str]:
        """What is wrong with it."""
        begin, end = date(self.year, 8, 1), date(self.year + 1, 7, 31)
        where = f"school_years: {self.zone} {self.year}"
        if not begin <= self.rentree < self.summer <= end:
            yield f"{where}: rentree ({self.rentree}) and summer ({self.summer}) must lie in this order from {begin} to {end}"
        latest = self.rentree
        for told in self.breaks:
            if not latest < told.first <= told.last < self.summer:
                yield f"{where}: {told.name} ({told.first} to {told.last}) must follow the break before it, between rentree and summer"
            latest = max(latest, told.last)


class ForcedDays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days whose type is told outright, in zones, regions, or (with neither) everywhere; `label` says why."""

    first: date
    last: date
    day_type: DayType
    label: str
    zones: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    def applies(self, day: date, zone: str, region_code: str | None) -> bool:
        """Whether it tells the type of this day there."""
        is_there = not (self.zones or self.regions) or zone in self.zones or region_code in self.regions
        return is_there and self.first <= day <= self.last


class _Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    packaged_first: date
    packaged_last: date
    public_holidays: dict[str, str]
    local_public_holidays: dict[str, tuple[str, ...]]


class _Overrides(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    school_years: tuple[SchoolYear, ...] = ()
    days: tuple[ForcedDays, ...] = ()


class CalendarConfig(_Calendar, frozen=True):
    """Both files. `public_holidays` is region -> subdivision of `holidays`; the local ones hold in a part of the region."""

    school_years: tuple[SchoolYear, ...] = ()
    days: tuple[ForcedDays, ...] = ()


def read_calendar_config(config_dir: Path, zones: Mapping[str, str | None]) -> CalendarConfig:
    """Read both files; `zones` is region -> zone, what they may name.

    Raises:
        SettingsError: with every problem of a file at once.
    """
    path, overrides_path = config_dir / "calendar.yaml", config_dir / "calendar_overrides.yaml"
    base, told = _converted(path, _Calendar), _converted(overrides_path, _Overrides)
    for where, found in ((path, _base_problems(base, zones)), (overrides_path, _override_problems(told, zones))):
        if problems := list(found):
            raise section_error(where, problems)
    return CalendarConfig(**msgspec.structs.asdict(base), **msgspec.structs.asdict(told))


def _base_problems(base: _Calendar, zones: Mapping[str, str | None]) -> Iterator[str]:
    import holidays

    subdivisions = holidays.country_holidays("FR").subdivisions
    if base.packaged_first > base.packaged_last:
        yield f"packaged_first ({base.packaged_first}) lies after packaged_last ({base.packaged_last})"
    local = ((region, part) for region, parts in base.local_public_holidays.items() for part in parts)
    for region, subdivision in (*base.public_holidays.items(), *local):
        if region not in zones:
            yield f"region {region!r} is not in regions.yaml"
        if subdivision not in subdivisions:
            yield f"region {region}: the package `holidays` knows no subdivision {subdivision!r}"


def _override_problems(told: _Overrides, zones: Mapping[str, str | None]) -> Iterator[str]:
    known = {zone for zone in zones.values() if zone}
    for year in told.school_years:
        if year.zone not in known:
            yield f"school_years: zone {year.zone!r} is not in regions.yaml ({', '.join(sorted(known))})"
        yield from year.problems()
    for (zone, number), times in Counter((year.zone, year.year) for year in told.school_years).items():
        if times > 1:
            yield f"school_years: {zone} {number} is told twice"
    for forced in told.days:
        if forced.first > forced.last:
            yield f"days: {forced.label}: first ({forced.first}) lies after last ({forced.last})"
        for code in set(forced.zones) - known:
            yield f"days: {forced.label}: zone {code!r} is not in regions.yaml ({', '.join(sorted(known))})"
        for code in set(forced.regions) - set(zones):
            yield f"days: {forced.label}: region {code!r} is not in regions.yaml"


def _converted(path: Path, kind: type[T]) -> T:
    problems: list[str] = []
    found = convert_section(read_mapping(path), kind, "", problems)
    if found is None:
        raise section_error(path, problems)
    return found
