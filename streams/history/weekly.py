"""The ministry's weekly open data: by week and establishment, visits by profile or service.

Columns: `debutsemaine, uai, academie, region, departement, visites_<x>, utilisateurs_<x>`, where x is the `column` of a profile or service
in `config/`, or `globales`; the portal's downloads, its API and spreadsheets write them differently (`streams.csv_file.column_key`). Region
and academy follow from the UAI: names are spelled in several ways. Users are not kept: they never add up.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from streams.catalog import UNKNOWN, Catalog, departement_of
from streams.csv_file import CsvFile, CsvRow, column_key
from streams.values import day, quoted, whole

_FIXED = ("debutsemaine", "uai")
_VISITS = "visites_"
#: Columns that are known and not kept: they follow from the UAI or from other visits, or never add up.
_NOT_KEPT = re.compile(r"academie|region|departement|visitesglobales|utilisateurs.*")
#: From so alike on, a column that nothing is known by is a known one that was renamed or mistyped.
_ALIKE = 0.8
#: Of a week and an establishment: more would be no count of visits.
VISITS_MAX = 10**9
#: What spreadsheets write where a line adds up others.
_SUM = re.compile(r"(?:sous|grand)?totale?(?:general|aux)?|ensemble|somme|france(?:entiere)?")
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


@dataclass(frozen=True, slots=True)
class _Measured:
    """A column of visits: its name in the file, and the kind and code that it counts."""

    name: str
    kind: str
    code: str


@dataclass(slots=True)
class _Reader:
    measured: Mapping[str, _Measured]
    weeks: dict[tuple[date, str], Figures] = field(default_factory=dict)
    _line_of: dict[tuple[date, str], int] = field(default_factory=dict)

    def add(self, row: CsvRow) -> None:
        """One row.

        Raises:
            ValueError: it cannot be used; the message says why.
        """
        first, uai = _monday(row["debutsemaine"]), _uai(row["uai"])
        if before := self._line_of.get((first, uai)):
            raise ValueError(f"{uai} has this week on line {before} already: keep one of both")
        self._line_of[first, uai] = row.line
        for key, column in self.measured.items():
            of_establishment = self.weeks.setdefault((first, column.kind), {}).setdefault(uai, {})
            if (visits := _count(column.name, row[key])) is not None:
                of_establishment[column.code] = visits


def read_weeks(file: CsvFile, catalog: Catalog) -> ReadWeeks:
    """Read a file of weekly figures.

    Raises:
        FileRefused: a line cannot be used.
    """
    measured, ignored = _columns(file, catalog)
    reader = _Reader(measured)
    rows = 0
    for row in file.rows():
        rows += 1
        try:
            reader.add(row)
        except ValueError as error:
            raise file.refusal(row.line, f"{error}. Mend that line; nothing was imported") from None
    if not rows:
        raise file.refusal(file.line, "the file holds no line of figures below it")
    seen = {uai for figures in reader.weeks.values() for uai in figures}
    unknown = sum(catalog.uai_index[uai][0] == UNKNOWN for uai in seen)
    return ReadWeeks(rows, dict(sorted(reader.weeks.items())), unknown, tuple(ignored))


def _monday(text: str) -> date:
    first = day(text)
    if first.weekday():
        raise ValueError(f"debutsemaine {first} is a {_WEEKDAYS[first.weekday()]}: weeks begin on a Monday")
    return first


def _uai(text: str) -> str:
    """Capitals. One that was mistyped, or lost its zero in a spreadsheet, is no other place; a word instead of one is of no known place."""
    uai = text.upper()
    if not uai:
        raise ValueError("no uai")
    if _SUM.fullmatch(column_key(text)):
        raise ValueError(f"{quoted(text)} is no establishment but a sum: take the line out")
    if departement_of(uai) is None and any(map(str.isdigit, uai)):
        raise ValueError(f"{quoted(text)} is no UAI: seven digits, zeros in front too, and their control letter")
    return uai


def _count(column: str, text: str) -> int | None:
    """None for an empty cell: nothing is known."""
    if not text:
        return None
    try:
        found = whole(text)
    except ValueError as error:
        raise ValueError(f"{column} {error}") from None
    if found > VISITS_MAX:
        raise ValueError(f"{column} {found:,} is too large for a week of one establishment")
    return found


def _columns(file: CsvFile, catalog: Catalog) -> tuple[dict[str, _Measured], list[str]]:
    """The columns of visits by their key, and the names of those that say nothing we know."""
    if missing := [column for column in _FIXED if column not in file.columns]:
        reason = f"no column {', '.join(missing)}: these are not the ministry's weekly figures by establishment"
        raise file.refusal(file.line, reason)
    known = _known(catalog)
    measured = {key: _Measured(name, *known[key]) for key, name in file.columns.items() if key in known}
    absent = {_bare(key): key for key in known if key not in measured}
    ignored = []
    for key, name in file.columns.items():
        if key in measured or key in _FIXED or _NOT_KEPT.fullmatch(key):
            continue
        if alike := difflib.get_close_matches(_bare(key), absent, 1, _ALIKE):
            kind, code = known[absent[alike[0]]]
            reason = f"column {quoted(name)}: is it that of {kind} {code}? Name it as config/{kind}s.yaml does, or take it out"
            raise file.refusal(file.line, reason)
        ignored.append(name)
    if not measured:
        said = ", ".join(ignored) or "none at all"
        raise file.refusal(file.line, f"no column {_VISITS}<x> of a profile or service of config/: {said}")
    return measured, ignored


def _bare(key: str) -> str:
    return re.sub(r".*visites?", "", key)


def _known(catalog: Catalog) -> dict[str, tuple[str, str]]:
    """Key of a column of visits -> (kind, code)."""
    profiles = [(profile.column, ("profile", profile.code)) for profile in catalog.profiles]
    services = [(service.column, ("service", service.code)) for service in catalog.services]
    return {column_key(_VISITS + column): measured for column, measured in [*profiles, *services] if column}
