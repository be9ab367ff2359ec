"""From what a judge tells to the record that people see: drivers, the last rentrée, planned stops; and what judging everything takes."""

import datetime
import time
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streams.catalog import load_catalog
from streams.expose.alert_french import Words
from streams.history import load_calendar
from streams.live import AlertRecord
from streams.observe.series import Plan, make_plan
from streams.observe.told import Teller, merged_measures
from streams.settings import default_config_dir
from streams.watch import Array, Judge, Maintenance

CATALOG = load_catalog(default_config_dir())
CALENDAR = load_calendar(default_config_dir(), CATALOG)
PARIS = ZoneInfo("Europe/Paris")
DAYS, AT, UNTIL = 22, 600, 630
SHIFT = 500


def minute_of(day: str) -> int:
    return int(datetime.datetime.fromisoformat(day).replace(tzinfo=PARIS).timestamp()) // 60


@pytest.fixture(scope="module")
def plan() -> Plan:
    """France, and one region with its services and projects."""
    whole = make_plan(CATALOG, CALENDAR)
    return Plan(tuple(g for g in whole.groups if g.name in ("France", "44", "44/services")), whole.rows, whole.places)


def counts(plan: Plan, days: int, level: float) -> Array:
    """Steady counts: ten events a visit; the same every day."""
    table = np.random.default_rng(4).poisson(level, (plan.rows, days * 1440)).astype(float)
    for group in plan.groups:
        for one in group.series:
            if one.measure == "events":
                table[one.row] *= 10
    return table


def row(plan: Plan, **codes: str) -> list[int]:
    """Rows of a scope: its events and visits, or its visits alone."""
    return [
        one.row
        for group in plan.groups
        for one in group.series
        if {"region": one.scope.region, "service": one.scope.service, "project": one.scope.project}
        == {"region": None, "service": None, "project": None} | codes
    ]


def told(plan: Plan, table: Array, first: int, maintenances: tuple[Maintenance, ...] = ()) -> list[AlertRecord]:
    judges = [Judge(group, first) for group in plan.groups]
    regions = {project.code: project.region for project in CATALOG.projects}
    teller = Teller(judges, maintenances, regions, SHIFT)
    for judge in judges:
        judge.feed(first, table[:, :-1440])
        judge.feed(first + table.shape[1] - 1440, table[:, -1440:][:, :UNTIL])
    return merged_measures([teller.record(judge, one) for judge in judges for one in judge.running()])


def test_a_region_names_the_services_and_projects_that_drive_it(plan: Plan) -> None:
    first = minute_of("2027-01-11")
    table = counts(plan, DAYS, 40.0)
    rise = slice((DAYS - 1) * 1440 + AT, (DAYS - 1) * 1440 + UNTIL)
    table[row(plan, region="44"), rise] *= 2
    table[row(plan, region="44", service="NOTES"), rise] *= 4
    table[row(plan, project="mbn"), rise] *= 3
    found = {(one.scope, one.region, one.service, one.project): one for one in told(plan, table, first)}
    region = found["region", "44", None, None]
    assert (region.kind, region.measure, region.start_ms) == (
        "surge", "visits", (first + (DAYS - 1) * 1440 + AT - SHIFT) * 60_000,
    )  # fmt: skip
    assert region.ratio == pytest.approx(2.0, abs=0.2)
    assert region.lower < region.expected < region.upper < region.observed
    assert region.score > region.usual_score + 1.0 > 2.0
    said = Words(CATALOG, 0).explanation(region)
    assert (
        f"Écart : {region.score:.1f} ; le plus haut d'un jour ordinaire : {region.usual_score:.1f}.".replace(".", ",")[
            :-1
        ]
        in said
    )
    assert [(one.service, one.project) for one in region.drivers[:2]] == [("NOTES", None), (None, "mbn")]
    assert region.drivers[0].ratio == pytest.approx(4.0, abs=0.3)
    assert found["service", "44", "NOTES", None].drivers == ()
    assert found["project", None, None, "mbn"].ratio == pytest.approx(3.0, abs=0.2)
    assert region.last_rentree is None


def test_on_the_day_of_the_rentree_it_says_how_much_the_last_one_had(plan: Plan) -> None:
    """Monday 1 September 2025, and Tuesday 1 September 2026: so many times the last rentrée, not only above normal."""
    begin, last_rentree = minute_of("2026-08-20"), datetime.date(2025, 9, 1)
    judges = [Judge(group, begin) for group in plan.groups]
    teller = Teller(judges, (), {}, SHIFT)
    last_year, summer, today = counts(plan, 1, 50.0), counts(plan, 12, 50.0), counts(plan, 1, 50.0)[:, :UNTIL]
    today[row(plan, region="44"), AT:] *= 9
    for judge in judges:
        step = judge.group.step_minutes
        judge.learn(last_rentree, last_year[judge.group.rows].reshape(len(judge.group.series), -1, step).sum(axis=2))
        judge.feed(begin, summer)
        judge.feed(begin + 12 * 1440, today)
    assert begin + 12 * 1440 == minute_of("2026-09-01")
    records = [teller.record(judge, one) for judge in judges for one in judge.running()]
    region = next(one for one in records if one.region == "44" and one.service is None and one.measure == "visits")
    assert region.last_rentree is not None
    assert region.observed / region.last_rentree == pytest.approx(9, abs=0.5)


def test_a_planned_stop_is_told_as_such_and_its_neighbour_is_not(plan: Plan) -> None:
    first = minute_of("2027-01-11")
    table = counts(plan, DAYS, 40.0)
    stop = slice((DAYS - 1) * 1440 + AT, (DAYS - 1) * 1440 + UNTIL)
    table[row(plan, project="mbn"), stop] = 0
    table[row(plan, region="44", service="NOTES"), stop] = 0
    begin = first + (DAYS - 1) * 1440 + AT
    found = {one.project or one.service: one for one in told(plan, table, first, (
        Maintenance(begin - 10, begin + 120, "bascule", projects=("mbn",)),
    ))}  # fmt: skip
    assert (found["mbn"].kind, found["mbn"].planned, found["mbn"].observed) == ("silence", "bascule", 0.0)
    assert (found["NOTES"].kind, found["NOTES"].planned) == ("silence", None)


@pytest.mark.alone
def test_a_settled_minute_of_everything_takes_less_than_a_second() -> None:
    """All regions, services and projects; the goal is 1 s of one core."""
    plan = make_plan(CATALOG, CALENDAR)
    first = minute_of("2027-01-11")
    judges = [Judge(group, first) for group in plan.groups]
    table = np.random.default_rng(1).poisson(30, (plan.rows, 1508)).astype(float)
    for judge in judges:
        judge.feed(first, table[:, :1505])
    began = time.process_time()
    for minute in range(1505, 1508):
        for judge in judges:
            judge.feed(first + minute, table[:, minute : minute + 1])
    assert (time.process_time() - began) / 3 < 1.0
