"""How many events a second a region has at a moment of a scenario: the levels of its day, and what the scenario adds. Pure."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from streams.catalog import Region, Service
from streams.load_shape import LoadShape, LoginStorm
from streams.simulate.levels import Levels
from streams.simulate.perimeter import Establishments
from streams.simulate.scenario import PARIS, Scenario, ScenarioTraffic

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
    """Events a second by region, at a scenario's time, at one scale. Pure: the same arguments give the same numbers.

    The projects are those of the scenario's day, whatever the time.
    """

    def __init__(
        self, levels: Levels, perimeter: Establishments, traffic: ScenarioTraffic, scenario: Scenario, scale: float
    ) -> None:
        self.regions: tuple[Region, ...] = levels.regions
        self.events_per_visit = scenario.events_per_visit or traffic.events_per_visit
        self._levels = levels
        self._scenario = scenario
        self._zones = [ZoneInfo(region.timezone) for region in self.regions]
        more = scale * self.events_per_visit / traffic.events_per_visit
        if scenario.day == "lockdown":
            more *= levels.shape.lockdown_factor
        self._peaks = [
            levels.peak(code) * more * sum(share for _part, share in perimeter.active(levels, code, scenario.date))
            for code in (region.code for region in self.regions)
        ]

    def events_per_second(self, scenario_s: int) -> list[float]:
        """Expected events a second of each of `regions` at a scenario time (epoch seconds), repeats left out."""
        return [self._rate(index, scenario_s) for index in range(len(self.regions))]

    def repeat_strength(self, scenario_s: int) -> float:
        """How much of `retry_duplicates` applies in metropolitan France: 1 in a storm of the configured height, 0 outside storms."""
        storm = self._levels.shape.login_storm
        local = datetime.datetime.fromtimestamp(scenario_s, PARIS)
        inside = storm_strength(storm, local) > 0
        return min(1.0, (self._scenario.login_storm_multiplier - 1) / (storm.peak_multiplier - 1)) if inside else 0.0

    def _rate(self, index: int, scenario_s: int) -> float:
        local = datetime.datetime.fromtimestamp(scenario_s, self._zones[index])
        factor = self._levels.level(local.date(), self.regions[index].code)
        storm = storm_strength(self._levels.shape.login_storm, local)
        factor *= 1 + (self._scenario.login_storm_multiplier - 1) * storm
        return self._peaks[index] * self._levels.curve[local.hour * 60 + local.minute] * factor
