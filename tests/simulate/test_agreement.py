"""A simulated past and live traffic are two ways to draw the same use: the same expectation for every minute, place and service."""

import datetime
from collections import Counter
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest

from streams.audit.plain import PlainCount
from streams.clock import paris_day
from streams.events import EventBounds
from streams.history.day_columns import CutName
from streams.settings import default_config_dir
from streams.simulate.courses import Floats
from streams.simulate.inputs import Configuration
from streams.simulate.levels import load_past, scenario_plan
from streams.simulate.past_days import PastMaker, load_inputs
from streams.simulate.traffic import Generator
from tests.simulate.conftest import MakePlan

SCALE, MINUTES = 0.03, 45
#: After so many minutes the first visits have run their course: their later events and services are all there.
COURSE_MINUTES = 20
#: Sums below this are too small for a normal approximation.
EXPECTED_MIN = 20.0


@pytest.fixture(scope="module")
def past(configurations: dict[str, Configuration]) -> PastMaker:
    config = default_config_dir()
    plan = scenario_plan(load_past(config, configurations["ordinary"].catalog))
    return PastMaker(load_inputs(config, 1, SCALE, plan))


@dataclass
class Counted:
    """Live traffic from its first second on, counted by the plain rules, and the past's expectation: by key, (minutes)."""

    counted: dict[tuple[str, ...], Floats]
    expected: dict[tuple[str, ...], Floats]

    def z(self, kind: str, first: int) -> Floats:
        """How many standard deviations each sum over the minutes from `first` on is off, where the sum is not small."""
        found = []
        for key, expected in self.expected.items():
            whole = expected[first:].sum()
            if key[0] == kind and whole >= EXPECTED_MIN:
                counted = self.counted[key][first:].sum() if key in self.counted else 0.0
                found.append((counted - whole) / np.sqrt(whole))
        return np.array(found)


@pytest.fixture(scope="module")
def morning(make_plan: MakePlan, past: PastMaker) -> Counted:
    plan = make_plan("ordinary", "07:40", SCALE, clean=True)
    plan = replace(plan, begin_s=plan.first_s)
    generator = Generator(plan)
    plain = PlainCount(plan.catalog, EventBounds(120_000, 48 * 3_600_000), 20_000, visits=True)
    for _ in range(MINUTES * 60):
        step = generator.next_step()
        for value in step.values:
            plain.add(0, (step.second + 1) * 1000, value)
    first = (plan.first_s - plan.shift_seconds) // 60
    counted: dict[tuple[str, ...], Floats] = {}
    for minute, rows in plain.minutes.items():
        for key, number in rows.items():
            counted.setdefault(key, np.zeros(MINUTES))[minute - first] += number
    return Counted(counted, expected_of(past, plan.scenario.date, plan.first_s // 60))


def expected_of(past: PastMaker, day: datetime.date, minute: int) -> dict[tuple[str, ...], Floats]:
    begin, end = paris_day(day)
    part = slice(minute - begin, minute - begin + MINUTES)
    found: dict[tuple[str, ...], Floats] = {}
    for region in past.levels.regions:
        expected = past.expected(region, day, begin, end)
        found["visits", region.code] = expected.visits[part]
        found["events", region.code] = expected.events.sum(axis=0)[part]
        for number, service in enumerate(past.inputs.catalog.services):
            found["service visits", region.code, service.code] = expected.service_visits[number, part]
        active = list(past.perimeter.active(past.levels, region.code, day))
        for each, share in active:
            key = ("visits by project", each.project)
            visits = expected.visits[part] * share / sum(share for _part, share in active)
            found[key] = found.get(key, np.zeros(MINUTES)) + visits
    return found


def assert_normal(z: Floats, number: int) -> None:
    """As many as said, and deviations such as chance alone makes them: Poisson sums around what was expected."""
    assert len(z) >= number
    assert abs(z.mean()) < 4 / np.sqrt(len(z)), z.mean()
    assert np.abs(z).max() < 4.0
    assert 1 - 4 / np.sqrt(2 * len(z)) < z.std() < 1 + 4 / np.sqrt(2 * len(z)), z.std()


def test_visits_are_as_expected_from_the_first_minute_on(morning: Counted) -> None:
    """Nobody who was there before is taken for a visitor who arrives."""
    assert_normal(morning.z("visits", 0), 14)  # the others sleep
    assert_normal(morning.z("visits by project", 0), 30)
    first = np.array([sum(morning.counted["visits", key[1]][:5]) for key in morning.expected if key[0] == "visits"])
    expected = np.array([values[:5].sum() for key, values in morning.expected.items() if key[0] == "visits"])
    assert abs(first.sum() - expected.sum()) < 4 * np.sqrt(expected.sum())


def test_visits_of_services_are_as_expected_once_the_first_courses_are_over(morning: Counted) -> None:
    assert_normal(morning.z("service visits", COURSE_MINUTES), 200)
    # Before, services are missing that visitors of before would have gone on to: that is what a first minute looks like.
    assert morning.z("service visits", 0).mean() < -0.5


def test_each_minute_of_france_is_as_expected(morning: Counted) -> None:
    expected = sum(values for key, values in morning.expected.items() if key[0] == "visits")
    counted = sum(values for key, values in morning.counted.items() if key[0] == "visits")
    assert isinstance(expected, np.ndarray)
    assert_normal((counted - expected) / np.sqrt(expected), MINUTES)


def test_events_are_as_expected_and_as_scattered(morning: Counted, past: PastMaker) -> None:
    regions = [key[1] for key in morning.expected if key[0] == "events"]
    z = []
    for region in regions:
        of_region = [v for key, v in morning.counted.items() if key[0] == "region,service" and key[1] == region]
        counted = np.sum(of_region, axis=0)
        expected = morning.expected["events", region]
        later = slice(COURSE_MINUTES, None)
        z.append((counted[later] - expected[later]) / np.sqrt(expected[later] * past.levels.rule.events_dispersion))
    assert 0.8 < np.std(z) < 1.2
    assert abs(np.mean(z)) < 0.3  # minutes next to each other share their visitors


def test_the_past_scatters_as_live_traffic_does(past: PastMaker) -> None:
    """Around the mean: visits and visits of services as Poisson, events more, because those of one visitor come together."""
    day = datetime.date(2026, 9, 22)
    begin, end = paris_day(day)
    region = next(r for r in past.levels.regions if r.code == "84")
    expected = past.expected(region, day, begin, end)
    made = past.day(day).rows

    def counts(cut: CutName, key: tuple[str, ...], column: str) -> Floats:
        rows = made[cut]
        mine = rows.where(np.array([each == key for each in rows.keys])[rows.series])
        return np.bincount(mine.minute - begin, getattr(mine, column), end - begin).astype(np.float64)

    busy = expected.visits > 20

    def dispersion(counted: Floats, mean: Floats) -> float:
        return float(((counted - mean)[busy] ** 2 / mean[busy]).mean())

    assert 0.85 < dispersion(counts(CutName.REGION, ("84",), "visits"), expected.visits) < 1.15
    events = counts(CutName.REGION, ("84",), "events")
    ratio = dispersion(events, expected.events.sum(axis=0)) / past.levels.rule.events_dispersion
    assert 0.85 < ratio < 1.15
    services = [service.code for service in past.inputs.catalog.services]
    number = int(expected.service_visits.sum(axis=1).argmax())
    visits = counts(CutName.REGION_SERVICE, ("84", services[number]), "visits")
    assert 0.85 < dispersion(visits, expected.service_visits[number]) < 1.35  # a little more than live, where it is 1
    own = {each.code: each.region for each in past.inputs.catalog.projects}
    projects = Counter[str]()
    for part, share in past.perimeter.active(past.levels, "84", day):
        projects[part.project] += share  # type: ignore[assignment]
    project, share = min((code, part) for code, part in projects.items() if own[code] == "84")
    mean = expected.visits * share / sum(projects.values())
    assert 0.85 < dispersion(counts(CutName.PROJECT, (project,), "visits"), mean) < 1.15


@pytest.mark.parametrize("date", ["2026-09-01", "2026-10-19", "2026-11-02", "2026-11-16", "2027-02-08", "2027-03-01"])
def test_levels_are_the_same_on_any_day(date: str, configurations: dict[str, Configuration], past: PastMaker) -> None:
    """Rentrée, holidays of some zones, a first day back, a project that left: live traffic and past ask the same levels."""
    day = datetime.date.fromisoformat(date)
    c = configurations["ordinary"]
    scenario = msgspec.structs.replace(c.scenario, date=day)
    plan = Configuration(c.catalog, c.shape, c.traffic, scenario, c.calendar, c.past).plan(
        seed=1, scale=SCALE, first_s=scenario.at("08:00"), shift_seconds=0, run="t"
    )
    begin, end = paris_day(day)
    load = plan.load
    for clock in ("03:00", "08:30", "14:59", "20:00"):
        minute = scenario.at(clock) // 60
        live = load.events_per_second(minute * 60)
        for region, rate in zip(load.regions, live, strict=True):
            whole = past._rate(region, np.arange(begin, end))[minute - begin] / 60
            perimeter = sum(share for _part, share in past.perimeter.active(past.levels, region.code, day))
            assert rate == pytest.approx(whole * perimeter), (clock, region.code)


def test_events_come_in_heaps_of_a_visit_in_both(make_plan: MakePlan, past: PastMaker) -> None:
    """Variance over mean, by windows of 1 and 15 minutes: a quiet place waits longer for its next visitor than its events tell."""
    plan = make_plan("ordinary", "09:00", SCALE / 15, clean=True)
    generator, minutes = Generator(plan), 180
    live: dict[str, Floats] = {region.code: np.zeros(minutes) for region in past.levels.regions}
    for second in range(minutes * 60):
        for cell in generator.next_step().cells:
            live[generator.cells.names(cell)[0].region][second // 60] += 1
    small = PastMaker(replace(past.inputs, scale=SCALE / 15))
    begin, end = paris_day(plan.scenario.date)
    first = plan.first_s // 60 - begin
    rows = small.day(plan.scenario.date).rows[CutName.REGION]
    found: dict[int, list[list[float]]] = {1: [[], []], 15: [[], []]}
    for region in past.levels.regions:
        mean = small.expected(region, plan.scenario.date, begin, end).events.sum(axis=0)[first : first + minutes]
        mine = rows.where(np.array([key == (region.code,) for key in rows.keys])[rows.series])
        made = np.bincount(mine.minute - begin, mine.events, end - begin)[first : first + minutes]
        for window, pair in found.items():
            for which, counted in enumerate((live[region.code], made)):
                off = counted.reshape(-1, window).sum(axis=1) - mean.reshape(-1, window).sum(axis=1)
                pair[which].append(float((off**2).sum() / mean.sum()))
    for window, (one, other) in found.items():
        assert np.mean(one) == pytest.approx(np.mean(other), rel=0.25), window
    assert np.mean(found[15][0]) > 2 * np.mean(found[1][0]) > 4
