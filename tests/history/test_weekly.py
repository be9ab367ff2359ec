"""Weekly figures in, and a report whose earlier side is estimated from them."""

import errno
import os
import shutil
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import orjson
import pytest

from streams.catalog import Catalog
from streams.clock import PARIS, dates, paris_day
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.compose import HourReading
from streams.history.day_columns import Sketches
from streams.history.estimate import Estimate
from streams.history.sides import NoDataError
from streams.history.weeks import load_weeks
from streams.load_shape import load_shape
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs
from tests.history.days_made import DAY, FIRST_HOUR, reading, run


def moved(found: HourReading, hours: int) -> HourReading:
    """The same so many hours later."""
    ranges = tuple((first + 60 * hours, end + 60 * hours) for first, end in found.mark.measured)
    mark = msgspec.structs.replace(found.mark, hour=found.mark.hour + hours, measured=ranges)
    return HourReading(mark, {cut: replace(rows, minute=rows.minute + 60 * hours) for cut, rows in found.rows.items()})


def weekly_file(path: Path, first: str, weeks: int) -> None:
    lines = [
        "\ufeffdebutsemaine;uai;academie;region;departement;visites_eleve;utilisateurs_eleve;visites_parent;visites_autre_chose"
    ]
    for week in range(weeks):
        monday = date.fromisoformat(first) + timedelta(days=7 * week)
        lines.append(f"{monday};0541234Y;NANCY METZ;Grand-Est;Meurthe et Moselle;70000;900;30000;1")
        lines.append(f"{monday};0690001B;Lyon;AUVERGNE-RHONE-ALPES;69;40000;;;")
        lines.append(f"{monday};nowhere;;;;100;1;0;")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def weekly(live: Archive, tmp_path: Path) -> Archive:
    file = tmp_path / "frequentation.csv"
    weekly_file(file, "2025-09-01", 4)
    _out, said, _error = run("history", "import", str(file), "--archive", str(live.directory))
    assert "12 lines, 4 weeks from 2025-09-01 to 2025-09-22, by profile" in said
    assert "1 establishment of no known place, under INCONNU; ignored: visites_autre_chose" in said
    return live


@pytest.fixture
def estimate(weekly: Archive, catalog: Catalog) -> Estimate:
    config = default_config_dir()
    return Estimate(
        catalog, load_calendar(config, catalog), load_shape(config, catalog), load_weeks(weekly.directory, catalog)
    )


def test_a_week_is_spread_over_its_days_and_minutes(estimate: Estimate) -> None:
    days = list(dates(date(2025, 9, 1), date(2025, 9, 7)))
    visits = [estimate.day_visits(day, "44") for day in days]
    assert sum(visits) == pytest.approx(100_000)
    assert visits[0] > visits[1] > visits[2] > visits[5]  # the rentrée, a Wednesday, a Saturday
    first, end = paris_day(days[0])
    minutes = estimate.minute_visits("44", first, end)
    assert minutes.sum() == pytest.approx(visits[0])
    busiest = datetime.fromtimestamp((first + int(minutes.argmax())) * 60, PARIS)
    assert 8 <= busiest.hour < 9
    assert estimate.day_visits(days[0], "84", profile="ELEVE") > 0
    assert estimate.day_visits(days[0], "84", profile="PARENT") == 0
    assert np.isnan(estimate.minute_visits("44", *paris_day(date(2025, 10, 1)))).all()


def test_a_first_rentree_is_compared_with_an_estimate(weekly: Archive, catalog: Catalog, tmp_path: Path) -> None:
    past = PastMaker(load_inputs(default_config_dir(), seed=1, scale=0.001))
    for day in dates(DAY + timedelta(days=1), DAY + timedelta(days=3)):  # as if Vigie had counted them
        made = past.day(day)
        minutes = range(paris_day(day)[0] // 60, paris_day(day)[1] // 60)
        readings = [
            HourReading(mark, {c: r.where(r.minute // 60 == mark.hour) for c, r in made.rows.items()})
            for mark in made.hours
        ]
        assert len(readings) == len(minutes)
        weekly.update(day, readings, Sketches.none())
    page = tmp_path / "page.html"
    arguments = ["report", "rentree", "--year", "2026", "--archive", str(weekly.directory)]
    out, _said, error = run(*arguments, "--json", "--html", str(page))
    assert error is None
    report = orjson.loads(out)
    assert report["estimated"] is True
    rows = {(row["by"], row["code"]): row for row in report["rows"]}
    assert rows["region", "44"]["visits_then"] == pytest.approx(4 * 100_000, rel=0.001)
    assert rows["academy", "12"]["visits_then"] == pytest.approx(4 * 100_000, rel=0.001)
    assert rows["profile", "PARENT"]["visits_then"] == pytest.approx(4 * 30_000, rel=0.001)
    assert report["total"]["visits_then"] == pytest.approx(4 * 140_100, rel=0.001)
    assert "estimée d&#39;après le DNMA" in page.read_text()
    assert "estimée d'après le DNMA" in run(*arguments)[0]
    # One hour of the earlier days does not make up for the weeks; once most of them are there, they are used.
    first = paris_day(date(2025, 9, 2))[0] // 60
    weekly.update(date(2025, 9, 2), [moved(reading(9), first - FIRST_HOUR)], Sketches.none())
    assert orjson.loads(run(*arguments, "--json")[0])["estimated"] is True
    for day in dates(date(2025, 9, 1), date(2025, 9, 4)):
        weekly.write(past.day(day))
    assert orjson.loads(run(*arguments, "--json")[0])["estimated"] is False


def test_weeks_are_added_by_establishment(weekly: Archive, tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "more.csv"
    file.write_text(
        "debutsemaine,uai,visites_eleve,visites_parent\n2025-09-01,0540042C,500,\n2025-09-01,0690001B,41000,7\n"
    )
    assert run("history", "import", str(file), "--archive", str(weekly.directory))[2] is None
    week = load_weeks(weekly.directory, catalog)[date(2025, 9, 1), "profile"]
    assert week.of("44") == 100_000 + 500
    assert (week.of("84", None, "ELEVE"), week.of("84", None, "PARENT")) == (41_000, 7)
    assert week.establishments == {"44": 2, "84": 1, "INCONNU": 1}
    # The same again changes nothing.
    run("history", "import", str(file), "--archive", str(weekly.directory))
    assert load_weeks(weekly.directory, catalog)[date(2025, 9, 1), "profile"] == week


def test_weeks_are_imported_whole_or_not_at_all(
    weekly: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in (weekly.directory / "weekly").iterdir()}
    file = tmp_path / "more.csv"
    weekly_file(file, "2025-09-01", 8)
    written = []

    def full(_: int) -> None:
        written.append(1)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    _out, _said, error = run("history", "import", str(file), "--archive", str(weekly.directory))
    assert "nothing was imported: make room" in str(error)
    assert {path.name: path.read_bytes() for path in (weekly.directory / "weekly").iterdir()} == before


def test_no_data_names_the_weeks_that_are_held(weekly: Archive) -> None:
    _out, _said, error = run("report", "day", "--day", "2025-09-03", "--archive", str(weekly.directory))
    assert isinstance(error, NoDataError)
    assert "weekly figures of 4 weeks, by their Mondays: 2025-09-01 to 2025-09-22 (they serve as an earlier" in str(
        error
    )


def test_an_estimate_has_the_perimeter_of_its_establishments(weekly: Archive, tmp_path: Path) -> None:
    past = PastMaker(load_inputs(default_config_dir(), seed=1, scale=0.001))
    target = Archive(tmp_path / "both")
    target.prepare(simulated=True)
    target.write(past.day(DAY))
    shutil.copytree(weekly.directory / "weekly", target.directory / "weekly")
    page = tmp_path / "page.html"
    arguments = ["report", "day", "--day", "2026-09-01", "--archive", str(target.directory)]
    found = orjson.loads(run(*arguments, "--json", "--html", str(page))[0])
    perimeter, total = found["perimeter"], found["total"]
    rows = {(row["by"], row["code"]): row for row in found["rows"]}
    assert (perimeter["same"], perimeter["regions_then"]) == (None, ["44", "84", "INCONNU"])
    assert perimeter["establishments_then"] == 3
    assert perimeter["establishments"] > 1000
    # France is compared in these regions alone; nothing is known of the others.
    assert total["visits_compared"] == rows["region", "44"]["visits"] + rows["region", "84"]["visits"]
    assert total["visits"] > 3 * total["visits_compared"]
    assert (rows["region", "11"]["visits_then"], rows["region", "11"]["growth"]) == (None, None)
    assert rows["project", "mbn"]["visits_then"] is None
    assert all(row["visits_then"] is None for row in found["rows"] if row["by"] == "service")
    assert total["events_then"] is None
    assert {"estimée d'après le DNMA", "perimeter unknown"} <= set(total["marks"])
    assert "3 établissements, contre environ" in page.read_text()
    said = run(*arguments)[0]
    assert (
        "estimated from 3 establishments of the weekly figures, regions 44 Grand Est, 84 Auvergne-Rhône-Alpes, INCONNU"
        in said
    )
    assert "the same projects" not in said
