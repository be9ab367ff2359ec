"""A past that was never measured: imported weekly figures spread by the load shape. Always marked « estimée d'après le DNMA ».

A week's visits go to its days by `day_weight`, a day's to its minutes by the hourly curve in local time: an expectation, without noise.
Weekly figures cover the establishments of their file alone: a region without any is unknown, not zero; nothing is known by project.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.catalog import Catalog
from streams.clock import dates, paris_day
from streams.history.calendar import SchoolCalendar, school_year_of
from streams.history.calendar_config import DayType
from streams.history.day_columns import CutName
from streams.history.side import DAY_MINUTES, Known, Minutes, Side, Sum, in_epoch
from streams.history.weeks import Weeks
from streams.load_shape import WEEKDAYS, LoadShape, curve, rentree_factor

WEEK_DAYS = 7
#: The kind of weekly figures that tells each cut.
_KIND_OF = {
    CutName.REGION: "profile",
    CutName.PROFILE_REGION: "profile",
    CutName.ACADEMY: "profile",
    CutName.REGION_SERVICE: "service",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected visits from weekly figures. Zones without a known calendar are spread as zone `stand_in` is."""

    catalog: Catalog
    calendar: SchoolCalendar
    shape: LoadShape
    weeks: Weeks
    stand_in: str = "A"

    def known(self, day: date) -> Known:
        """What is known of a day: all of it where its week was imported, by the cuts that weekly figures have."""
        kinds = {kind for kind in ("profile", "service") if (_monday(day), kind) in self.weeks}
        return {cut: np.full(DAY_MINUTES, _KIND_OF.get(cut) in kinds) for cut in CutName}

    def regions(self, days: Sequence[date], kind: str) -> frozenset[str]:
        """The regions that have figures in each of these days' weeks that were imported."""
        weeks = [self.weeks[key] for key in {(_monday(day), kind) for day in days} if key in self.weeks]
        return frozenset.intersection(*(frozenset(week.establishments) for week in weeks)) if weeks else frozenset()

    def day_visits(self, day: date, region: str, profile: str | None = None) -> float:
        """Visits of one day in a region."""
        week = self.weeks.get((_monday(day), "profile"))
        return self.share_of_week(day, region) * week.of(region, None, profile) if week else 0.0

    def minute_visits(self, region: str, first: int, end: int) -> NDArray[np.float64]:
        """Expected visits of the epoch minutes `first <= minute < end` in a region; NaN in weeks that were not imported."""
        found = np.full(end - first, np.nan)
        zone = self._zone(region)
        shape = np.array(curve(self.shape))
        shape /= shape.sum()
        for offset in range(end - first):
            local = datetime.fromtimestamp((first + offset) * 60, UTC).astimezone(zone)
            if (_monday(local.date()), "profile") in self.weeks:
                found[offset] = self.day_visits(local.date(), region) * shape[local.hour * 60 + local.minute]
        return found

    def side(self, days: Sequence[date], compared: Sequence[Known]) -> Side:
        """One side of a report: visits alone, by region, academy, profile, service; `compared` is what counts of each day."""
        used = [day for day, known in zip(days, compared, strict=True) if known[CutName.REGION].any()]
        of_services = [day for day, known in zip(days, compared, strict=True) if known[CutName.REGION_SERVICE].any()]
        regions, service_regions = self.regions(used, "profile"), self.regions(of_services, "service")
        cuts = frozenset(cut for cut in CutName if any(known[cut].any() for known in compared))
        side = Side(tuple(days), cuts=cuts, estimated=True, regions=regions, service_regions=service_regions)
        for region in sorted({*regions, *service_regions}):
            self._add_region(side, region, compared)
        weeks = [self.weeks[key] for key in {(_monday(day), "profile") for day in used} if key in self.weeks]
        for region in regions:
            side.establishments["region", region] = max(week.establishments[region] for week in weeks)
        if weeks:
            side.establishments["national", "FR"] = max(
                sum(n for region, n in week.establishments.items() if region in regions) for week in weeks
            )
        first, end = paris_day(days[0])
        seen = [code for code in regions if self.day_visits(days[0], code) > 0]
        if seen:
            minutes = sum((np.nan_to_num(self.minute_visits(code, first, end)) for code in seen), np.zeros(end - first))
            side.first_day = (first, minutes.round().astype(np.int64))
        return side

    def _add_region(self, side: Side, region: str, compared: Sequence[Known]) -> None:
        family = {service.code: service.family for service in self.catalog.services}
        if region in (side.regions or ()):
            by_region = _Spread(self, side.days, region, [known[CutName.REGION] for known in compared], "profile")
            by_region.add(side, ("region", region), ("national", "FR"))
            for academy in self._academies(region):
                by_region.add(side, ("academy", academy), academy=academy)
            for profile in self.catalog.profile_codes:
                side.profile_visits[region, profile] = by_region.add(side, ("profile", profile), code=profile)
        if region in (side.service_regions or ()):
            spread = _Spread(self, side.days, region, [known[CutName.REGION_SERVICE] for known in compared], "service")
            for service in self.catalog.service_codes:
                names = [
                    ("service", service),
                    ("family", family.get(service, service)),
                    *(("group", g) for g, members in self.catalog.published_groups.items() if service in members),
                ]
                side.service_visits[region, service] = spread.add(side, *names, code=service)

    def part_of_day(self, region: str, day: date, minutes: Minutes) -> float:
        """Which part of a day's visits falls into these minutes of the clock in Paris."""
        if minutes.all() or not minutes.any():
            return float(minutes.any())
        first, end = paris_day(day)
        zone, shape = self._zone(region), np.array(curve(self.shape))
        inside = in_epoch(minutes, day)
        moments = [
            datetime.fromtimestamp((first + int(offset)) * 60, UTC).astimezone(zone)
            for offset in np.flatnonzero(inside[: end - first])
        ]
        return float(sum(shape[moment.hour * 60 + moment.minute] for moment in moments) / shape.sum())

    def share_of_week(self, day: date, region: str) -> float:
        """Which part of a week's visits falls on a day in a region."""
        week = dates(_monday(day), _monday(day) + timedelta(days=WEEK_DAYS - 1))
        return self._weight(day, region) / sum(self._weight(one, region) for one in week)

    def _weight(self, day: date, region: str) -> float:
        zone = self.calendar.zones.get(region)
        known = zone if zone and self.calendar.is_known(day, zone) else self.stand_in
        return day_weight(self.shape, self.calendar, known, day)

    def _zone(self, region: str) -> ZoneInfo:
        return ZoneInfo(next((r.timezone for r in self.catalog.regions if r.code == region), "Europe/Paris"))

    def _academies(self, region: str) -> list[str]:
        return [academy.code for r in self.catalog.regions if r.code == region for academy in r.academies]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


class _Spread:
    """Adds a region's visits to a side: of whole days, and of the part of them that is compared."""

    def __init__(
        self, estimate: Estimate, days: Sequence[date], region: str, compared: Sequence[Minutes], kind: str
    ) -> None:
        self._region = region
        self._weeks = [estimate.weeks.get((_monday(day), kind)) for day in days]
        self._share = np.array([estimate.share_of_week(day, region) for day in days])
        self._part = np.array(
            [estimate.part_of_day(region, day, minutes) for day, minutes in zip(days, compared, strict=True)]
        )

    def add(self, side: Side, *names: tuple[str, str], academy: str | None = None, code: str | None = None) -> int:
        """Add to what is named; return the visits compared."""
        of_week = [week.of(self._region, academy, code) if week else 0 for week in self._weeks]
        visits = self._share * np.array(of_week, np.float64)
        compared = visits * self._part
        if visits.any():
            for name in names:
                found = side.sums.setdefault(name, Sum.zeros(len(visits)))
                found.by_day += visits.round().astype(np.int64)
                found.compared_by_day += compared.round().astype(np.int64)
        return round(float(compared.sum()))


_CLOSED = (DayType.HOLIDAY, DayType.PUBLIC_HOLIDAY, DayType.SUNDAY_BEFORE_SCHOOL)


def day_weight(shape: LoadShape, calendar: SchoolCalendar, zone: str, day: date) -> float:
    """The weight of a day in a zone: its weekday's, less in holidays and summer, more after a rentrée."""
    kind = calendar.zone_day_type(day, zone)
    weekday = shape.weekday[WEEKDAYS[day.weekday()]]
    rentree = calendar.rentree(school_year_of(day), zone)
    since = (day - rentree).days if rentree else 999
    if since < 0 or day.month in (7, 8):
        ramp = _ramp(shape, since) if since < 0 else shape.summer_factor
        return weekday * ramp if kind in _CLOSED else weekday
    if kind in (DayType.HOLIDAY, DayType.PUBLIC_HOLIDAY):
        return weekday * shape.holiday_factor
    return weekday * rentree_factor(shape, since)


def _ramp(shape: LoadShape, days: int) -> float:
    """The summer before a rentrée: straight lines between the listed days before it, the summer's factor before the first."""
    points = sorted((-int(name.removeprefix("d-")), value) for name, value in shape.pre_rentree_ramp.items())
    points = [(points[0][0] - 7, shape.summer_factor), *points, (0, 1.0)]
    at, factors = zip(*points, strict=True)
    return float(np.interp(days, at, factors))
