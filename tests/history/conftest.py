"""A simulated past that the tests of this room share."""

import fcntl
import os
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from streams.catalog import Catalog
from streams.cli.simulate_years import write_days
from streams.clock import dates
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.compared_days import rentree_question
from streams.history.day_columns import Sketches
from streams.history.reading import History
from streams.history.report import Report, make_report
from streams.history.sides import both_sides
from streams.settings import default_config_dir
from streams.simulate.levels import load_past
from streams.simulate.past_days import load_inputs
from streams.small_numbers import SmallNumbers
from tests.history.days_made import DAY, reading

D = date.fromisoformat


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Path:
    """Two rentrées of four weeks, and three days each of lockdown and of November, at a few thousandths of France.

    Made once by the first of the processes that run tests; each has a copy, which a test may damage.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "past.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = shared / "past"
        if not made.exists():
            write_past(shared / "past.new", catalog)
            (shared / "past.new").rename(made)
    return shutil.copytree(made, tmp_path_factory.mktemp("past") / "archive")


def write_past(directory: Path, catalog: Catalog) -> None:
    plan = load_past(default_config_dir(), catalog)
    # Growth is built in between the days that are made.
    rentree, lockdown, november = plan.periods
    plan = replace(plan, periods=(rentree, lockdown, replace(november, days=3)))
    for scale, days, firsts in ((0.004, 28, ("2025-09-01", "2026-09-01")), (0.04, 3, ("2026-03-16", "2026-11-02"))):
        wanted = [day for first in firsts for day in dates(D(first), D(first) + timedelta(days=days - 1))]
        write_days(load_inputs(default_config_dir(), seed=1, scale=scale, plan=plan), directory, wanted, "days")


@pytest.fixture(scope="session")
def rentree_report(past: Path, catalog: Catalog) -> Report:
    """The rentrée of 2026 against that of 2025."""
    config = default_config_dir()
    calendar = load_calendar(config, catalog)
    question = rentree_question(calendar, 2026, 2025)
    sides = both_sides(History(Archive(past), catalog), catalog, calendar, question, config)
    return make_report(question, sides, catalog, calendar, few=SmallNumbers(5))


@pytest.fixture
def live(tmp_path: Path) -> Archive:
    """Two hours as an observer archived them."""
    archive = Archive(tmp_path / "live")
    archive.prepare(simulated=False)
    archive.update(DAY, [reading(7), reading(8, 51)], Sketches.none())
    return archive
