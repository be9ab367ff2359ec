"""A simulated past: the growth that is built in, and days that add up."""

import datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from streams.catalog import Catalog
from streams.cli import cli
from streams.errors import InputError
from streams.history import hll
from streams.history.archive import Archive
from streams.history.day_columns import CutName, CutRows
from streams.history.marks import DayFile
from streams.settings import default_config_dir
from streams.simulate.levels import Levels, scenario_plan
from streams.simulate.past_days import PastMaker, load_inputs, scenario_days

D = datetime.date.fromisoformat


@pytest.fixture(scope="session")
def past() -> PastMaker:
    return PastMaker(load_inputs(default_config_dir(), seed=1, scale=0.02))


@pytest.fixture(scope="session")
def rentree(past: PastMaker) -> DayFile:
    return past.day(D("2026-09-01"))


def level(past: PastMaker, first: str, days: int, region: str | None = None) -> float:
    regions = [r for r in past.inputs.catalog.regions if r.weight > 0 and region in (None, r.code)]
    dates = [D(first) + datetime.timedelta(days=n) for n in range(days)]
    return sum(past.levels.level(day, r.code) * r.weight for day in dates for r in regions)


def test_the_published_growth_is_built_in(past: PastMaker) -> None:
    assert level(past, "2026-09-01", 1) / level(past, "2025-09-01", 1) == pytest.approx(2.02)
    assert level(past, "2026-09-01", 28) / level(past, "2025-09-01", 28) == pytest.approx(1.50)
    assert level(past, "2026-03-16", 56) / level(past, "2025-03-17", 56) == pytest.approx(4.45)
    for region, growth in {"84": 1.49, "27": 1.48, "44": 1.20, "32": 1.30}.items():
        assert level(past, "2026-11-02", 28, region) / level(past, "2026-03-16", 28, region) == pytest.approx(growth)


def test_services_grow_as_published(past: PastMaker, catalog: Catalog) -> None:
    shares = np.array([service.weight for service in catalog.services])
    per_visit = past.levels.rule.service_visits_per_visit(shares).tolist()
    weights = dict(zip(catalog.service_codes, per_visit, strict=False))

    def visits(group: str, day: str) -> float:
        factors = past.levels.service_factors(D(day))
        return sum(weights[code] * factors.get(code, 1.0) for code in catalog.published_groups[group])

    for group, growth in {"parcours": 1.61, "services_pedagogiques": 1.51, "vie_scolaire": 1.26}.items():
        assert 1.50 * visits(group, "2026-09-10") / visits(group, "2025-09-10") == pytest.approx(growth)
    assert 4.45 * visits("stockage_partage", "2026-04-01") / visits("stockage_partage", "2025-04-02") == pytest.approx(
        6.3
    )


def test_holidays_are_those_of_the_zone(past: PastMaker) -> None:
    # 2025-02-10: no holidays in zone A (84) and C (11), 8 to 23 February in B (44).
    assert past.levels.level(D("2025-02-10"), "44") < 0.2 * past.levels.level(D("2025-02-10"), "84")
    assert past.levels.level(D("2026-08-05"), "84") < 0.05
    assert past.levels.level(D("2026-08-31"), "84") > past.levels.level(D("2026-08-25"), "84")


def test_a_day_adds_up(rentree: DayFile) -> None:
    def sums(cut: CutName) -> tuple[int, int]:
        return int(rentree.rows[cut].events.sum()), int(rentree.rows[cut].visits.sum())

    for cut in (CutName.PROJECT, CutName.PROFILE_REGION, CutName.ACADEMY):
        assert sums(cut) == sums(CutName.REGION), cut
    assert sums(CutName.REGION_SERVICE)[0] == sums(CutName.REGION)[0]
    # Minute by minute, too.
    whole = rentree.rows[CutName.REGION].grouped(lambda _key: ())
    parts = rentree.rows[CutName.PROJECT].grouped(lambda _key: ())
    assert np.array_equal(whole.events, parts.events)
    assert np.array_equal(whole.visits, parts.visits)
    assert len(rentree.hours) == 24


def test_regions_far_away_peak_by_their_own_clock(rentree: DayFile) -> None:
    def peak(region: str) -> int:
        rows = rentree.rows[CutName.REGION]
        mine = rows.where(np.array([key == (region,) for key in rows.keys])[rows.series])
        hours = np.bincount(mine.minute % 1440 // 60, mine.events)
        return int(hours.argmax())

    assert (peak("84"), peak("04"), peak("01")) == (6, 4, 12)  # UTC; 08:00 in Lyon, Saint-Denis and Pointe-à-Pitre


def test_a_project_joins_and_one_falls_silent(past: PastMaker, rentree: DayFile) -> None:
    def projects(day: DayFile) -> set[str]:
        return {key[0] for key in day.rows[CutName.PROJECT].keys}

    assert "ent77" in projects(rentree)
    assert "ent77" not in projects(past.day(D("2025-09-01")))
    assert "ecollege31" in projects(rentree)
    assert "ecollege31" not in projects(past.day(D("2026-10-06")))


def test_sketches_count_establishments(past: PastMaker, rentree: DayFile) -> None:
    held = sum(len(part.establishments) for part in past.perimeter.parts["84"])
    assert hll.count(rentree.sketches.establishments["region", "84"]) == pytest.approx(held, rel=0.03)
    visits = int(rentree.rows[CutName.PROFILE_REGION].visits.sum())
    users = sum(hll.count(sketch) for (scope, _code), sketch in rentree.sketches.users.items() if scope == "region")
    assert 0.4 * visits < users < 0.6 * visits


def test_the_same_seed_makes_the_same_day(past: PastMaker, rentree: DayFile) -> None:
    again = PastMaker(past.inputs).day(D("2026-09-01"))

    def arrays(rows: CutRows) -> list[list[int]]:
        return [rows.minute.tolist(), rows.events.tolist(), rows.visits.tolist()]

    assert all(arrays(again.rows[cut]) == arrays(rentree.rows[cut]) for cut in CutName)
    assert again.sketches == rentree.sketches


def test_the_days_before_a_scenario(past: PastMaker, catalog: Catalog) -> None:
    days = scenario_days(past.inputs.calendar, D("2026-09-22"))
    assert (days[0], days[34], days[35], days[-1]) == (
        D("2025-08-25"),
        D("2025-09-28"),
        D("2026-07-28"),
        D("2026-09-21"),
    )
    assert len(days) == len(set(days)) == 35 + 56
    # The year of the scenario is as the scenarios say: nothing of last year's lockdown is built in.
    inputs = past.inputs
    plain = Levels(
        catalog, inputs.shape, inputs.calendar, plan=scenario_plan(inputs.plan), traffic=inputs.traffic, seed=1
    )
    assert plain.level(D("2026-04-01"), "84") < 2 < past.levels.level(D("2026-04-01"), "84")
    assert plain.level(D("2025-09-01"), "84") == past.levels.level(D("2025-09-01"), "84")


def test_a_scenario_gets_the_days_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "streams.cli.simulate_years.scenario_days",
        lambda _calendar, day: [day - datetime.timedelta(days=n) for n in (2, 1)],
    )
    arguments = ["simulate", "--scenario", "ordinary", "--scale", "0.002", "--archive", str(tmp_path / "a")]
    assert "2 days before it written" in CliRunner().invoke(cli, arguments).stderr
    assert Archive(tmp_path / "a").dates() == [D("2026-09-20"), D("2026-09-21")]
    assert "0 days before it written" in CliRunner().invoke(cli, arguments).stderr


def test_the_command_writes_an_archive(tmp_path: Path) -> None:
    arguments = [
        "simulate",
        "--years",
        "0.02",
        "--until",
        "2026-09-03",
        "--scale",
        "0.005",
        "--archive",
        str(tmp_path / "a"),
    ]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert "7 days, 2026-08-28 to 2026-09-03" in done.stderr
    assert "MB a day" in done.stderr
    archive = Archive(tmp_path / "a")
    assert len(archive.dates()) == 7
    assert archive.about() is not None
    with pytest.raises(InputError, match="holds simulated figures, these are real"):
        archive.prepare(simulated=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--years", "2"], "--archive goes with"),
        (["--archive", "x"], "--archive goes with"),
        (["--years", "2", "--archive", "x", "--live"], "--archive goes with"),
        (["--years", "99", "--archive", "x"], "between 0.02 and 10"),
        ([], "--years N --archive DIR"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, ["simulate", *arguments])
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
