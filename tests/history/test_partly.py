"""What is only partly measured is compared with the same part of the other side; what is not known is not zero."""

import csv
import io
import shutil
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from streams.catalog import Catalog
from streams.cli import cli
from streams.clock import dates, paris_day
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.day_columns import CutName, CutRows, Sketches, no_rows
from streams.history.marks import DayFile, HourMark, HourSource
from streams.history.report_words import ENGLISH, FRENCH
from streams.history.side import DAY_MINUTES, Side, Sum, extent, known_minutes, wall_minutes
from streams.history.sums import Silences
from streams.settings import default_config_dir
from tests.history.days_made import file_of

D = date.fromisoformat
RENTREE, BEFORE = D("2026-09-01"), D("2025-09-01")


def report(archive: Path, *arguments: str) -> dict[str, Any]:
    return orjson.loads(text(archive, *arguments, "--json"))


def text(archive: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["report", *arguments, "--archive", str(archive)])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def copied(past: Path, target: Path, days: Iterable[date]) -> Archive:
    """An archive of these days alone."""
    made = Archive(target)
    made.prepare(simulated=True)
    for day in days:
        made.path(day).parent.mkdir(exist_ok=True)
        shutil.copy(Archive(past).path(day), made.path(day))
    return made


def days_from(first: date, number: int) -> list[date]:
    return list(dates(first, first + timedelta(days=number - 1)))


def only_hours(archive: Archive, day: date, first: int, end: int) -> None:
    """Keep these hours of a day, by the clock in Paris (no change of it on that day)."""
    found = whole(archive, day)
    begin = paris_day(day)[0]
    low, high = begin + 60 * first, begin + 60 * end
    rows = {cut: r.where((r.minute >= low) & (r.minute < high)) for cut, r in found.rows.items()}
    hours = tuple(mark for mark in found.hours if low <= mark.first_minute < high)
    archive.write(DayFile(day, 0, hours, rows, found.sketches, found.catalog))


def without_cut(archive: Archive, day: date, cut: CutName) -> None:
    """As if the day had been imported without that cut."""
    found = whole(archive, day)
    known = tuple(other for other in CutName if other is not cut)
    hours = tuple(replace(mark, source=HourSource.IMPORT, cuts=known) for mark in found.hours)
    archive.write(DayFile(day, 0, hours, {**found.rows, cut: CutRows.empty()}, found.sketches, found.catalog))


def whole(archive: Archive, day: date) -> DayFile:
    with file_of(archive, day) as file:
        return file.day()


def visits(archive: Path, days: Iterable[date], until_hour: int = 24) -> int:
    """Visits of all regions on some days, the last of them up to an hour: added up without the code under test."""
    listed = list(days)
    total = 0
    for day in listed:
        rows = whole(Archive(archive), day).rows[CutName.REGION]
        end = paris_day(day)[0] + 60 * (until_hour if day == listed[-1] else 24)
        total += int(rows.visits[rows.minute < end].sum())
    return total


@pytest.fixture
def running(past: Path, tmp_path: Path) -> Archive:
    """As on 10 September at ten in the morning: last year's four weeks whole, this year's nine days and ten hours."""
    made = copied(past, tmp_path / "running", [*days_from(BEFORE, 28), *days_from(RENTREE, 10)])
    only_hours(made, D("2026-09-10"), 0, 10)
    return made


def test_a_rentree_that_is_running_is_compared_with_the_same_days_and_hours(running: Archive, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = report(running.directory, "rentree", "--year", "2026", "--html", str(page))
    now = visits(running.directory, days_from(RENTREE, 10), 10)
    # The rentrée beside the rentrée, then a Wednesday beside a Wednesday, and so on.
    then = visits(running.directory, [BEFORE, *days_from(D("2025-09-03"), 9)], 10)
    total = found["total"]
    assert total["growth_all_projects"] == pytest.approx(now / then - 1, abs=1e-6)
    assert 0.3 < total["growth"] < 1.2
    assert total["growth"] == pytest.approx(total["visits_compared"] / total["visits_then_compared"] - 1, abs=1e-6)
    assert found["compared"] == {
        "days": 10,
        "of_days": 28,
        "minutes": 9 * 1440 + 600,
        "from": None,
        "to": "10:00",
        "whole": False,
    }
    assert found["compared_first_day"]["whole"] is True
    assert "partly measured" in found["marks"]
    # What is not compared is told all the same; distinct users of other days are not held against one another.
    assert (total["visits"], total["visits_then"]) == (now, visits(running.directory, days_from(BEFORE, 28)))
    assert (total["users_then"], total["establishments_then"]) == (None, None)
    assert "comparé sur 10 des 28 jours, le dernier jusqu&#39;à 10 h" in page.read_text()
    assert "compared on 10 of 28 days, the last until 10:00" in text(running.directory, "rentree", "--year", "2026")
    check_rows(found)


def check_rows(found: dict[str, Any]) -> None:
    """Every row of the running rentrée."""
    large = {(row["by"], row["code"]) for row in found["rows"] if row["visits"] > 3000 and row["growth"] is not None}
    large -= {("service", "VISIOCONFERENCE"), ("family", "collaboration"), ("group", "visioconference")}
    assert len(large) > 20
    for row in found["rows"]:
        if (row["by"], row["code"]) in large:
            # The rentrée's day is in a third of the days, so growth is larger than in four weeks, and never negative.
            assert 0 < row["growth"] < 2.2, (row["by"], row["code"])
            assert row["days_compared"] == 10
    by_region = [row for row in found["rows"] if row["by"] == "region"]
    assert sum(row["visits_compared"] for row in by_region) == found["total"]["visits_compared"]


def test_days_that_are_missing_on_a_side_are_left_out_on_both(past: Path, tmp_path: Path) -> None:
    some = [day for day in days_from(BEFORE, 28) if day.day not in (3, 4, 20)]
    made = copied(past, tmp_path / "some", [*some, *days_from(RENTREE, 28)])
    only_hours(made, D("2025-09-10"), 9, 24)
    found = report(made.directory, "rentree", "--year", "2026")
    assert found["compared"]["days"] == 25
    assert found["compared"]["minutes"] == 25 * 1440 - 9 * 60
    assert found["total"]["growth"] == pytest.approx(0.50, abs=0.03)
    assert [change["project"] for change in found["perimeter"]["changes"]] == ["ent77"]
    rows = list(csv.DictReader(io.StringIO(text(made.directory, "rentree", "--year", "2026", "--csv"))))
    assert all(("partly measured" in row["marks"]) == (row["by"] != "first_day") for row in rows)
    assert {row["days_compared"] for row in rows} == {"25", "1"}


def test_a_day_in_progress(past: Path, tmp_path: Path) -> None:
    made = copied(past, tmp_path / "day", [BEFORE, RENTREE])
    only_hours(made, RENTREE, 0, 10)
    (made.directory / "archive.json").unlink()
    found = report(made.directory, "day", "--day", "2026-09-01")
    assert found["simulated"] is True  # whatever became of archive.json
    now, then = visits(made.directory, [RENTREE], 10), visits(made.directory, [BEFORE], 10)
    assert found["total"]["growth_all_projects"] == pytest.approx(now / then - 1, abs=1e-6)
    assert "compared until 10:00" in text(made.directory, "day", "--day", "2026-09-01")


def test_sides_that_have_no_minute_in_common_have_no_growth(past: Path, tmp_path: Path) -> None:
    made = copied(past, tmp_path / "apart", [BEFORE, RENTREE])
    only_hours(made, RENTREE, 0, 10)
    only_hours(made, BEFORE, 10, 24)
    found = report(made.directory, "day", "--day", "2026-09-01")
    assert found["total"]["growth"] is found["total"]["growth_all_projects"] is None
    assert found["perimeter"]["changes"] == []
    said = text(made.directory, "day", "--day", "2026-09-01")
    assert "visits; nothing was measured on both sides\n" in said
    assert "perimeter" not in said
    assert "perimeter unknown" not in found["marks"]


def test_the_first_day_has_all_its_figures(past: Path) -> None:
    first = report(past, "rentree", "--year", "2026")["first_day"]
    alone = report(past, "day", "--day", "2026-09-01")["total"]
    for name in ("visits", "events", "events_then", "users", "users_then", "peak_visits", "peak_minute", "growth"):
        assert first[name] == alone[name] != 0, name
    rows = whole(Archive(past), RENTREE).rows[CutName.REGION]
    assert first["events"] == int(rows.events.sum())


@pytest.mark.parametrize("year", [2025, 2026])
def test_without_figures_by_project_nobody_knows_the_perimeter(past: Path, tmp_path: Path, year: int) -> None:
    made = copied(past, tmp_path / "cut", [BEFORE, RENTREE])
    without_cut(made, date(year, 9, 1), CutName.PROJECT)
    page = tmp_path / "page.html"
    found = report(made.directory, "day", "--day", "2026-09-01", "--html", str(page))
    total = found["total"]
    assert total["growth"] is None
    assert 0.8 < total["growth_all_projects"] < 1.3
    assert (found["perimeter"]["same"], found["perimeter"]["changes"]) == (None, [])
    assert "perimeter unknown" in total["marks"]
    assert "Périmètre inconnu" in page.read_text()
    said = text(made.directory, "day", "--day", "2026-09-01")
    assert "no growth like with like: the perimeter is unknown; with all projects +" in said
    projects = [row for row in found["rows"] if row["by"] == "project"]
    unknown = "visits" if year == 2026 else "visits_then"
    assert projects
    assert all(row[unknown] is None and row["growth"] is None for row in projects)
    assert all(row["growth"] is None for row in found["rows"] if row["by"] in ("region", "service", "academy"))


def test_another_cut_that_is_missing_is_unknown_too(past: Path, tmp_path: Path) -> None:
    made = copied(past, tmp_path / "cut", [BEFORE, RENTREE])
    without_cut(made, BEFORE, CutName.REGION_SERVICE)
    found = report(made.directory, "day", "--day", "2026-09-01")
    services = [row for row in found["rows"] if row["by"] in ("service", "family", "group")]
    assert services
    for row in services:
        assert (row["visits_then"], row["growth"], row["growth_all_projects"], row["days_compared"]) == (
            None,
            None,
            None,
            0,
        )
    assert found["total"]["growth"] is not None


def test_the_hours_that_a_clock_skips_or_repeats() -> None:
    autumn, spring = D("2026-10-25"), D("2026-03-29")
    for day, length in ((autumn, 1500), (spring, 1380)):
        first, end = paris_day(day)
        assert len(wall_minutes(day)) == length == end - first
        marks = [
            HourMark(hour, HourSource.LIVE, ((hour * 60, hour * 60 + 60),)) for hour in range(first // 60, end // 60)
        ]
        assert known_minutes(day, marks)[CutName.REGION].all()
        # Without the third hour of the day: on the long day that is one of the two that begin at two.
        known = known_minutes(day, marks[:2] + marks[3:])[CutName.REGION]
        assert np.flatnonzero(~known).tolist() == list(range(*((120, 180) if length == 1500 else (180, 240))))
    assert not known_minutes(spring, [])[CutName.REGION].any()


def test_how_much_is_compared() -> None:
    full, none = np.ones(DAY_MINUTES, bool), np.zeros(DAY_MINUTES, bool)
    cut, gap, late = full.copy(), full.copy(), full.copy()
    cut[600:] = False
    late[:425] = False
    gap[5:8] = False
    assert extent([full, full]).is_whole
    assert extent([none, none]).day_numbers == ()
    found = extent([full, gap, cut, none])
    assert (found.day_numbers, found.until, found.gap_minutes) == ((0, 1, 2), 600, 3)
    assert ENGLISH.extent(found) == "compared on 3 of 4 days, the last until 10:00, without 3 minutes"
    said = "comparé sur 3 des 4 jours, le dernier jusqu'à 10 h, sans 3 minutes non mesurées"
    assert FRENCH.extent(found) == said
    assert extent([full, gap]).until is None
    part = extent([late & cut])
    assert (part.since, part.until, part.gap_minutes) == (425, 600, 0)
    assert ENGLISH.extent(part) == "compared from 07:05 until 10:00"
    assert FRENCH.extent(part) == "comparé à partir de 7 h 05 jusqu'à 10 h"
    assert FRENCH.extent(extent([late, cut])) == (
        "comparé sur 2 des 2 jours, le premier à partir de 7 h 05, le dernier jusqu'à 10 h"
    )


def silent(catalog: Catalog, project: str, day: date, hours: range) -> int | None:
    """Silent minutes of a project that has an event in every minute of these hours in UTC."""
    first, end = paris_day(day)
    midnight = first - first % 1440 + (1440 if first % 1440 else 0)
    minutes = [midnight + 60 * hour + minute for hour in hours for minute in range(60)]
    rows = {**no_rows(), CutName.PROJECT: CutRows.of(((project,), minute, 1, 0, 0) for minute in minutes)}
    marks = tuple(
        HourMark(hour, HourSource.LIVE, ((hour * 60, hour * 60 + 60),)) for hour in range(first // 60, end // 60)
    )
    silences = Silences(catalog, load_calendar(default_config_dir(), catalog))
    silences.add(DayFile(day, 0, marks, rows, Sketches.none()))
    side = Side((day,), sums={("project", project): Sum.zeros(1)})
    silences.tell(side)
    return side.sums["project", project].silence_minutes


def test_silence_is_judged_on_the_projects_own_clock(catalog: Catalog) -> None:
    # Paris is two hours ahead of UTC: from 7 to 21 there is 5 to 19 UTC.
    assert silent(catalog, "elyco", D("2026-09-15"), range(5, 19)) == 0
    assert silent(catalog, "elyco", D("2026-09-15"), range(6, 19)) == 60
    # Nobody told when Guadeloupe has school: nothing is expected of its project.
    assert silent(catalog, "neoconnect", D("2026-09-15"), range(11, 22)) is None


def test_silence_of_an_overseas_project_with_a_known_calendar(catalog: Catalog, tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(default_config_dir(), config)
    overrides = config / "calendar_overrides.yaml"
    overrides.write_text(
        "school_years:\n  - {zone: REUNION, year: 2026, rentree: 2026-08-17, summer: 2027-07-02, breaks: []}\ndays: []\n"
    )
    silences = Silences(catalog, load_calendar(config, catalog))
    first, end = paris_day(D("2026-09-15"))
    expected = silences.expected(first, end, "04")
    # Reunion is four hours ahead of UTC, so 7 to 21 there is 3 to 17 UTC, 5 to 19 in Paris.
    assert np.flatnonzero(expected)[[0, -1]].tolist() == [5 * 60, 19 * 60 - 1]
