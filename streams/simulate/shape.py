"""The load curve of `config/load_shape.yaml`: how many events a second a region has at a moment of a scenario. Pure."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from streams.catalog import Catalog, Region, Service
from streams.load_shape import WEEKDAYS, LoadShape, LoginStorm, curve, rentree_factor
from streams.simulate.scenario import PARIS, Scenario, Traffic

#: The login storm rises over this part of its length and falls over the rest.
STORM_RISE_SHARE = 0.2


def storm_strength(storm: LoginStorm, local: datetime.datetime) -> float:
    """How strong the login storm is, 0 to 1, at a local time; there is none at weekends."""
    minute = local.hour * 60 + local.minute + local.second / 60 - storm.start_minute
    if local.weekday() >= 5 or not 0 <= minute < storm.minutes:
        return 0.0
    rise = storm.minutes * STORM_RISE_SHARE
    return minute / rise if minute < rise else (storm.minutes - minute) / (storm.minutes - rise)


def service_weights(shape: LoadShape, scenario: Scenario, services: tuple[Service, ...]) -> dict[str, float]:
    """Share of the events by service; in a lockdown some services gain at the others' cost."""
    uplift = shape.lockdown_service_uplift if scenario.day == "lockdown" else {}
    raw = {service.code: service.weight * uplift.get(service.code, 1.0) for service in services}
    total = sum(raw.values())
    return {code: weight / total for code, weight in raw.items()}


class Load:
    """Events a second by region, at a scenario's time, at one scale. Pure: the same arguments give the same numbers."""

    def __init__(self, catalog: Catalog, shape: LoadShape, traffic: Traffic, scenario: Scenario, scale: float) -> None:
        self.regions: tuple[Region, ...] = tuple(region for region in catalog.regions if region.weight > 0)
        self.events_per_visit = scenario.events_per_visit or traffic.events_per_visit
        self._shape = shape
        self._scenario = scenario
        self._curve = curve(shape)
        self._zones = [ZoneInfo(region.timezone) for region in self.regions]
        total = sum(region.weight for region in self.regions)
        peak = traffic.normal_peak_events_per_second * scale / shape.weekday[traffic.normal_weekday]
        peak *= self.events_per_visit / traffic.events_per_visit
        self._peaks = [peak * region.weight / total for region in self.regions]

    def events_per_second(self, scenario_s: int) -> list[float]:
        """Expected events a second of each of `regions` at a scenario time (epoch seconds), repeats left out."""
        return [self._rate(index, scenario_s) for index in range(len(self.regions))]

    def repeat_strength(self, scenario_s: int) -> float:
        """How much of `retry_duplicates` applies in metropolitan France: 1 in a storm of the configured height, 0 outside storms."""
        storm = self._shape.login_storm
        local = datetime.datetime.fromtimestamp(scenario_s, PARIS)
        inside = storm_strength(storm, local) > 0
        return min(1.0, (self._scenario.login_storm_multiplier - 1) / (storm.peak_multiplier - 1)) if inside else 0.0

    def _rate(self, index: int, scenario_s: int) -> float:
        local = datetime.datetime.fromtimestamp(scenario_s, self._zones[index])
        shape, scenario = self._shape, self._scenario
        factor = shape.weekday[WEEKDAYS[local.weekday()]]
        if scenario.day == "rentree":
            factor *= rentree_factor(shape, (local.date() - scenario.date).days)
        elif scenario.day == "lockdown":
            factor *= shape.lockdown_factor
        factor *= 1 + (scenario.login_storm_multiplier - 1) * storm_strength(shape.login_storm, local)
        return self._peaks[index] * self._curve[local.hour * 60 + local.minute] * factor
