"""`history import` of counts by the minute as spreadsheets, portals and accidents leave them: read right, or refused by line."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.catalog import Catalog
from streams.csv_file import CsvFile
from streams.errors import FileRefused
from streams.history.counts_csv import COLUMNS, Counts, read_counts
from streams.history.day_columns import KEY_COLUMNS, CutName
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

COUNTS = Table(
    COLUMNS,
    tuple(
        (
            f"2026-09-01T06:0{minute}:00Z",
            cut,
            *codes,
            str(40 + 2 * minute),
            "20",
            "1" if cut == "region" else "0",
            "minute",
            "live",
        )
        for minute in range(3)
        for cut, codes in (
            ("region", ("44", "", "", "", "")),
            ("region_service", ("44", "NOTES", "", "", "")),
            ("project", ("", "", "mbn", "", "")),
            ("profile_region", ("44", "", "", "ELEVE", "")),
            ("academy", ("", "", "", "", "12")),
        )
    ),
)
REGIONS = Table(COLUMNS, COUNTS.rows[::5])

Figures = dict[tuple[object, ...], tuple[int, ...]]


def counts_of(found: object) -> Figures:
    assert isinstance(found, Counts), found
    return {
        (cut, key, minute): tuple(counts)
        for reading in found.hours.values()
        for cut, rows in reading.rows.items()
        for key, minute, *counts in zip(
            (rows.keys[place] for place in rows.series.tolist()),
            *(column.tolist() for column in (rows.minute, rows.events, rows.visits, rows.late)),
            strict=True,
        )
    }


@pytest.fixture
def counts_reader(catalog: Catalog) -> Callable[[CsvFile], Counts]:
    return lambda file: read_counts(file, catalog)


@EXAMPLES
@given(data=st.data())
def test_counts_in_any_form_are_the_same(
    tmp_path: Path, counts_reader: Callable[[CsvFile], Counts], data: st.DataObject
) -> None:
    good = counts_of(opened(tmp_path / "good.csv", COUNTS.plain().encode(), counts_reader))
    assert len(good) == 15
    written = data.draw(forms(COUNTS))
    assert counts_of(opened(tmp_path / "c.csv", written.data, counts_reader)) == good


#: Of each column of the CSV of counts, cells that a row of cut region must not have.
REFUSED_IN_COUNTS = {
    "events": [*COUNTS_REFUSED, ""],
    "visits": [*COUNTS_REFUSED, ""],
    "late": [*COUNTS_REFUSED, ""],
    "minute": [*MOMENTS_REFUSED, "2026-09-01T06:00:00", "2026-09-01T06:00:07Z", "2026-09-01 06:00"],
    "cut": ["", "Region", "city", "region_service"],
    "region": ["", "1", "4", "XX", "044", "44.0"],
    "service": ["NOTES"],
    "academy": ["12"],
    "step": ["hour", "day", "Minute"],
    "source": ["simulated", "simulate", "LIVE", "live+"],
}


@pytest.mark.parametrize("column", REFUSED_IN_COUNTS)
@settings(EXAMPLES, max_examples=25)
@given(data=st.data())
def test_counts_that_are_none_are_refused_by_line(
    tmp_path: Path, counts_reader: Callable[[CsvFile], Counts], column: str, data: st.DataObject
) -> None:
    written, line = changed(data, REGIONS, column, data.draw(st.sampled_from(REFUSED_IN_COUNTS[column])))
    named = line_of(opened(tmp_path / "c.csv", written.data, counts_reader), written.data)
    # One row says that it was simulated, the next one that it was not: either may be named.
    assert named == line or column == "source"


@EXAMPLES
@given(data=st.data())
def test_counts_as_spreadsheets_write_them_are_read(
    tmp_path: Path, counts_reader: Callable[[CsvFile], Counts], data: st.DataObject
) -> None:
    table = Table(COLUMNS, tuple((*row[:7], "2000", *row[8:]) for row in REGIONS.rows))
    cell = data.draw(st.sampled_from(sorted(COUNTS_READ)))
    written, _line = changed(data, table, "visits", cell)
    found = counts_of(opened(tmp_path / "c.csv", written.data, counts_reader))
    assert sorted(counts[1] for counts in found.values()) == sorted([20, 20, COUNTS_READ[cell]])


@settings(EXAMPLES, max_examples=300)
@given(data=st.data())
def test_any_edit_of_counts_is_read_right_or_refused_by_line(
    tmp_path: Path, counts_reader: Callable[[CsvFile], Counts], data: st.DataObject
) -> None:
    edited = data.draw(edits(data.draw(st.sampled_from([COUNTS, REGIONS])).plain().encode()))
    found = opened(tmp_path / "c.csv", edited, counts_reader)
    if isinstance(found, FileRefused):
        line_of(found, edited)
        return
    said: Figures = {}
    for row in plain_rows(edited):
        cut = CutName(row["cut"].strip())
        when = row["minute"].strip().replace(" ", "T", 1).replace(" ", "").replace("Z", "+00:00")
        minute = int(datetime.fromisoformat(when).timestamp()) // 60
        counts = tuple(plain_count(row[column]) for column in ("events", "visits", "late"))
        if any(counts):  # a row of zeros is kept as none
            said[cut, tuple(row[column].strip() for column in KEY_COLUMNS[cut]), minute] = counts
    assert counts_of(found) == said
