"""The report prints the published figures from a simulated past that has them; what changed but the use is named, not counted as growth."""

import csv
import dataclasses
import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from rich.console import Console

from streams.catalog import Catalog
from streams.cli import cli
from streams.errors import InputError, VigieError
from streams.history.archive import Archive
from streams.history.arrow import DamagedFileError
from streams.history.report import Report
from streams.history.report_words import print_report
from streams.history.sides import NoDataError

D = date.fromisoformat


def run(*arguments: str) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(cli, ["report", *arguments])
    if done.exception is not None and not isinstance(done.exception, VigieError | SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.exception


@pytest.fixture(scope="session")
def rentree(past: Path) -> dict[str, Any]:
    code, out, _error = run("rentree", "--year", "2026", "--against", "2025", "--archive", str(past), "--json")
    assert code == 0
    return orjson.loads(out)


def growth(report: dict[str, Any], by: str) -> dict[str, float]:
    return {row["code"]: row["growth"] for row in report["rows"] if row["by"] == by and row["growth"] is not None}


def test_the_published_rentree(rentree: dict[str, Any]) -> None:
    assert rentree["first_day"]["growth"] == pytest.approx(1.02, abs=0.02)
    assert rentree["total"]["growth"] == pytest.approx(0.50, abs=0.005)
    groups = growth(rentree, "group")
    assert groups["vie_scolaire"] == pytest.approx(0.26, abs=0.005)
    assert groups["services_pedagogiques"] == pytest.approx(0.51, abs=0.01)
    assert groups["parcours"] == pytest.approx(0.61, abs=0.02)


def test_a_project_that_joins_is_named_and_no_growth(rentree: dict[str, Any]) -> None:
    perimeter = rentree["perimeter"]
    assert [(change["project"], change["change"], len(change["days"])) for change in perimeter["changes"]] == [
        ("ent77", "joined", 28)
    ]
    assert perimeter["same"] is False
    total = rentree["total"]
    assert total["growth_all_projects"] == pytest.approx(0.521, abs=0.006)
    rows = {(row["by"], row["code"]): row for row in rentree["rows"]}
    # Its region without it, and with it; its academy cannot be told apart.
    assert rows["region", "11"]["growth"] == pytest.approx(0.50, abs=0.01)
    assert rows["region", "11"]["growth_all_projects"] > 0.6
    assert rows["academy", "24"]["growth"] is None
    assert rows["project", "ent77"]["growth"] is None
    assert rows["region", "84"]["perimeter_changed"] is False


def test_november_against_the_lockdown(past: Path) -> None:
    _code, out, _error = run(
        "period",
        "--from",
        "2026-11-02",
        "--to",
        "2026-11-04",
        "--against",
        "2026-03-16",
        "--archive",
        str(past),
        "--json",
    )
    report = orjson.loads(out)
    regions = growth(report, "region")
    expected = {"84": 0.49, "27": 0.48, "44": 0.20}
    assert {code: regions[code] for code in expected} == pytest.approx(expected, abs=0.02)
    assert growth(report, "project")["arsene76"] == pytest.approx(0.15, abs=0.03)
    assert regions["76"] == pytest.approx(0.30, abs=0.02)  # without the project that fell silent there
    assert {c["project"]: c["change"] for c in report["perimeter"]["changes"]} == {
        "ecollege31": "left",
        "ent77": "joined",
    }


def test_every_grouping_adds_up(rentree: dict[str, Any]) -> None:
    total = rentree["total"]
    for by in ("region", "project", "profile", "academy"):
        rows = [row for row in rentree["rows"] if row["by"] == by]
        assert sum(row["visits"] for row in rows) == total["visits"], by
        assert sum(row["events"] for row in rows) == total["events"], by
    services = sum(row["visits"] for row in rentree["rows"] if row["by"] == "service")
    assert services == sum(row["visits"] for row in rentree["rows"] if row["by"] == "family")
    assert services > total["visits"]


def test_figures_beside_the_growth(rentree: dict[str, Any]) -> None:
    rows = {(row["by"], row["code"]): row for row in rentree["rows"]}
    assert rentree["total"]["peak_minute"].startswith("2026-09-01T06:")
    assert rows["region", "84"]["peak_minute"][11:13] in ("05", "06", "07")
    assert rows["region", "84"]["establishments"] == pytest.approx(706, rel=0.05)
    assert rows["region", "84"]["silence_minutes"] <= 5  # of 40,320, at a few thousandths of France
    assert rentree["unknown_school_calendar"] == ["01", "02", "03", "04", "06", "94"]
    assert rentree["quality"]["measured_minutes"] == 28 * 1440
    assert rentree["simulated"] is True


@pytest.mark.parametrize(
    ("day", "against"),
    [
        ("2026-09-01", "2025-09-01"),  # the rentrée, though a Tuesday against a Monday
        ("2026-09-02", "2025-09-03"),  # Wednesdays
        ("2026-09-05", "2025-09-06"),  # Saturdays: day n would be a Friday
        ("2026-09-24", "2025-09-25"),
    ],
)
def test_one_day_against_a_comparable_one(past: Path, day: str, against: str) -> None:
    _code, out, _error = run("day", "--day", day, "--archive", str(past), "--json")
    report = orjson.loads(out)
    assert (report["days"]["from"], report["against"]["from"]) == (day, against)
    assert report["unlike_days"] == []


def test_days_that_are_not_alike_are_said(past: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    arguments = ("day", "--day", "2026-09-05", "--against", "2025-09-05", "--archive", str(past))
    _code, text, _error = run(*arguments)
    assert "unlike days school day: 0 against 1 (zones A, B, C)" in text
    assert "unlike days Saturday: 1 against 0" in text
    report = orjson.loads(run(*arguments, "--json", "--html", str(page))[1])
    assert {unlike["day_kind"] for unlike in report["unlike_days"]} == {"school day", "Saturday"}
    assert "unlike days" in report["total"]["marks"]
    assert "Jours dissemblables, samedis : 1 contre 0 (zones A, B, C)" in page.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("rentree", "--year", "2024"),
        ("rentree", "--year", "2027"),
        ("period", "--from", "2026-09-01", "--to", "2026-09-07", "--against", "2024-09-02"),
        ("day", "--day", "2026-01-10"),
    ],
)
def test_a_range_without_data_says_what_is_held(past: Path, arguments: tuple[str, ...]) -> None:
    code, _out, error = run(*arguments, "--archive", str(past))
    assert code == 1
    assert isinstance(error, NoDataError)
    assert error.exit_code == 1
    assert "the archive holds 62 days: 2025-09-01 to 2025-09-28, 2026-03-16 to 2026-03-18" in str(error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rentree", "--year", "2040"), "the rentrée of 2040 is not known: add the school year to"),
        (("period", "--from", "2026-09-07", "--to", "2026-09-01"), "--to must not lie before --from"),
        (("period", "--from", "2020-09-07", "--to", "2026-09-01"), "at most 400 days"),
        (("day", "--day", "2026-09-01", "--json", "--csv"), "not both"),
        (("day", "--day", "2026-09-01", "--html", "/nowhere/page.html"), "name another file with --html"),
    ],
)
def test_what_cannot_be_reported(past: Path, arguments: tuple[str, ...], said: str) -> None:
    _code, _out, error = run(*arguments, "--archive", str(past))
    assert isinstance(error, InputError)
    assert said in str(error)


def test_no_archive_is_said() -> None:
    _code, _out, error = run("day", "--day", "2026-09-01")
    assert "--archive DIR, or set archive_dir" in str(error)


def test_csv_and_terminal(past: Path) -> None:
    _code, out, _error = run("day", "--day", "2026-09-01", "--archive", str(past), "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (rows[0]["by"], rows[0]["code"], rows[0]["label"]) == ("national", "FR", "France")
    assert len(rows) > 100
    _code, text, _error = run("rentree", "--year", "2026", "--archive", str(past))
    assert re.search(
        r"first day +[\d,]+ visits; like with like [\d,]+ against [\d,]+: \+10\d\.\d % \(with all projects", text
    )
    assert "ent77 ENT77 joined" in text
    assert "simulated figures" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_digit_is_cut_on_a_narrow_terminal(rentree_report: Report, width: int) -> None:
    # As large as the figures of all of France.
    rows = tuple(
        dataclasses.replace(row, visits=1000 * (row.visits or 0), visits_compared=1000 * (row.visits_compared or 0))
        for row in rentree_report.rows
    )
    out = io.StringIO()
    print_report(dataclasses.replace(rentree_report, rows=rows), Console(file=out, width=width))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for row in rows:
        if row.by in ("region", "project", "service"):
            numbers = rf"{row.visits:,} +"
            assert re.search(rf"(^|\s){numbers}", text), (row.by, row.code)
            if row.growth is not None:
                assert re.search(rf"{numbers}.*{re.escape(f'{100 * row.growth:+.1f} %')}", text), (row.by, row.code)
    assert ("no room for the columns" in text) == (width < 160)


def test_the_page_is_whole_french_and_self_contained(past: Path, tmp_path: Path, catalog: Catalog) -> None:
    page_file = tmp_path / "rapport.html"
    assert run("rentree", "--year", "2026", "--archive", str(past), "--html", str(page_file))[0] == 0
    page = page_file.read_text()
    for text in (
        "Jour de la rentrée",
        "Quatre premières semaines",
        "Le périmètre a changé",
        "Données simulées",
        "Peut-on s'y fier",
        "@page{size:A4",
    ):
        assert text in page, text
    assert not re.search(r"(src|href)\s*=|https?://|<script|@import|url\(", page)
    assert all(region.name.replace("'", "&#39;") in page for region in catalog.regions if region.weight)
    # On a narrow screen tables scroll by themselves, the page does not.
    assert page.count("<table") == page.count('<div class="wide"><table') > 8
    assert page.count("<svg") == page.count("</svg>") == 4


def test_a_damaged_file_is_no_figure(past: Path, tmp_path: Path) -> None:
    archive = Archive(past)
    path = archive.path(D("2026-09-10"))
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: len(whole) // 2])
        _code, out, error = run("rentree", "--year", "2026", "--archive", str(past), "--json")
    finally:
        path.write_bytes(whole)
    assert isinstance(error, DamagedFileError)
    assert "2026-09-10.parquet is damaged" in str(error)
    assert out == ""


def test_users_too_few_to_be_told_are_told_nowhere(past: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("day", "--day", "2026-09-01", "--archive", str(past), "--html", str(tmp_path / "report.html"))
    _code, out, _error = run(*words, "--json")
    before = {row["code"]: row["users"] for row in orjson.loads(out)["rows"] if row["by"] == "region"}
    least = sorted(users for users in before.values() if users)[5]
    monkeypatch.setenv("VIGIE_USERS_SHOWN_MIN", str(least))
    assert least <= 1000, "the setting's bound: make the past smaller"
    _code, out, _error = run(*words, "--json")
    rows = {row["code"]: row for row in orjson.loads(out)["rows"] if row["by"] == "region"}
    for code, users in before.items():
        is_few = users is not None and 0 < users < least
        assert rows[code]["users"] == (None if is_few else users)
        assert ("users too few to be told" in rows[code]["marks"]) == is_few
    page = (tmp_path / "report.html").read_text()
    assert page.count(f">moins de {least}<") == 5


def test_a_region_has_a_report_of_its_own_and_of_nobody_else(past: Path, tmp_path: Path, catalog: Catalog) -> None:
    words = ("day", "--day", "2026-09-01", "--archive", str(past), "--json")
    _code, out, _error = run(*words)
    france = orjson.loads(out)
    _code, out, _error = run(*words, "--region", "44", "--html", str(tmp_path / "page.html"))
    report = orjson.loads(out)
    total = report["total"]
    assert (total["by"], total["code"], total["label"]) == ("regions", "44", "Grand Est")
    (own,) = (row for row in france["rows"] if (row["by"], row["code"]) == ("region", "44"))
    for name in ("visits", "visits_then", "growth", "events", "users", "establishments", "peak_visits"):
        assert total[name] == own[name], name
    of = {by: {row["code"] for row in report["rows"] if row["by"] == by} for by in ("region", "academy", "project")}
    (region,) = (region for region in catalog.regions if region.code == "44")
    assert of["region"] == {"44"}
    assert of["academy"] <= {academy.code for academy in region.academies}
    assert of["project"] <= {project.code for project in catalog.projects if project.region == "44"}
    # Figures that name no region are those of the region.
    assert sum(row["events"] for row in report["rows"] if row["by"] == "service") == total["events"]
    text = (tmp_path / "page.html").read_text()
    assert "Audience des ENT, mardi 1er septembre 2026 – Grand Est" in text
    others = [region.name for region in catalog.regions if region.code != "44"]
    assert [name for name in others if name in text] == []
    _code, out, _error = run(*words, "--region", "44", "--region", "11")
    both = orjson.loads(out)["total"]
    of_two = [row["visits"] for row in france["rows"] if row["by"] == "region" and row["code"] in ("11", "44")]
    assert (both["code"], both["visits"]) == ("11,44", sum(of_two))
    _code, _out, error = run(*words, "--region", "Alsace")
    assert isinstance(error, InputError)
    assert "--region 'Alsace' is no region" in str(error)
