"""From the command's options to what is run: read the configuration once, name the run, plan."""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from streams.catalog import Catalog, load_catalog
from streams.errors import InputError
from streams.history import SchoolCalendar, load_calendar
from streams.load_shape import LoadShape, load_shape
from streams.simulate.book import TruthBook
from streams.simulate.levels import Levels, PastPlan, load_past, scenario_plan
from streams.simulate.scenario import Scenario, ScenarioTraffic, checked_scale, load_scenarios
from streams.simulate.traffic import Generator, TrafficPlan
from streams.simulate.truth import Truth, load_truth

#: An id is the run's name, a dash and a number: well below the 64 characters of the contract.
RUN_CHARACTERS_MAX = 40


@dataclass(frozen=True, slots=True)
class Configuration:
    """The lists, the load shape and one scenario, as `config/` says."""

    catalog: Catalog
    shape: LoadShape
    traffic: ScenarioTraffic
    scenario: Scenario
    calendar: SchoolCalendar
    past: PastPlan

    @classmethod
    def load(cls, config_dir: Path, scenario: str) -> Configuration:
        """Read everything that a simulation needs.

        Raises:
            SettingsError: a file cannot be used.
            InputError: there is no such scenario.
        """
        catalog = load_catalog(config_dir)
        scenarios = load_scenarios(config_dir)
        chosen = scenarios.get(scenario)
        if chosen.outage and chosen.outage.project not in catalog.project_codes:
            raise InputError(
                f"scenarios.{scenario}: the outage's project {chosen.outage.project!r} is not in projects.yaml"
            )
        past = scenario_plan(load_past(config_dir, catalog))
        calendar = load_calendar(config_dir, catalog)
        return cls(catalog, load_shape(config_dir, catalog), scenarios.traffic, chosen, calendar, past)

    def plan(
        self,
        *,
        seed: int,
        scale: float | None,
        first_s: int,
        shift_seconds: int,
        run: str,
        clean: bool = False,
        objects_only: bool = False,
        begin_s: int | None = None,
    ) -> TrafficPlan:
        """The plan of a simulation that begins with scenario second `first_s`; `begin_s`: with which an earlier run of it began.

        Raises:
            InputError: the scale or the run's name cannot be used.
        """
        chosen = checked_scale(self.scenario, scale)
        if not re.fullmatch(rf"[A-Za-z0-9._-]{{1,{RUN_CHARACTERS_MAX}}}", run):
            raise InputError(
                f"--run {run!r}: use letters, digits, '.', '_' and '-', at most {RUN_CHARACTERS_MAX}; it begins every event's id"
            )
        return TrafficPlan(
            self.catalog,
            self.shape,
            Levels(self.catalog, self.shape, self.calendar, plan=self.past, traffic=self.traffic, seed=seed),
            self.traffic,
            self.scenario,
            seed,
            chosen,
            first_s,
            shift_seconds,
            run,
            clean,
            objects_only,
            begin_s,
        )


def make_book(plan: TrafficPlan, generator: Generator) -> TruthBook:
    """The empty book of a plan."""
    return TruthBook(
        generator.cells,
        scenario=plan.scenario.name,
        seed=plan.seed,
        scale=plan.scale,
        shift_seconds=plan.shift_seconds,
        run=plan.run,
    )


def earlier_truth(path: Path | None, scenario: Scenario, shift_seconds: int) -> Truth | None:
    """The truth that an earlier simulator of the same scenario on the same shift left, to be gone on from; None if there is none."""
    if path is None or not path.exists():
        return None
    found = load_truth(path)
    if (found.scenario, found.shift_seconds) != (scenario.name, shift_seconds):
        raise InputError(
            f"{path} is the truth of another simulation ({found.scenario}): name another file with --truth"
        )
    return found


def new_run() -> str:
    """A run's name that no other run has: the time and random digits."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(4).hex()}"


def derived_run(*parts: object) -> str:
    """A run's name that follows from what the file depends on: the same file twice has the same ids."""
    return "sim-" + hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
