"""Files whose rows count more than they seem to: refused, never added to what they already hold."""

from pathlib import Path

import pytest

from streams.catalog import load_catalog
from streams.csv_file import open_csv
from streams.errors import FileRefused
from streams.history.counts_csv import read_counts
from streams.history.weekly import read_weeks

CATALOG = load_catalog(Path("config"))


def counts(tmp_path: Path, minutes: range) -> int:
    path = tmp_path / "counts.csv"
    rows = [f"2026-09-01T06:{minute:02d}:00Z,region,44,10,5" for minute in minutes]
    path.write_text("\n".join(["minute,cut,region,events,visits", *rows, ""]))
    with open_csv(path) as file:
        return read_counts(file, CATALOG).rows


@pytest.mark.parametrize("apart", [2, 5, 10, 15, 30])
def test_rows_some_minutes_apart_are_no_minutes(tmp_path: Path, apart: int) -> None:
    with pytest.raises(FileRefused, match=f"line 2: every row is a multiple of {apart} minutes"):
        counts(tmp_path, range(0, 60, apart))


@pytest.mark.parametrize("minutes", [range(1), range(0, 10, 5), range(0, 60), range(1, 60, 2)])
def test_a_few_minutes_are_minutes(tmp_path: Path, minutes: range) -> None:
    assert counts(tmp_path, minutes) == len(minutes)


@pytest.mark.parametrize("name", ["Total", "TOTAL", "Total général", "Sous-total", "Ensemble", "France entière"])
def test_a_sum_is_no_establishment(tmp_path: Path, name: str) -> None:
    path = tmp_path / "weeks.csv"
    path.write_text(f"debutSemaine;UAI;visites_eleve\n2025-09-01;0541234Y;50\n2025-09-01;{name};50\n")
    with open_csv(path) as file, pytest.raises(FileRefused, match=r"line 3: .* is no establishment but a sum"):
        read_weeks(file, CATALOG)
