"""`rehearse --counts` of files as spreadsheets, programs and accidents leave them: read right, or refused by line."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import FileRefused
from streams.rehearse.counts_file import CountsGrid, read_counts
from tests.csv_forms import (
    COUNTS_READ,
    COUNTS_REFUSED,
    EXAMPLES,
    MOMENTS_REFUSED,
    Table,
    edits,
    forms,
    line_of,
    plain_rows,
)

UTC = ZoneInfo("UTC")
TABLE = Table(
    ("timestamp", "count", "region", "service"),
    tuple(
        (f"2026-01-05T{hour:02}:00", str(100 * hour + 7), region, "") for hour in range(6) for region in ("44", "Île")
    ),
)
#: As whole numbers are, but what may have decimals, or an exponent.
REFUSED = {
    "count": [
        *sorted(set(COUNTS_REFUSED) - {"1e3", "1.5", "1,5", "1.234", "1,234"}),
        "",
        "1.234.567",
        "1,234.5",
        "1,2e3",
        "1e400",
        "2e13",
    ],
    "timestamp": [moment for moment in MOMENTS_REFUSED if "0026" not in moment],
    "region": ["4\n4", "4\u200b4", "4\u00a04"],
}


def opened(path: Path, data: bytes) -> CountsGrid | FileRefused:
    path.write_bytes(data)
    try:
        return read_counts(path, UTC)
    except FileRefused as refusal:
        return refusal


def rows_of(found: object) -> list[tuple[str, float]]:
    """(region, count) of each row, in order of these."""
    assert isinstance(found, CountsGrid), found
    return sorted(
        (scope.region or "", value)
        for scope, values in zip(found.scopes, found.values.tolist(), strict=True)
        for value in values
        if np.isfinite(value)
    )


@EXAMPLES
@given(data=st.data())
def test_counts_in_any_form_are_the_same(tmp_path: Path, data: st.DataObject) -> None:
    good = opened(tmp_path / "c.csv", TABLE.plain().encode())
    assert len(rows_of(good)) == 12
    found = opened(tmp_path / "c.csv", data.draw(forms(TABLE)).data)
    assert rows_of(found) == rows_of(good)
    assert isinstance(found, CountsGrid)
    assert isinstance(good, CountsGrid)
    assert (found.texts, found.first_minute, found.step_minutes) == (good.texts, good.first_minute, 60)


@pytest.mark.parametrize("column", REFUSED)
@settings(EXAMPLES, max_examples=40)
@given(data=st.data())
def test_rows_that_are_none_are_refused_by_line(tmp_path: Path, column: str, data: st.DataObject) -> None:
    cell, row = data.draw(st.sampled_from(REFUSED[column])), data.draw(st.integers(0, len(TABLE.rows) - 1))
    written = data.draw(forms(TABLE.with_cell(row, column, cell)))
    assert line_of(opened(tmp_path / "c.csv", written.data), written.data) == written.lines[row]


@EXAMPLES
@given(data=st.data())
def test_counts_as_programs_and_spreadsheets_write_them_are_read(tmp_path: Path, data: st.DataObject) -> None:
    said = {
        **COUNTS_READ,
        "1e3": 1000,
        "1.5": 1.5,
        "1,5": 1.5,
        "2.100000000000000000e+01": 21,
        "1 234,56": 1234.56,
        "0.125": 0.125,
    }
    cell = data.draw(st.sampled_from(sorted(said)))
    written = data.draw(forms(TABLE.with_cell(0, "count", cell)))
    expected = [
        ("44", float(said[cell])) if number == 0 else (row[2], float(row[1])) for number, row in enumerate(TABLE.rows)
    ]
    assert rows_of(opened(tmp_path / "c.csv", written.data)) == sorted(expected)


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["7", "1.234", "12.500"], 3),  # thousands, or fractions of three digits
        (["7", "1,234", "12,500"], 3),
        (["1,234", "2,500", "3,750"], 2),
        (["0.5", "1.5", "2,345"], 4),
        (["7.5", "1.234", "2.5"], None),
        (["0.125", "1.234", "2.500"], None),
        (["12.345", "1.234", "5.000"], None),  # `%.3f`
        (["7,5", "1,234", "2,5"], None),
        (["7", "1.2345", "8"], None),
        (["1.5", "2,5", "3"], None),
    ],
)
def test_a_fraction_or_thousands(tmp_path: Path, cells: list[str], line: int | None) -> None:
    data = "timestamp;count\n" + "".join(f"2026-01-05T0{number}:00;{cell}\n" for number, cell in enumerate(cells))
    found = opened(tmp_path / "c.csv", data.encode())
    if line:
        assert line_of(found, data.encode()) == line
        assert "a fraction, or thousands?" in str(found)
    else:
        assert rows_of(found) == sorted(("", float(cell.replace(",", "."))) for cell in cells)


@settings(EXAMPLES, max_examples=300)
@given(data=st.data())
def test_any_edit_is_read_right_or_refused_by_line(tmp_path: Path, data: st.DataObject) -> None:
    edited = data.draw(edits(TABLE.plain().encode()))
    found = opened(tmp_path / "c.csv", edited)
    if isinstance(found, FileRefused):
        line_of(found, edited)
        return
    said = []
    for row in plain_rows(edited):
        cell = row["count"].strip()
        assert re.fullmatch(r"[0-9]+([.,][0-9]+)?|[0-9.]+e[0-9]+|[0-9]{1,3}([ \u202f][0-9]{3})+", cell), (
            f"{cell!r} was read"
        )
        said.append((row.get("region", "").strip(), float(re.sub("[ \u202f]", "", cell).replace(",", "."))))
    assert rows_of(found) == sorted(said)
