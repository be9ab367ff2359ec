"""The ministry's weekly open data: by week and establishment, visits by profile or service. Read, written, and held against such a file.

Columns: `debutsemaine, uai, academie, region, departement, visites_<x>, utilisateurs_<x>`, where x is the `column` of a profile or service
in `config/`, or `globales`; the portal's downloads, its API and spreadsheets write them differently (`streams.csv_file.column_key`). Region
and academy follow from the UAI: names are spelled in several ways. Users are not kept: they never add up.
"""

import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from operator import itemgetter
from typing import IO

from streams.catalog import UNKNOWN, Catalog, departement_of
from streams.csv_file import CsvFile, column_key
from streams.history.weeks import NOTHING, Figures, WeekSpool
from streams.values import count, day, quoted


@dataclass(slots=True)
class SchoolWeek:
    """One establishment's week: visits and users in all, and by code of a profile or service; a code that nobody used is absent."""

    visits: int = 0
    users: int = 0
    visits_by: dict[str, int] = field(default_factory=dict)
    users_by: dict[str, int] = field(default_factory=dict)


def write_form(rows: Mapping[str, SchoolWeek], monday: date, catalog: Catalog, out: IO[str]) -> None:
    """Write a file as a person downloads it: a byte order mark, `;`, one line an establishment."""
    places = {region.code: region.name for region in catalog.regions}
    academies = {academy.code: academy.name for region in catalog.regions for academy in region.academies}
    profiles = [(profile.code, profile.column) for profile in catalog.profiles if profile.column]
    measured = [*profiles, *((service.code, service.column) for service in catalog.services if service.column)]
    out.write("\ufeff")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    names = ["globales", *(column for _code, column in measured)]
    measures = (f"{what}_{name}" for name in names for what in ("visites", "utilisateurs"))
    writer.writerow(["debutsemaine", "uai", "academie", "region", "departement", *measures])
    for uai, row in sorted(rows.items()):
        region, academy = catalog.uai_index[uai]
        figures = [row.visits, row.users]
        for code, _column in measured:
            figures += [row.visits_by.get(code, 0), row.users_by.get(code, 0)]
        writer.writerow(
            [monday, uai, academies.get(academy, ""), places.get(region, ""), departement_of(uai), *figures]
        )


@dataclass(frozen=True, slots=True)
class SchoolDifference:
    """One establishment's visits by profile, ours and theirs (None: it is in one of both alone), and the code that differs most."""

    uai: str
    ours: int | None
    theirs: int | None
    most: str
    most_ours: int
    most_theirs: int

    @property
    def size(self) -> int:
        """How many visits lie between both."""
        return abs((self.ours or 0) - (self.theirs or 0))


def differences(
    rows: Mapping[str, SchoolWeek], weeks: Mapping[tuple[date, str], Figures], monday: date
) -> list[SchoolDifference]:
    """Where both differ, the largest difference first. Held against one another are the sums by profile, or by service where a file has
    none by profile.
    """
    kind = "profile" if (monday, "profile") in weeks else "service"
    theirs = weeks.get((monday, kind), {})
    codes = sorted({code for of_school in theirs.values() for code in of_school})
    found = []
    for uai in sorted({*rows, *theirs}):
        ours = {code: rows[uai].visits_by.get(code, 0) for code in codes} if uai in rows else None
        given = theirs.get(uai)
        both = [(code, (ours or {}).get(code, 0), (given or {}).get(code, 0)) for code in codes]
        most = max(both, key=lambda each: abs(each[1] - each[2]), default=("", 0, 0))
        one = SchoolDifference(
            uai, None if ours is None else sum(ours.values()), None if given is None else sum(given.values()), *most
        )
        if one.size or any(ours != theirs for _code, ours, theirs in both):
            found.append(one)
    return sorted(found, key=lambda one: (-one.size, one.uai))


_FIXED = ("debutsemaine", "uai")
_VISITS = "visites_"
#: Columns that are known and not kept: they follow from the UAI or from other visits, or never add up.
_NOT_KEPT = re.compile(r"academie|region|departement|visitesglobales|utilisateurs.*")
#: From so alike on, a column that nothing is known by is a known one that was renamed or mistyped.
_ALIKE = 0.8
#: Of a week and an establishment: more would be no count of visits.
VISITS_MAX = 10**9
#: Plain digits, so few of them, are such a count.
_PLAIN_DIGITS = 9
#: What spreadsheets write where a line adds up others.
_SUM = re.compile(r"(?:sous|grand)?totale?(?:general|aux)?|ensemble|somme|france(?:entiere)?")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


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


def read_weeks(file: CsvFile, catalog: Catalog) -> ReadWeeks:
    """Read a file of weekly figures; its weeks are held on disk where they are many.

    Raises:
        FileRefused: a line cannot be used.
    """
    measured, ignored = _columns(file, catalog)
    columns = list(measured.values())
    weeks = WeekSpool([(column.kind, column.code) for column in columns])
    chosen = itemgetter(*(file.keys.index(key) for key in (*_FIXED, *measured)))
    rows = 0
    for line, cells in file.lists():
        rows += 1
        first, uai, *texts = chosen(cells)
        try:
            weeks.add(_monday(first.strip()), _uai(uai.strip()), line, _figures(columns, texts))
        except ValueError as error:
            raise file.refusal(line, f"{error}. Mend that line; nothing was imported") from None
    if not rows:
        raise file.refusal(file.line, "the file holds no line of figures below it")
    if twice := weeks.twice():
        line, uai, before = twice
        raise file.refusal(
            line,
            f"{uai} has this week on line {before} already: keep one of both. Mend that line; nothing was imported",
        )
    unknown = sum(catalog.uai_index[uai][0] == UNKNOWN for uai in weeks.establishments)
    return ReadWeeks(rows, weeks, unknown, tuple(ignored))


# Texts that many rows share are looked at once.
@lru_cache(4096)
def _monday(text: str) -> date:
    first = day(text)
    if first.weekday():
        raise ValueError(f"debutsemaine {first} is a {_WEEKDAYS[first.weekday()]}: weeks begin on a Monday")
    return first


@lru_cache(100_000)
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


def _figures(columns: Sequence[_Measured], texts: Sequence[str]) -> list[int]:
    """The figures of a row, `NOTHING` for an empty cell: nothing is known."""
    joined = "".join(texts)
    if joined.isascii() and joined.isdigit() and all(texts) and max(map(len, texts)) <= _PLAIN_DIGITS:
        return [int(text) for text in texts]
    named = zip(columns, map(str.strip, texts), strict=True)
    return [count(column.name, text, VISITS_MAX) if text else NOTHING for column, text in named]


def _columns(file: CsvFile, catalog: Catalog) -> tuple[dict[str, _Measured], list[str]]:
    """The columns of visits by their key, and the names of those that say nothing we know."""
    if missing := [column for column in _FIXED if column not in file.columns]:
        raise file.refusal(
            file.line, f"no column {', '.join(missing)}: these are not the ministry's weekly figures by establishment"
        )
    known = _known(catalog)
    measured = {key: _Measured(name, *known[key]) for key, name in file.columns.items() if key in known}
    absent = {_bare(key): key for key in known if key not in measured}
    ignored = []
    for key, name in file.columns.items():
        if key in measured or key in _FIXED or _NOT_KEPT.fullmatch(key):
            continue
        if alike := difflib.get_close_matches(_bare(key), absent, 1, _ALIKE):
            kind, code = known[absent[alike[0]]]
            raise file.refusal(
                file.line,
                f"column {quoted(name)}: is it that of {kind} {code}? Name it as config/{kind}s.yaml does, or take it out",
            )
        ignored.append(name)
    if not measured:
        raise file.refusal(
            file.line,
            f"no column {_VISITS}<x> of a profile or service of config/: {', '.join(ignored) or 'none at all'}",
        )
    return measured, ignored


def _bare(key: str) -> str:
    return re.sub(r".*visites?", "", key)


def _known(catalog: Catalog) -> dict[str, tuple[str, str]]:
    """Key of a column of visits -> (kind, code)."""
    return {
        **{column_key(_VISITS + one.column): ("profile", one.code) for one in catalog.profiles if one.column},
        **{column_key(_VISITS + one.column): ("service", one.code) for one in catalog.services if one.column},
    }
