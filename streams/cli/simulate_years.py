"""`vigie simulate --years`: a simulated past, written straight to an archive."""

from __future__ import annotations

import datetime
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import c_bool
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.sharedctypes import RawValue
from pathlib import Path

import click

from streams.catalog import load_catalog
from streams.cli.progress import Meter
from streams.errors import InputError, VigieError
from streams.history.archive import Archive
from streams.history.paris_days import dates
from streams.local.leash import die_with
from streams.simulate.levels import load_past, scenario_plan
from streams.simulate.past_days import PastInputs, PastMaker, default_archive_days, load_inputs, scenario_days
from streams.simulate.scenario import checked_scale, load_scenarios

YEARS_MIN, YEARS_MAX = 0.02, 10.0
#: Days handed to a process at once.
DAYS_A_TASK = 8
PROCESSES_MAX = 8


class SimulationError(VigieError):
    """Days could not be made."""


@dataclass(frozen=True, slots=True)
class PastRequest:
    """What is asked for; None: as `scenarios.yaml` says."""

    directory: Path
    years: float
    last_day: datetime.date | None
    seed: int
    scale: float | None


def simulate_past(config_dir: Path, request: PastRequest) -> None:
    """Write the days.

    Raises:
        InputError: the request cannot be met, or the directory holds real figures.
    """
    if not YEARS_MIN <= request.years <= YEARS_MAX:
        raise InputError(
            f"--years {request.years:g} is not between {YEARS_MIN:g} and {YEARS_MAX:g}: choose one in that range"
        )
    inputs = load_inputs(config_dir, request.seed, request.scale)
    first, last = default_archive_days(inputs.plan, request.years)
    if request.last_day is not None:
        first, last = first + (request.last_day - last), request.last_day
    wanted = list(dates(first, last))
    size, visits = write_days(inputs, request.directory, wanted, "simulated days")
    click.echo(
        f"{len(wanted)} days, {first} to {last}, {visits:,} visits, scale {inputs.scale:g}, seed {inputs.seed}: "
        f"{size / 1e6:,.1f} MB in {request.directory}, {size / len(wanted) / 1e6:.2f} MB a day",
        err=True,
    )


def simulate_scenario_past(config_dir: Path, name: str, directory: Path, seed: int, scale: float | None) -> None:
    """Write the days before a scenario's day, those that are not there yet.

    Raises:
        InputError: there is no such scenario, or the directory holds real figures.
    """
    catalog = load_catalog(config_dir)
    scenario = load_scenarios(config_dir).get(name)
    chosen = checked_scale(scenario, scale)
    inputs = load_inputs(config_dir, seed, chosen, scenario_plan(load_past(config_dir, catalog)))
    wanted = [day for day in scenario_days(inputs.calendar, scenario.date) if not Archive(directory).path(day).exists()]
    size, visits = write_days(inputs, directory, wanted, "days before the scenario") if wanted else (0, 0)
    click.echo(
        f"scenario {name}: {len(wanted)} days before it written, {visits:,} visits, {size / 1e6:,.1f} MB in {directory}",
        err=True,
    )


def write_days(
    inputs: PastInputs, directory: Path, wanted: Sequence[datetime.date], what: str, processes: int | None = None
) -> tuple[int, int]:
    """Write days in several processes; return bytes and visits."""
    Archive(directory).prepare(simulated=True)
    tasks = [wanted[begin : begin + DAYS_A_TASK] for begin in range(0, len(wanted), DAYS_A_TASK)]
    number = processes or min(PROCESSES_MAX, os.cpu_count() or 1, len(tasks))
    size = visits = done = 0
    context = get_context("fork")
    stopping = RawValue(c_bool, False)  # an Event has a lock, which a process that is killed would keep
    pool = ProcessPoolExecutor(number, context, _begin, (inputs, directory, os.getpid(), stopping))
    try:
        with Meter(what, len(wanted)) as meter:
            with _interrupts_held():
                futures: list[Future[tuple[int, int]]] = [pool.submit(_write, task) for task in tasks]
            for task, future in zip(tasks, futures, strict=True):
                task_size, task_visits = future.result()
                size, visits, done = size + task_size, visits + task_visits, done + len(task)
                meter.show(done, f"{task[-1]}, {size / 1e6:,.0f} MB")
    except BrokenProcessPool:
        raise SimulationError(
            f"a process that writes days was killed, for want of memory perhaps; {done} of {len(wanted)} days are whole: run it again"
        ) from None
    finally:
        # Interrupted, or a day failed: the days that are being written are finished, the rest is not begun.
        stopping.value = True
        pool.shutdown(cancel_futures=True)
    return size, visits


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes that are forked in here never see Ctrl-C, which reaches every process of a terminal; this one sees it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_past: PastMaker
_archive: Archive
_stopping: c_bool


def _begin(inputs: PastInputs, directory: Path, parent: int, stopping: c_bool) -> None:
    global _past, _archive, _stopping
    # The parent tells these processes when to end. Nobody can when it is killed, so they die with it.
    die_with(parent)
    _past, _archive, _stopping = PastMaker(inputs), Archive(directory), stopping


def _write(days: Sequence[datetime.date]) -> tuple[int, int]:
    from streams.history.day_columns import CutName

    size = visits = 0
    for day in days:
        if _stopping.value:
            break
        made = _past.day(day)
        size += _archive.write(made)
        visits += int(made.rows[CutName.REGION].visits.sum())
    return size, visits
