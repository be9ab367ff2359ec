"""The ministry's weekly open data: by week and establishment, visits by profile or service.

Columns: `debutsemaine, uai, academie, region, departement, visites_<x>, utilisateurs_<x>`, where x is the `column` of a profile or service
in `config/`. Region and academy follow from the UAI: names are spelled in several ways. Users are not kept: they never add up.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO

from streams.catalog import UNKNOWN, Catalog, read_yaml
from streams.errors import InputError

_FIXED = ("debutsemaine", "uai")
_VISITS = "visites_"
_NUMBER = re.compile(r"\d{1,9}(\.0+)?")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

#: Visits by establishment (UAI) and code of a profile or service.
Figures = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class ReadWeeks:
    """What a file holds: figures by first day of the week and kind (`profile` or `service`)."""

    rows: int
    weeks: Mapping[tuple[date, str], Figures]
    #: UAI of no known place: counted under `INCONNU`.
    unknown_establishments: int
    columns_ignored: tuple[str, ...]


@dataclass(slots=True)
class _Reader:
    name: str
    measured: Mapping[str, tuple[str, str]]
    weeks: dict[tuple[date, str], Figures] = field(default_factory=dict)
    _line_of: dict[tuple[date, str], int] = field(default_factory=dict)

    def add(self, number: int, row: Mapping[str | None, str | None]) -> None:
        """One line.

        Raises:
            ValueError: it cannot be used; the message says why.
        """
        if None in row:
            raise ValueError("it has more cells than the first line has columns")
        first, uai = _monday(row.get("debutsemaine")), (row.get("uai") or "").strip()
        if not uai:
            raise ValueError("no uai")
        if before := self._line_of.get((first, uai)):
            raise ValueError(f"{uai} has this week on line {before} already: keep one of both")
        self._line_of[first, uai] = number
        for column, (kind, code) in self.measured.items():
            of_establishment = self.weeks.setdefault((first, kind), {}).setdefault(uai, {})
            if (visits := _count(column, row.get(column))) is not None:
                of_establishment[code] = visits


def read_weeks(lines: IO[str], name: str, catalog: Catalog, config_dir: Path) -> ReadWeeks:
    """Read a file of weekly figures, separated by `,` or `;`.

    Raises:
        InputError: a line cannot be used.
    """
    head = lines.readline().lstrip("\ufeff").strip()
    separator = ";" if head.count(";") > head.count(",") else ","
    columns = [column.strip().strip('"') for column in head.split(separator)]
    measured, ignored = _measured(columns, name, config_dir)
    reader = _Reader(name, measured)
    rows = 0
    for number, row in enumerate(_rows(lines, columns, separator), 2):
        rows += 1
        try:
            reader.add(number, row)
        except ValueError as error:
            raise InputError(f"{name}, line {number}: {error}. Mend that line; nothing was imported") from None
    if not rows:
        raise InputError(f"{name} holds no line of figures")
    seen = {uai for figures in reader.weeks.values() for uai in figures}
    unknown = sum(catalog.uai_index[uai][0] == UNKNOWN for uai in seen)
    return ReadWeeks(rows, dict(sorted(reader.weeks.items())), unknown, tuple(ignored))


def _rows(lines: IO[str], columns: list[str], separator: str) -> Iterator[Mapping[str | None, str | None]]:
    yield from csv.DictReader(lines, columns, delimiter=separator)


def _monday(text: str | None) -> date:
    first = date.fromisoformat((text or "").strip()[:10])
    if first.weekday():
        raise ValueError(f"debutsemaine {first} is a {_WEEKDAYS[first.weekday()]}: weeks begin on a Monday")
    return first


def _count(column: str, text: str | None) -> int | None:
    """None for an empty cell: nothing is known."""
    cell = (text or "").strip()
    if cell and not _NUMBER.fullmatch(cell):
        raise ValueError(f"{column} {cell!r} is no count: a whole number from 0 on")
    return int(float(cell)) if cell else None


def _measured(columns: list[str], name: str, config_dir: Path) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Column of visits -> (kind, code), and the columns of visits that name nothing."""
    missing = [column for column in _FIXED if column not in columns]
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(missing)}: these are not the ministry's weekly figures by establishment"
        )
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise InputError(f"{name}: column {', '.join(twice)} twice: keep one")
    known: dict[str, tuple[str, str]] = {}
    for kind, file in (("profile", "profiles"), ("service", "services")):
        for item in read_yaml(config_dir / f"{file}.yaml")[file]:
            if item.get("column"):
                known[_VISITS + str(item["column"])] = (kind, str(item["code"]))
    given = [column for column in columns if column.startswith(_VISITS)]
    measured = {column: known[column] for column in given if column in known}
    ignored = [column for column in given if column not in known]
    if not measured:
        raise InputError(
            f"{name}: no column {_VISITS}<x> of a profile or service of config/: {', '.join(ignored) or 'none at all'}"
        )
    return measured, ignored
