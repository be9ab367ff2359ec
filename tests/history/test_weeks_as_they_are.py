"""`history import` of weekly figures as spreadsheets, portals and accidents leave them: read right, or refused by line."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.catalog import Catalog
from streams.csv_file import CsvFile
from streams.errors import FileRefused
from streams.history.weekly import ReadWeeks, read_weeks
from tests.csv_forms import (
    COUNTS_READ,
    COUNTS_REFUSED,
    EXAMPLES,
    MOMENTS_REFUSED,
    Table,
    changed,
    edits,
    forms,
    line_of,
    opened,
    plain_count,
    plain_rows,
)
from tests.history.days_made import run

WEEKS = Table(
    ("debutSemaine", "UAI", "académie", "visites_globales", "visites_eleve", "visites_parent", "visites_notes"),
    tuple(
        (monday, uai, "Nancy-Metz", "30", str(20 + place), "10", "")
        for monday in ("2025-09-01", "2025-09-08")
        for place, uai in enumerate(("0541234Y", "0690001B", "9710001Z"))
    ),
)
WEEK_CODES = {
    "visiteseleve": ("profile", "ELEVE"),
    "visitesparent": ("profile", "PARENT"),
    "visitesnotes": ("service", "NOTES"),
}

Figures = dict[tuple[object, ...], tuple[int, ...]]


def weeks_of(found: object) -> Figures:
    assert isinstance(found, ReadWeeks), found
    return {
        (first, kind, uai, code): (visits,)
        for (first, kind), figures in found.weeks.items()
        for uai, by_code in figures.items()
        for code, visits in by_code.items()
    }


@pytest.fixture
def weeks_reader(catalog: Catalog) -> Callable[[CsvFile], ReadWeeks]:
    return lambda file: read_weeks(file, catalog)


@EXAMPLES
@given(data=st.data())
def test_weeks_in_any_form_are_the_same(
    tmp_path: Path, weeks_reader: Callable[[CsvFile], ReadWeeks], data: st.DataObject
) -> None:
    good = weeks_of(opened(tmp_path / "good.csv", WEEKS.plain().encode(), weeks_reader))
    assert len(good) == 12
    assert weeks_of(opened(tmp_path / "c.csv", data.draw(forms(WEEKS)).data, weeks_reader)) == good


#: Of each column of the weekly figures, cells that it must not have.
REFUSED_IN_WEEKS = {
    "visites_eleve": COUNTS_REFUSED,
    "visites_notes": COUNTS_REFUSED,
    "debutSemaine": [
        *MOMENTS_REFUSED,
        "2025-09-02",
        "2025-09-01x",
        "2025-W36",
        "20250901",
        "2025-09-01T22:00:00+00:00",
        "2025-09-010",
    ],
    "UAI": ["", "541234Y", "0541234Z", "0541234", "54123", "０541234Y", "0541234YY", "05412 34Y", "0541234Y2"],
}


@pytest.mark.parametrize("column", REFUSED_IN_WEEKS)
@settings(EXAMPLES, max_examples=25)
@given(data=st.data())
def test_weeks_that_are_none_are_refused_by_line(
    tmp_path: Path, weeks_reader: Callable[[CsvFile], ReadWeeks], column: str, data: st.DataObject
) -> None:
    written, line = changed(data, WEEKS, column, data.draw(st.sampled_from(REFUSED_IN_WEEKS[column])))
    assert line_of(opened(tmp_path / "c.csv", written.data, weeks_reader), written.data) == line


@EXAMPLES
@given(data=st.data())
def test_weeks_as_spreadsheets_write_them_are_read(
    tmp_path: Path, weeks_reader: Callable[[CsvFile], ReadWeeks], data: st.DataObject
) -> None:
    cell = data.draw(st.sampled_from(sorted(COUNTS_READ)))
    written, _line = changed(data, WEEKS, "visites_parent", cell)
    found = weeks_of(opened(tmp_path / "c.csv", written.data, weeks_reader))
    assert sorted(n for (_w, _k, _u, code), (n,) in found.items() if code == "PARENT") == sorted(
        [10] * 5 + [COUNTS_READ[cell]]
    )
    written, _line = changed(
        data, WEEKS, "debutSemaine", data.draw(st.sampled_from(["2025-09-15", "2025-09-15T00:00:00+02:00"]))
    )
    found = weeks_of(opened(tmp_path / "c.csv", written.data, weeks_reader))
    assert sum(first == date(2025, 9, 15) for first, *_rest in found) == 2


@settings(EXAMPLES, max_examples=300)
@given(data=st.data())
def test_any_edit_of_weeks_is_read_right_or_refused_by_line(
    tmp_path: Path, weeks_reader: Callable[[CsvFile], ReadWeeks], data: st.DataObject
) -> None:
    edited = data.draw(edits(WEEKS.plain().replace("é", "e").encode()))
    found = opened(tmp_path / "c.csv", edited, weeks_reader)
    if isinstance(found, FileRefused):
        line_of(found, edited)
        return
    said: Figures = {}
    told = weeks_of(found)
    for row in plain_rows(edited):
        first, uai = date.fromisoformat(row["debutsemaine"].strip()[:10]), row["uai"].strip().upper()
        for column, (kind, code) in WEEK_CODES.items():
            cell = row.get(column, "").strip()
            if cell and column in row:
                said[first, kind, uai, code] = (plain_count(cell),)
    assert told == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("debutsemaine;uai;visites_eleves\n2025-09-01;0541234Y;3\n", "line 1: column 'visites_eleves': is it that of profile ELEVE?"),
        ("debutsemaine;uai;visites_eleve;Parents\n2025-09-01;0541234Y;3;4\n", "line 1: column 'Parents': is it that of profile PARENT?"),
        ("debutsemaine;uai;visites_eleve;Visites_Eleve\n2025-09-01;0541234Y;3;4\n", "line 1: column visites_eleve twice"),
        ("debutsemaine;uai;visites_eleve\n2025-09-01;0541234Y\n", "line 2: 2 columns where line 1 has 3"),
        ("debutsemaine;uai;visites_eleve\n2025-09-01;0541234Y;3;\n2025-09-08;0541234Y;3;4\n", "line 3: it has more cells"),
        ("debutsemaine;uai;visites_eleve\n2025-09-01;0541234Y;3\n;Total;3\n", "line 3: '' is not a day"),
        ("debutsemaine;uai;visites_eleve\n2025-09-01;0541234Y;3\ndebutsemaine;uai;visites_eleve\n", "line 3: 'debutsemaine' is not a day"),
        ('debutsemaine;uai;visites_eleve;nom\n2025-09-01;0541234Y;3;"a\nb"\n\n2025-09-01;nowhere;x;\n', "line 5: visites_eleve 'x' is no"),
        ('debutsemaine;uai;visites_eleve\n2025-09-01;0541234Y;"3\n2025-09-08;0541234Y;3\n', "line 2: cannot be divided into cells"),
        ("minute;cut;region;events;visits;Late2\n2026-09-01T06:00Z;region;44;1;1;1\n", "line 1: expected a first line"),
        ("a;b\n", "line 1: no column cut, events, minute, visits"),
    ],
)  # fmt: skip
def test_what_was_renamed_cut_or_added_up_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(text)
    _out, _said, error = run("history", "import", str(path), "--archive", str(tmp_path / "archive"))
    assert isinstance(error, FileRefused), error
    assert said in str(error)
    assert error.exit_code == 1
    assert not (tmp_path / "archive").exists()


def test_a_portals_download_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "download.csv"
    path.write_text(
        "\ufeffdebutSemaine;UAI;visites_globales;visites_eleve;visites_parent;nom\r\n2025-09-01;0541234y;1 100;1 000;100;x\r\n"
    )
    _out, said, error = run("history", "import", str(path), "--archive", str(tmp_path / "archive"))
    assert error is None
    assert "1 line, 1 week from 2025-09-01 to 2025-09-01, by profile" in said
    assert "0 establishments of no known place, under INCONNU; ignored: nom" in said
    stored = (tmp_path / "archive" / "weekly" / "2025-09-01-profile.json").read_text()
    assert re.search(r'"codes":\["ELEVE","PARENT"\],"establishments":\{"0541234Y":\[1000,100\]\}', stored)


@pytest.mark.parametrize(
    "held",
    [
        '{"first":"2025-09-08","kind":"profile","codes":["ELEVE"],"establishments":{"0541234Y":[5]}}',
        '{"first":"2025-09-01","kind":"service","codes":["NOTES"],"establishments":{"0541234Y":[5]}}',
        '{"first":"2025-09-01","kind":"profile","codes":["ELEVE","PARENT"],"establishments":{"0541234Y":[5]}}',
        '{"first":"2025-09-01","kind":"profile","codes":["ELEVE"],"establishments":{"0541234Y":[5,6]}}',
    ],
)
def test_a_week_that_its_file_does_not_hold_is_refused(tmp_path: Path, held: str) -> None:
    path = tmp_path / "week.csv"
    path.write_text("debutsemaine;uai;visites_eleve\n2025-09-01;0570054Z;7\n")
    stored = tmp_path / "archive" / "weekly" / "2025-09-01-profile.json"
    stored.parent.mkdir(parents=True)
    stored.write_text(held)
    _out, _said, error = run("history", "import", str(path), "--archive", str(tmp_path / "archive"))
    assert "2025-09-01-profile.json is damaged" in str(error)
    assert stored.read_text() == held


def test_a_file_is_read_from_standard_input(tmp_path: Path) -> None:
    text = "minute,cut,region,events,visits\n\n2026-09-01T06:00:00Z,region,XX,10,5\n"
    _out, _said, error = run("history", "import", "-", "--archive", str(tmp_path / "archive"), text=text)
    assert "standard input, line 3: region 'XX' is not in the lists" in str(error)
