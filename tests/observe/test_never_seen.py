"""A project that is expected and never came: told at nine of the first day with school, once, and over with its first event."""

import datetime
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streams.catalog import load_catalog
from streams.history import load_calendar
from streams.observe.series import make_plan
from streams.observe.told import Expected, NeverSeen, expected_projects, seen_in
from streams.settings import default_config_dir

CATALOG = load_catalog(default_config_dir())
CALENDAR = load_calendar(default_config_dir(), CATALOG)
SHIFT = 1000


def due(project: str, since: str) -> datetime.datetime:
    """When it is due, on its region's clock."""
    projects = tuple(
        replace(one, expected_since=datetime.date.fromisoformat(since)) if one.code == project else one
        for one in CATALOG.projects
    )
    (found,) = expected_projects(replace(CATALOG, projects=projects), CALENDAR, make_plan(CATALOG, CALENDAR))
    assert found.project == project
    (region,) = [one.region for one in projects if one.code == project]
    zones = {one.code: one.timezone for one in CATALOG.regions}
    return datetime.datetime.fromtimestamp(found.due * 60, ZoneInfo(zones.get(region or "", "Europe/Paris")))


@pytest.mark.parametrize(
    ("project", "since", "at"),
    [
        ("mbn", "2026-09-01", "2026-09-01T09:00"),  # the rentrée
        ("mbn", "2026-08-10", "2026-09-01T09:00"),  # in summer nobody is expected
        ("mbn", "2026-09-05", "2026-09-07T09:00"),  # a Saturday
        ("mbn", "2027-02-22", "2027-03-08T09:00"),  # zone B's winter holidays (20 February to 8 March)
        ("ent77", "2027-02-15", "2027-02-22T09:00"),  # zone C's (6 to 22 February)
        ("kosmos_edu", "2026-09-02", "2026-09-02T09:00"),  # of no region
    ],
)
def test_it_is_due_at_nine_of_the_first_day_with_school(project: str, since: str, at: str) -> None:
    assert due(project, since).strftime("%Y-%m-%dT%H:%M") == at


@pytest.fixture
def watch() -> NeverSeen:
    return NeverSeen([Expected("mbn", due=10_000, row=1)], SHIFT)


def nothing(minutes: int) -> np.ndarray:
    return np.zeros((2, minutes))


def test_nobody_is_called_before_it_is_due_and_once_from_then_on(watch: NeverSeen) -> None:
    assert watch.feed(9_990, nothing(10)) == []
    assert watch.running(10_000) == []
    (told,) = watch.running(10_001)
    assert (told.kind, told.project, told.start_ms) == ("never_seen", "mbn", (10_000 - SHIFT) * 60_000)
    assert (told.end_ms, told.until_ms) == (None, (10_001 - SHIFT) * 60_000)
    assert watch.running(10_050)[0].id == told.id


def test_its_first_event_ends_it(watch: NeverSeen) -> None:
    (told,) = watch.running(10_020)
    table = nothing(30)
    table[1, 25] = 1
    (ended,) = watch.feed(10_000, table)
    assert (ended.id, ended.end_ms) == (told.id, (10_025 - SHIFT) * 60_000)
    assert watch.running(10_100) == []
    assert watch.feed(10_030, nothing(30)) == []  # later silences are the detector's


def test_one_that_came_before_is_never_told(watch: NeverSeen) -> None:
    watch.known(["mbn"])
    assert watch.running(20_000) == []


def test_one_that_came_in_time_or_of_which_minutes_are_unknown(watch: NeverSeen) -> None:
    table = np.full((2, 20), np.nan)
    assert watch.feed(9_900, table) == []
    assert len(watch.running(10_001)) == 1
    table[1, 3] = 2
    assert watch.feed(9_920, table) == []  # before it was due: no alert that ended
    assert watch.running(10_001) == []


def test_what_redis_ever_counted_is_known() -> None:
    assert seen_in({("p", "mbn"): 3, ("p", "arsene76"): 0, ("e", "44", "NOTES"): 9}) == ["mbn"]
