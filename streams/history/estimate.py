"""A past that was never measured: imported weekly figures spread by the load shape. Always marked « estimée d'après le DNMA ».

A week's visits go to its days by `day_weight`, a day's to its minutes by the hourly curve in local time: an expectation, without noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.catalog import Catalog
from streams.history.calendar import SchoolCalendar
from streams.history.day_weight import day_weight
from streams.history.days import paris_day
from streams.history.side import Side, Sum
from streams.history.weekly import Week
from streams.load_shape import LoadShape, curve

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected visits from weekly figures. Zones without a known calendar are spread as zone `stand_in` is."""

    catalog: Catalog
    calendar: SchoolCalendar
    shape: LoadShape
    weeks: Mapping[tuple[date, str], Week]
    stand_in: str = "A"

    def covers(self, days: Sequence[date]) -> bool:
        """Whether all weeks of these days were imported, by profile: they tell visits."""
        return all((_monday(day), "profile") in self.weeks for day in days)

    def day_visits(self, day: date, region: str, academy: str | None = None, profile: str | None = None) -> float:
        """Visits of one day in a region."""
        week = self.weeks.get((_monday(day), "profile"))
        return self._share(day, region) * week.of(region, academy, profile) if week else 0.0

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

    def side(self, days: Sequence[date]) -> Side:
        """One side of a report: visits alone, by region, academy, profile, service."""
        side = Side(tuple(days), estimated=True)
        for region in self.catalog.region_codes:
            visits = np.array([self.day_visits(day, region) for day in days])
            self._add(side, "region", region, visits)
            self._add(side, "national", "FR", visits)
            for academy in self._academies(region):
                self._add(side, "academy", academy, np.array([self.day_visits(day, region, academy) for day in days]))
            for profile in self.catalog.profile_codes:
                of_profile = np.array([self.day_visits(day, region, profile=profile) for day in days])
                self._add(side, "profile", profile, of_profile)
                side.profile_visits[region, profile] = round(of_profile.sum())
            self._add_services(side, days, region)
        self._add_first_day(side, days[0])
        return side

    def _add_services(self, side: Side, days: Sequence[date], region: str) -> None:
        family = {service.code: service.family for service in self.catalog.services}
        for service in self.catalog.service_codes:
            visits = np.array(
                [
                    self._share(day, region) * week.of(region, None, service)
                    if (week := self.weeks.get((_monday(day), "service")))
                    else 0.0
                    for day in days
                ]
            )
            side.service_visits[region, service] = round(visits.sum())
            self._add(side, "service", service, visits)
            self._add(side, "family", family.get(service, service), visits)
            for group, members in self.catalog.published_groups.items():
                if service in members:
                    self._add(side, "group", group, visits)

    def _add(self, side: Side, by: str, code: str, visits: NDArray[np.float64]) -> None:
        if visits.any():
            found = side.sums.setdefault((by, code), Sum(np.zeros(len(visits), np.int64)))
            found.by_day += visits.round().astype(np.int64)

    def _add_first_day(self, side: Side, day: date) -> None:
        first, end = paris_day(day)
        regions = [code for code in self.catalog.region_codes if self.day_visits(day, code) > 0]
        if regions:
            minutes = sum(
                (np.nan_to_num(self.minute_visits(code, first, end)) for code in regions), np.zeros(end - first)
            )
            side.first_day = (first, minutes.round().astype(np.int64))

    def _share(self, day: date, region: str) -> float:
        monday = _monday(day)
        weights = [self._weight(monday + timedelta(days=offset), region) for offset in range(WEEK_DAYS)]
        return self._weight(day, region) / sum(weights)

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
