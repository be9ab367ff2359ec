"""From the command's options to what is run: configuration, name and plan of a run; and traffic written to a file, with its truth."""

import hashlib
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from streams.catalog import Catalog, load_catalog
from streams.errors import InputError
from streams.history import SchoolCalendar, load_calendar
from streams.load_shape import LoadShape, load_shape
from streams.simulate.book import TruthBook
from streams.simulate.levels import Levels, PastPlan, load_past, scenario_plan
from streams.simulate.scenario import Scenario, ScenarioTraffic, checked_scale, load_scenarios
from streams.simulate.step import Step
from streams.simulate.traffic import Generator, TrafficPlan
from streams.simulate.truth import Truth, load_truth
from streams.simulate.visits import Load

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
    def load(cls, config_dir: Path, scenario: str) -> "Configuration":
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


PROGRESS_SECONDS = 5.0
#: A longer file would be rejected in part when it is published (`max_age_hours`).
FILE_SECONDS_MAX = 46 * 3600
#: Traffic is random: the time for so many events is reckoned for a few more.
COUNT_MARGIN = 1.05


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What is to be written: `events` lines, or `seconds` of traffic, of the scenario from `first_s` on (its epoch seconds).

    `start_s` is the clock's second of the first event; None lets the traffic end now, so that the file can be published at once.
    """

    seed: int
    scale: float | None
    run: str | None
    clean: bool
    first_s: int
    start_s: int | None
    seconds: int
    events: int | None = None


def plan_file(configuration: Configuration, request: FileRequest, now: float) -> tuple[TrafficPlan, FileRequest]:
    """Choose start and run where they are left open; the same request with a start gives the same plan, whatever the time.

    Raises:
        InputError: the options cannot be used; so many events do not fit into the time that the chain accepts.
    """
    plan = configuration.plan(
        seed=request.seed, scale=request.scale, first_s=request.first_s, shift_seconds=0, run=request.run or "sim",
        clean=request.clean, objects_only=True,
    )  # fmt: skip
    if request.events is not None:
        needed = seconds_needed(plan.load, request.first_s, request.events, FILE_SECONDS_MAX)
        if needed is None:
            raise InputError(
                f"{request.events} events at --scale {plan.scale:g} take more than {FILE_SECONDS_MAX // 3600} hours of traffic, which the "
                "chain would reject as too old: give a larger --scale"
            )
        request = replace(request, seconds=needed)
    start = math.floor((now - request.seconds) / 60) * 60 if request.start_s is None else request.start_s
    run = request.run or derived_run(plan.scenario.name, plan.scale, start, request)
    return replace(plan, shift_seconds=request.first_s - start, run=run), request


def seconds_needed(load: Load, first_s: int, events: int, seconds_max: int) -> int | None:
    """Enough seconds of traffic from scenario second `first_s` on for so many events; None if more than `seconds_max`."""
    expected = 0.0
    for minutes in range(seconds_max // 60 + 1):
        if expected >= events * COUNT_MARGIN:
            return (minutes + 1) * 60
        expected += 60 * sum(load.events_per_second(first_s + minutes * 60))
    return None


def steps_of(generator: Generator, request: FileRequest) -> Iterator[Step]:
    """The steps of a file. What is held back at the end of a number of seconds follows as well, so that nothing is missing."""
    if request.events is None:
        for _ in range(request.seconds):
            yield generator.next_step()
        yield from generator.held_back()
    else:
        left = request.events
        while left > 0:  # ends: every minute of a day has events
            step = generator.next_step()
            yield step if len(step) <= left else step.cut(left)
            left -= len(step)


def write_steps(steps: Iterator[Step], book: TruthBook, out: BinaryIO, say: Callable[[str], None]) -> None:
    """Write the lines of the steps and count them in the book."""
    said = time.monotonic()
    for step in steps:
        lines = [special.value for special in step.specials] + step.values
        if lines:
            out.write(b"\n".join(lines) + b"\n")
        book.add(step)
        if time.monotonic() - said >= PROGRESS_SECONDS:
            said = time.monotonic()
            say(f"{book.published} lines written")


def write_file(steps: Iterator[Step], book: TruthBook, path: Path, say: Callable[[str], None]) -> None:
    """Write a file; it appears whole under its name or not at all.

    Raises:
        InputError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as out:
            write_steps(steps, book, out, say)
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}; free space or name another file"
        ) from None
    finally:
        part.unlink(missing_ok=True)
