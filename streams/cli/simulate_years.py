"""`vigie simulate --years`: a simulated past, written straight to an archive."""

import datetime
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.clock import dates
from streams.errors import InputError, VigieError
from streams.history.archive import Archive
from streams.history.day_columns import CutName
from streams.local.leash import die_with
from streams.simulate.levels import load_past, scenario_plan
from streams.simulate.past_days import PastInputs, PastMaker, default_archive_days, load_inputs, scenario_days
from streams.simulate.scenario import checked_scale, load_scenarios
from streams.work_pool import ProcessKilled, WorkPool

YEARS_MIN, YEARS_MAX = 0.02, 10.0
#: Days handed to a process at once.
DAYS_A_TASK = 8
PROCESSES_MAX = 8


class SimulationError(VigieError):
    """Days could not be made."""


def simulate_past(
    config_dir: Path, directory: Path, years: float, *, last_day: datetime.date | None, seed: int, scale: float | None
) -> None:
    """Write the days; what is None is as `scenarios.yaml` says.

    Raises:
        InputError: the request cannot be met, or the directory holds real figures.
    """
    if not YEARS_MIN <= years <= YEARS_MAX:
        raise InputError(f"--years {years:g} is not between {YEARS_MIN:g} and {YEARS_MAX:g}: choose one in that range")
    inputs = load_inputs(config_dir, seed, scale)
    first, last = default_archive_days(inputs.plan, years)
    if last_day is not None:
        first, last = first + (last_day - last), last_day
    wanted = list(dates(first, last))
    size, visits = write_days(inputs, directory, wanted, "simulated days")
    click.echo(
        f"{len(wanted)} days, {first} to {last}, {visits:,} visits, scale {inputs.scale:g}, seed {inputs.seed}: "
        f"{size / 1e6:,.1f} MB in {directory}, {size / len(wanted) / 1e6:.2f} MB a day",
        err=True,
    )


def simulate_scenario_past(config_dir: Path, name: str, directory: Path, seed: int, scale: float | None) -> None:
    """Write the days before a scenario's day, those that are not there yet.

    Raises:
        InputError: there is no such scenario, or the directory holds real figures.
    """
    catalog = load_catalog(config_dir)
    scenario = load_scenarios(config_dir).get(name)
    plan = scenario_plan(load_past(config_dir, catalog))
    inputs = load_inputs(config_dir, seed, checked_scale(scenario, scale), plan)
    wanted = [day for day in scenario_days(inputs.calendar, scenario.date) if not Archive(directory).path(day).exists()]
    size, visits = write_days(inputs, directory, wanted, "days before the scenario") if wanted else (0, 0)
    click.echo(
        f"scenario {name}: {len(wanted)} days before it written, {visits:,} visits, {size / 1e6:,.1f} MB in {directory}",
        err=True,
    )


def write_days(inputs: PastInputs, directory: Path, wanted: Sequence[datetime.date], what: str) -> tuple[int, int]:
    """Write days in several processes; return bytes and visits."""
    Archive(directory).prepare(simulated=True)
    tasks = [wanted[begin : begin + DAYS_A_TASK] for begin in range(0, len(wanted), DAYS_A_TASK)]
    pool = WorkPool(min(PROCESSES_MAX, os.cpu_count() or 1, len(tasks)), 0, die_with)
    write = partial(_write, PastMaker(inputs), Archive(directory), lambda: bool(pool.stopping.value))
    size = visits = done = 0
    with Meter(what, len(wanted)) as meter:

        def add(days: Sequence[datetime.date], written: tuple[int, int]) -> None:
            nonlocal size, visits, done
            size, visits, done = size + written[0], visits + written[1], done + len(days)
            meter.show(done, f"{days[-1]}, {size / 1e6:,.0f} MB")

        try:
            pool.run(write, tasks, add)
        except ProcessKilled:
            raise SimulationError(
                f"a process that writes days was killed, for want of memory perhaps; {done} of {len(wanted)} days are whole: run it again"
            ) from None
    return size, visits


def _write(
    maker: PastMaker, archive: Archive, stop: Callable[[], bool], days: Sequence[datetime.date]
) -> tuple[int, int]:
    size = visits = 0
    for day in days:
        if stop():
            break
        made = maker.day(day)
        size += archive.write(made)
        visits += int(made.rows[CutName.REGION].visits.sum())
    return size, visits
