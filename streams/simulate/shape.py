"""The load curve of `config/load_shape.yaml`: how many events a second a region has at a moment of a scenario. Pure."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from streams.catalog import Catalog, Region, Service, read_yaml
from streams.simulate.scenario import PARIS, Clock, Scenario, Share, Traffic, Weekday, convert_section, section_error

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The login storm rises over this part of its length and falls over the rest.
STORM_RISE_SHARE = 0.2
_DAY_MINUTES = 24 * 60


class LoginStorm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody logs in at once, from `start` local time on; `retry_duplicates` of the events are then sent twice."""

    start: Clock
    minutes: Annotated[int, Meta(ge=1, le=600)]
    peak_multiplier: Annotated[float, Meta(gt=1, le=20)]
    retry_duplicates: Share

    @property
    def start_minute(self) -> int:
        """Minutes after local midnight."""
        return int(self.start[:2]) * 60 + int(self.start[3:])


class LoadShape(msgspec.Struct, frozen=True):
    """The members of `load_shape.yaml` that a simulated day needs; the others are for other uses and left unread."""

    hourly_local: Annotated[tuple[Share, ...], Meta(min_length=24, max_length=24)]
    weekday: dict[Weekday, Annotated[float, Meta(gt=0)]]
    rentree_factor: dict[Annotated[str, Meta(pattern=r"^d[0-9]{1,3}$")], Annotated[float, Meta(gt=0)]]
    holiday_factor: Annotated[float, Meta(gt=0)]
    summer_factor: Annotated[float, Meta(gt=0)]
    pre_rentree_ramp: dict[Annotated[str, Meta(pattern=r"^d-[0-9]{1,3}$")], Annotated[float, Meta(gt=0)]]
    lockdown_factor: Annotated[float, Meta(gt=0)]
    lockdown_service_uplift: dict[str, Annotated[float, Meta(gt=0)]]
    login_storm: LoginStorm


def load_shape(config_dir: Path, catalog: Catalog) -> LoadShape:
    """Read `load_shape.yaml`.

    Raises:
        SettingsError: it cannot be used; the message says where.
    """
    path = config_dir / "load_shape.yaml"
    document = read_yaml(path)
    section = document.get("load_shape") if isinstance(document, dict) else None
    problems: list[str] = []
    shape = convert_section(section, LoadShape, "load_shape", problems)
    if shape:
        problems += [f"weekday: {day} is missing" for day in WEEKDAYS if day not in shape.weekday]
        known = set(catalog.service_codes)
        problems += [
            f"lockdown_service_uplift: {code} is not in services.yaml"
            for code in shape.lockdown_service_uplift
            if code not in known
        ]
        if not any(shape.hourly_local):
            problems.append("hourly_local: every hour is 0")
        if "d0" not in shape.rentree_factor:
            problems.append("rentree_factor: d0 is missing")
    if problems or shape is None:
        raise section_error(path, problems)
    return shape


def curve(shape: LoadShape) -> tuple[float, ...]:
    """The day by local minute, 1.0 at its highest: straight lines between the middles of the hours, across midnight."""
    hours = shape.hourly_local
    values = []
    for minute in range(_DAY_MINUTES):
        position = minute / 60 - 0.5
        hour = int(position // 1)
        part = position - hour
        values.append(hours[hour % 24] * (1 - part) + hours[(hour + 1) % 24] * part)
    highest = max(values)
    return tuple(value / highest for value in values)


def storm_strength(storm: LoginStorm, local: datetime.datetime) -> float:
    """How strong the login storm is, 0 to 1, at a local time; there is none at weekends."""
    minute = local.hour * 60 + local.minute + local.second / 60 - storm.start_minute
    if local.weekday() >= 5 or not 0 <= minute < storm.minutes:
        return 0.0
    rise = storm.minutes * STORM_RISE_SHARE
    return minute / rise if minute < rise else (storm.minutes - minute) / (storm.minutes - rise)


def rentree_factor(shape: LoadShape, days: int) -> float:
    """The factor `days` after the rentrée: straight lines between the listed days, 1.0 before the first and a week after the last."""
    points = sorted((int(name[1:]), value) for name, value in shape.rentree_factor.items())
    points.append((points[-1][0] + 7, 1.0))
    if days < points[0][0]:
        return 1.0
    for (day, value), (next_day, next_value) in itertools.pairwise(points):
        if days < next_day:
            return value + (next_value - value) * (days - day) / (next_day - day)
    return 1.0


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
