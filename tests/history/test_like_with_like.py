"""Reports compare like with like: weekends under weekends, a region without the ENT that joined it; terminal and page say the same."""

import io
import re
from datetime import date
from html import unescape

import numpy as np
import pytest
from rich.console import Console

from streams.catalog import Catalog
from streams.clock import PARIS
from streams.history.changed_projects import find_perimeter, like_with_like
from streams.history.day_columns import CutName
from streams.history.report import Report
from streams.history.report_page import report_page
from streams.history.report_values import day_rows, report_json
from streams.history.report_words import print_report
from streams.history.side import DAY_MINUTES, Extent, Side, Sum

NOW, THEN = (date(2026, 9, 1),), (date(2025, 9, 1),)
WHOLE = {cut: Extent(1, (0,), DAY_MINUTES, None, None) for cut in CutName}


def side(days: tuple[date, ...], visits: dict[tuple[str, str], int], **tables: dict[tuple[str, ...], int]) -> Side:
    sums = {key: Sum(np.array([n]), np.array([n])) for key, n in visits.items()}
    return Side(days, sums=sums, service_visits=tables.get("services", {}), profile_visits=tables.get("profiles", {}))


def compared(catalog: Catalog, now: Side, then: Side, by: str, code: str) -> tuple[int, int] | None:
    perimeter = find_perimeter(now, then, catalog, WHOLE)
    found = like_with_like(by, code, now, then=then, perimeter=perimeter, catalog=catalog)
    return (found.now, found.then) if found else None


def test_a_region_that_an_ent_joined_is_compared_without_it_by_service_and_profile_too(catalog: Catalog) -> None:
    then = side(
        THEN,
        {("national", "FR"): 3000, ("region", "11"): 1000, ("region", "44"): 2000, ("project", "pcn"): 1000, ("project", "mbn"): 2000},
        services={("11", "NOTES"): 400, ("44", "NOTES"): 800},
        profiles={("11", "ELEVE"): 600, ("44", "ELEVE"): 1000},
    )  # fmt: skip
    # A quarter of the region's visits is of the ENT that joined.
    visits = {("region", "11"): 2000, ("region", "44"): 3000, ("project", "pcn"): 1500, ("project", "mbn"): 3000}
    tables: dict[str, dict[tuple[str, ...], int]] = {
        "services": {("11", "NOTES"): 1000, ("44", "NOTES"): 1200},
        "profiles": {("11", "ELEVE"): 1000, ("44", "ELEVE"): 1500},
    }
    now = side(NOW, {("national", "FR"): 5000, ("project", "ent77"): 500, **visits}, **tables)
    assert [change.project for change in find_perimeter(now, then, catalog, WHOLE).changes] == ["ent77"]
    assert compared(catalog, now, then, "region", "11") == (1500, 1000)
    assert compared(catalog, now, then, "national", "FR") == (4500, 3000)
    assert compared(catalog, now, then, "service", "NOTES") == (750 + 1200, 1200)
    assert compared(catalog, now, then, "group", "vie_scolaire") == (750 + 1200, 1200)
    assert compared(catalog, now, then, "profile", "ELEVE") == (750 + 1500, 1600)
    assert compared(catalog, now, then, "academy", "24") is None  # nobody knows how much of it is the ENT's
    # One of no region: nobody knows where its visits are, so a tenth of every region's.
    now = side(NOW, {("national", "FR"): 5000, ("project", "kosmos_edu"): 500, **visits}, **tables)
    assert compared(catalog, now, then, "region", "11") is None
    assert compared(catalog, now, then, "national", "FR") == (4500, 3000)
    assert compared(catalog, now, then, "service", "NOTES") == (900 + 1080, 1200)
    # A project that left is taken off the earlier side.
    gone = side(
        THEN,
        {**{key: s.compared for key, s in then.sums.items()}, ("project", "ent77"): 100},
        services=dict(then.service_visits),
    )
    now = side(NOW, {("national", "FR"): 5000, **visits}, **tables)
    assert compared(catalog, now, gone, "service", "NOTES") == (2200, 360 + 800)


def page_of(report: Report, catalog: Catalog) -> str:
    from datetime import datetime

    return report_page(report, catalog, datetime(2026, 10, 1, tzinfo=PARIS))


def test_bars_have_weekends_under_weekends(rentree_report: Report, catalog: Catalog) -> None:
    rows = day_rows(rentree_report)
    assert len(rows) == 28
    for row in rows[1:]:
        if row.is_beside:
            assert row.pair.now.weekday() == row.pair.then.weekday()
    # Day by day growth is that of the whole, as it is with like days alone.
    assert all(0.4 < (row.growth or 0) < 0.75 for row in rows[1:-1]), [row.growth for row in rows]
    svg = page_of(rentree_report, catalog).split("Visites par jour, tous projets</h2>")[1].split("</svg>")[0]
    off = sorted(float(x) for x in re.findall(r'<rect class="off" x="([\d.]+)"', svg))
    labels = {text: float(x) for x, text in re.findall(r'<text x="([\d.]+)"[^>]*>(\d+/9)</text>', svg)}
    weekends = [day for day in (5, 6, 12, 13, 19, 20, 26, 27)]
    step = labels["2/9"] - labels["1/9"]
    assert [round((x - off[0]) / step) for x in off] == [day - 5 for day in weekends]
    assert labels["5/9"] == pytest.approx(off[0] + step / 2, abs=0.2)
    told = dict(re.findall(r"<title>(\w+) \d[^:]*:[^;<]*; (\w+) ", unescape(svg)))
    assert told == {day: day for day in ("mercredi", "jeudi", "vendredi", "samedi", "dimanche", "lundi", "mardi")} | {
        "mardi": "mardi"
    }
    assert svg.count('fill="#9aa7b8"') == 27  # the Monday that is left over stands alone


def test_pairs_are_in_the_json(rentree_report: Report) -> None:
    pairs = report_json(rentree_report)["pairs"]
    assert pairs[4] == {
        "day": "2026-09-05",
        "against": "2025-09-06",
        "likeness": "same weekday",
        "visits": pairs[4]["visits"],
        "visits_then": pairs[4]["visits_then"],
        "growth_all_projects": pairs[4]["growth_all_projects"],
    }
    assert sum(pair["visits"] for pair in pairs) == report_json(rentree_report)["total"]["visits"]


def test_the_terminal_says_what_the_page_says(rentree_report: Report, catalog: Catalog) -> None:
    out = io.StringIO()
    print_report(rentree_report, Console(file=out, width=250))
    terminal = {
        number.replace(",", "").replace("+", "") for number in re.findall(r"[+-]?\d[\d,]*(?:\.\d+)?", out.getvalue())
    }
    page = page_of(rentree_report, catalog)
    text = unescape(re.sub(r"(?s)<style>.*?</style>|<svg.*?</svg>|<footer>.*?</footer>", " ", page))
    cells = re.split(r"<[^>]*>", text)
    said = {
        re.sub(r"[\u202f+]", "", number).replace(",", ".").replace("−", "-")
        for cell in cells
        for number in re.findall(
            r"[+−]?\d[\d\u202f]*(?:,\d)?(?!\d)", re.sub(r"\d\d/\d\d(/\d{4})?|\d\d:\d\d|\d+,\d\d\u202f%", "", cell)
        )
    }
    assert len(said) > 300
    assert sorted(said - terminal) == []
    for words in (
        "2026-09-28 (Monday) counts against 2025-09-02 (Tuesday)",
        "what changed most",
        "by day, all projects",
        "by profile",
    ):
        assert words in out.getvalue(), words
