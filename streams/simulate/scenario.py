"""Scenarios of `config/scenarios.yaml`: which day is simulated, how it differs from a normal one, and where it lies on the clock."""

import datetime
import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streams.clock import PARIS
from streams.errors import InputError
from streams.load_shape import Clock, Share, Weekday
from streams.yaml_file import convert_section, read_mapping, section_error

#: Simulated seconds per second while the run-up is sent: 40 simulated minutes arrive in 96 s.
DEFAULT_SPEED = 25.0
#: Below 2 the run-up would hardly end; above, a machine that can send a day in a second would not be told apart from a typing error.
SPEED_MIN, SPEED_MAX = 2.0, 86_400.0
SCALE_MIN, SCALE_MAX = 0.0001, 10.0
#: A repeat of a delayed event arrives after both delays: together they must stay below the default lateness of 20 s.
DELAYS_SECONDS_MAX = 15

Positive = Annotated[float, Meta(gt=0)]


class ScenarioTraffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all scenarios share; each member is explained in `config/scenarios.yaml`."""

    normal_peak_events_per_second: Positive
    normal_weekday: Weekday
    events_per_visit: Annotated[float, Meta(ge=2, le=100)]
    visit_courses: Annotated[int, Meta(ge=1, le=1000)]
    visit_seconds_max: Annotated[int, Meta(ge=60, le=7200)]
    return_share: Share
    pause_seconds_max: Annotated[int, Meta(ge=600, le=7200)]
    establishments: Annotated[int, Meta(ge=1, le=50_000)]
    establishments_per_region_min: Annotated[int, Meta(ge=1, le=1000)]
    departement_project_share: Share
    national_project_share: Share
    type_share: Share
    device_share: Share
    tool_share: Share
    repeat_share: Share
    repeat_delay_seconds_max: Annotated[int, Meta(ge=1)]
    delayed_share: Share
    delay_seconds_max: Annotated[int, Meta(ge=1)]
    broken_share: Share
    unknown_share: Share


class Outage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project that sends nothing from `first` (Paris) on, for so many minutes: its events are never made."""

    project: str
    first: Clock
    minutes: Annotated[int, Meta(ge=1, le=24 * 60)]


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One simulated day, put on the clock so that `live_from` (Europe/Paris) is reached when the run-up has been sent."""

    label: str
    date: datetime.date
    day: Literal["normal", "rentree", "lockdown"]
    login_storm_multiplier: Annotated[float, Meta(ge=1, le=20)]
    live_from: Clock
    past_minutes: Annotated[int, Meta(ge=0, le=24 * 60)]
    default_scale: Annotated[float, Meta(ge=SCALE_MIN, le=SCALE_MAX)]
    events_per_visit: Annotated[float, Meta(ge=2, le=100)] | None = None
    outage: Outage | None = None
    name: str = ""

    def at(self, clock: str) -> int:
        """Epoch seconds of `HH:MM` Paris time on the scenario's day."""
        return int(datetime.datetime.combine(self.date, datetime.time.fromisoformat(clock), PARIS).timestamp())

    def is_out(self, scenario_s: int) -> bool:
        """Whether a project is out at a scenario's second."""
        first = self.at(self.outage.first) if self.outage else scenario_s + 1
        return self.outage is not None and first <= scenario_s < first + self.outage.minutes * 60

    @property
    def live_from_s(self) -> int:
        """Scenario time (epoch seconds) at which live traffic begins."""
        return self.at(self.live_from)

    @property
    def begin_s(self) -> int:
        """Scenario time (epoch seconds) of the first simulated event of the run-up."""
        return self.live_from_s - self.past_minutes * 60


class Scenarios(msgspec.Struct, frozen=True):
    """All of `config/scenarios.yaml`."""

    traffic: ScenarioTraffic
    by_name: dict[str, Scenario]

    def get(self, name: str) -> Scenario:
        """Return a scenario.

        Raises:
            InputError: there is none of that name; the message lists those there are.
        """
        if name not in self.by_name:
            raise InputError(f"no scenario {name!r}: choose one of {', '.join(self.by_name)} (config/scenarios.yaml)")
        return self.by_name[name]


def checked_scale(scenario: Scenario, scale: float | None) -> float:
    """Return the scale asked for, or the scenario's own for None.

    Raises:
        InputError: it is out of bounds, or no number.
    """
    chosen = scenario.default_scale if scale is None else scale
    if not SCALE_MIN <= chosen <= SCALE_MAX:
        raise InputError(f"--scale {chosen:g} is not between {SCALE_MIN:g} and {SCALE_MAX:g}: choose one in that range")
    return chosen


def scenario_shift_seconds(scenario: Scenario, now_s: float, speed: float = DEFAULT_SPEED) -> int:
    """Return scenario time minus clock, in whole seconds, for a simulator that starts at the clock's `now_s`.

    The run-up of `past_minutes` takes `past / speed` real seconds; when it has been sent, the scenario's time is `live_from`. The first
    event therefore lies at `now - past + past / speed`, and no event ever lies ahead of the clock.
    """
    if not SPEED_MIN <= speed <= SPEED_MAX:
        raise InputError(f"--speed {speed:g} is not between {SPEED_MIN:g} and {SPEED_MAX:g}: choose one in that range")
    return scenario.live_from_s - math.floor(now_s) - math.ceil(scenario.past_minutes * 60 / speed)


def load_scenarios(config_dir: Path) -> Scenarios:
    """Read `scenarios.yaml`.

    Raises:
        SettingsError: with one problem of each section that has any.
    """
    path = config_dir / "scenarios.yaml"
    sections = read_mapping(path)
    problems: list[str] = []
    traffic = convert_section(sections.get("traffic"), ScenarioTraffic, "traffic", problems)
    if traffic and traffic.repeat_delay_seconds_max + traffic.delay_seconds_max > DELAYS_SECONDS_MAX:
        problems.append(
            f"traffic: repeat_delay_seconds_max + delay_seconds_max exceed {DELAYS_SECONDS_MAX} s: delayed events would be late"
        )
    named = sections.get("scenarios")
    if not isinstance(named, dict) or not named:
        problems.append("needs a non-empty mapping under `scenarios:`")
        named = {}
    by_name = {
        str(name): msgspec.structs.replace(scenario, name=str(name))
        for name, section in named.items()
        if (scenario := convert_section(section, Scenario, f"scenarios.{name}", problems))
    }
    if problems or traffic is None:
        raise section_error(path, problems)
    return Scenarios(traffic, by_name)
