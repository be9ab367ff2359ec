"""The ministry's weekly open data: by week and establishment, visits and users by profile or service. Kept by region and academy.

Columns: `debutsemaine, uai, academie, region, departement, visites_<x>, utilisateurs_<x>`, where x is the `column` of a profile or service
in `config/`. Region and academy follow from the UAI: names are spelled in several ways. A week of one kind (profiles or services) is one
file, `weekly/<first day>-<kind>.json`; importing it again replaces it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import IO

import msgspec

from streams.catalog import UNKNOWN, Catalog, read_yaml
from streams.errors import InputError
from streams.history.archive import ArchiveError

_FIXED = ("debutsemaine", "uai")
_VISITS, _USERS = "visites_", "utilisateurs_"


class Week(msgspec.Struct, frozen=True):
    """One week: `visits` by region, academy and code of its kind (`profile` or `service`); establishments by region."""

    first: date
    kind: str
    #: `region|academy|code` -> visits
    visits: dict[str, int]
    establishments: dict[str, int]

    def of(self, region: str | None = None, academy: str | None = None, code: str | None = None) -> int:
        """Visits of a region, an academy, a code; None is any."""
        wanted = (region, academy, code)
        return sum(
            number
            for key, number in self.visits.items()
            if all(want in (None, part) for want, part in zip(wanted, key.split("|"), strict=True))
        )


@dataclass(frozen=True, slots=True)
class ImportedWeeks:
    """What an import came to. `unknown_establishments` are UAI of no known place: counted under `INCONNU`."""

    rows: int
    weeks: tuple[Week, ...]
    unknown_establishments: int
    columns_ignored: tuple[str, ...]


def read_weeks(lines: IO[str], name: str, catalog: Catalog, config_dir: Path) -> ImportedWeeks:
    """Read a file of weekly figures, separated by `,` or `;`.

    Raises:
        InputError: a line cannot be used.
    """
    head = lines.readline().lstrip("\ufeff").strip()
    separator = ";" if head.count(";") > head.count(",") else ","
    columns = [column.strip().strip('"') for column in head.split(separator)]
    missing = [column for column in _FIXED if column not in columns]
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(missing)}: these are not the ministry's weekly figures by establishment"
        )
    measured, ignored = _measured(columns, config_dir)
    if not measured:
        raise InputError(
            f"{name}: no column {_VISITS}<x> of a profile or service of config/: {', '.join(ignored) or 'none at all'}"
        )
    kinds = {kind for kind, _code in measured.values()}
    sums: dict[tuple[date, str], dict[str, int]] = {}
    seen: dict[date, dict[str, set[str]]] = {}
    rows, unknown = 0, set()
    for number, row in enumerate(csv.DictReader(lines, columns, delimiter=separator), 2):
        rows += 1
        try:
            first = date.fromisoformat(row["debutsemaine"][:10])
            counts = {column: int(float(row[column] or 0)) for column in measured}
        except (ValueError, TypeError) as error:
            raise InputError(f"{name}, line {number}: {error}; nothing was imported") from None
        region, academy = catalog.uai_index[row["uai"]]
        if region == UNKNOWN:
            unknown.add(row["uai"])
        first -= timedelta(days=first.weekday())
        seen.setdefault(first, {}).setdefault(region, set()).add(row["uai"])
        for column, visits in counts.items():
            kind, code = measured[column]
            of_week = sums.setdefault((first, kind), {})
            key = f"{region}|{academy}|{code}"
            of_week[key] = of_week.get(key, 0) + visits
    weeks = tuple(
        Week(first, kind, visits, {region: len(uai) for region, uai in seen[first].items()})
        for (first, kind), visits in sorted(sums.items())
        if kind in kinds
    )
    if not weeks:
        raise InputError(f"{name} holds no line of figures")
    return ImportedWeeks(rows, weeks, len(unknown), tuple(ignored))


def save_weeks(directory: Path, weeks: tuple[Week, ...]) -> None:
    """Keep weeks in an archive, in place of what it has of them.

    Raises:
        ArchiveError: it cannot be written.
    """
    target = directory / "weekly"
    try:
        target.mkdir(parents=True, exist_ok=True)
        for week in weeks:
            path = target / f"{week.first}-{week.kind}.json"
            temporary = path.with_suffix(".tmp")
            temporary.write_bytes(msgspec.json.encode(week))
            temporary.replace(path)
    except OSError as error:
        raise ArchiveError(
            f"{target} cannot be written: {error.strerror}; give this user the right to write there"
        ) from None


def load_weeks(directory: Path) -> Mapping[tuple[date, str], Week]:
    """The weeks that were imported, by first day and kind.

    Raises:
        ArchiveError: a file is damaged.
    """
    return {(week.first, week.kind): week for week in _weeks(directory / "weekly")}


def _weeks(directory: Path) -> Iterator[Week]:
    for path in sorted(directory.glob("*.json")):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=Week)
        except (msgspec.DecodeError, OSError) as error:
            raise ArchiveError(f"{path} is damaged ({error}): remove it and import that week again") from None


def _measured(columns: list[str], config_dir: Path) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Column of visits -> (kind, code), and the columns of visits that name nothing."""
    known: dict[str, tuple[str, str]] = {}
    for kind, file in (("profile", "profiles"), ("service", "services")):
        for item in read_yaml(config_dir / f"{file}.yaml")[file]:
            if item.get("column"):
                known[_VISITS + str(item["column"])] = (kind, str(item["code"]))
    given = [column for column in columns if column.startswith(_VISITS)]
    return {column: known[column] for column in given if column in known}, [c for c in given if c not in known]
