"""Weekly figures that were imported, kept beside the days: `weekly/<first day>-<profile|service>.json`, by establishment.

Importing adds: an establishment's figures of a week take the place of what was kept of them, those of others stay. While a file is read
its figures lie in a temporary database.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec

from streams.catalog import Catalog
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.whole_files import ArchiveError, read_json, unreadable

#: Visits by establishment (UAI) and code of a profile or service.
Figures = dict[str, dict[str, int]]
#: Numbers held in memory, and what each takes.
HELD_MAX, NUMBER_BYTES = 30_000_000, 4
#: What stands for a figure that is not known.
NOTHING = -1


class WeekSpool(Mapping[tuple[date, str], Figures]):
    """(first day, kind) -> figures, made anew each time they are asked for. `codes` are the kind and code of each figure of a row.

    Rows lie in a temporary database of SQLite's: as far as `held_max` numbers go in memory, beyond that in a file that goes with it.
    """

    def __init__(self, codes: Sequence[tuple[str, str]], held_max: int = HELD_MAX) -> None:
        self._codes = tuple(codes)
        self._kinds = sorted({kind for kind, _code in codes})
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.execute(f"PRAGMA cache_size = {-max(1, held_max * NUMBER_BYTES >> 10)}")
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute(
            "CREATE TABLE rows (first TEXT, uai TEXT, line INTEGER, figures BLOB, PRIMARY KEY (first, uai, line)) WITHOUT ROWID"
        )

    @property
    def establishments(self) -> tuple[str, ...]:
        """All that have a row."""
        return tuple(uai for (uai,) in self._rows.execute("SELECT DISTINCT uai FROM rows"))

    def add(self, first: date, uai: str, line: int, figures: Sequence[int]) -> None:
        """Take a row; a figure that is not known is `NOTHING`.

        Raises:
            InputError: there is no room for it.
        """
        try:
            self._rows.execute("INSERT INTO rows VALUES (?, ?, ?, ?)", (f"{first}", uai, line, array("i", figures)))
        except sqlite3.OperationalError as error:
            raise InputError(
                f"the figures of many weeks lie in a temporary file, which cannot be written ({error}): free some space, or name another "
                "directory with TMPDIR"
            ) from None

    def twice(self) -> tuple[int, str, int] | None:
        """The first line whose establishment has its week on an earlier one: (line, UAI, the earlier line)."""
        before = "SELECT line, uai, lag(line) OVER (PARTITION BY first, uai ORDER BY line) AS before FROM rows"
        found: tuple[int, str, int] | None = self._rows.execute(
            f"SELECT * FROM ({before}) WHERE before IS NOT NULL ORDER BY line LIMIT 1"
        ).fetchone()
        return found

    def __getitem__(self, key: tuple[date, str]) -> Figures:
        first, kind = key
        rows = self._rows.execute("SELECT uai, figures FROM rows WHERE first = ?", (f"{first}",)).fetchall()
        if not rows or kind not in self._kinds:
            raise KeyError(key)
        places = [(place, code) for place, (of_kind, code) in enumerate(self._codes) if of_kind == kind]
        tables = ((uai, array("i", figures)) for uai, figures in rows)
        return {uai: {code: row[place] for place, code in places if row[place] != NOTHING} for uai, row in tables}

    def __iter__(self) -> Iterator[tuple[date, str]]:
        weeks = self._rows.execute("SELECT DISTINCT first FROM rows ORDER BY first").fetchall()
        return ((date.fromisoformat(first), kind) for (first,) in weeks for kind in self._kinds)

    def __len__(self) -> int:
        return sum(1 for _key in self)


KINDS = ("profile", "service")
_Key = tuple[str | None, str | None, str | None]


class StoredWeek(msgspec.Struct, frozen=True):
    """One file: visits by establishment, in the order of `codes`; None where a figure is not known."""

    first: date
    kind: str
    codes: tuple[str, ...]
    establishments: dict[str, tuple[int | None, ...]]

    def figures(self) -> Figures:
        """What it holds."""
        pairs = {uai: zip(self.codes, row, strict=True) for uai, row in self.establishments.items()}
        return {uai: {code: n for code, n in some if n is not None} for uai, some in pairs.items()}


@dataclass(frozen=True, slots=True)
class Week:
    """One week of one kind: visits by region, academy and code, and how many establishments have figures, by region."""

    visits: Mapping[_Key, int]
    establishments: Mapping[str, int]

    def of(self, region: str | None = None, academy: str | None = None, code: str | None = None) -> int:
        """Visits of a region, an academy, a code; None is any."""
        return self.visits.get((region, academy, code), 0)


Weeks = Mapping[tuple[date, str], Week]


def save_weeks(archive: Archive, weeks: Mapping[tuple[date, str], Figures]) -> None:
    """Add weeks to an archive: all of them, or none where it cannot be written.

    Raises:
        ArchiveError: it cannot be written, or a file is damaged.
    """
    target = archive.directory / "weekly"
    ready: list[tuple[Path, Path]] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        with archive.locked():
            try:
                for (first, kind), figures in weeks.items():
                    path = target / f"{first}-{kind}.json"
                    temporary = path.with_suffix(".tmp")
                    ready.append((temporary, path))
                    with temporary.open("wb") as out:
                        out.write(msgspec.json.encode(_stored(first, kind, _merged(path, figures))))
                        out.flush()
                        os.fsync(out.fileno())
                for temporary, path in ready:
                    temporary.replace(path)
            finally:
                for temporary, _path in ready:
                    temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ArchiveError(
            f"{target} cannot be written: {error.strerror}; nothing was imported: make room, or give this user the right to write there"
        ) from None


def load_weeks(directory: Path, catalog: Catalog, firsts: Collection[date] | None = None) -> Weeks:
    """The weeks that were imported, by first day and kind; those of some first days alone, where these are named.

    Raises:
        ArchiveError: a file is damaged.
    """
    wanted = held_weeks(directory) if firsts is None else sorted(firsts)
    found = {}
    for first, kind in itertools.product(wanted, KINDS):
        stored = _stored_at(directory / "weekly" / f"{first}-{kind}.json")
        if stored is not None:
            found[first, kind] = _week(stored, catalog)
    return found


def held_weeks(directory: Path) -> list[date]:
    """The first days of the weeks that were imported."""
    found = set()
    try:
        paths = list((directory / "weekly").glob("[0-9]*-*-*-*.json"))
    except OSError as error:
        raise unreadable(directory / "weekly", error) from None
    for path in paths:
        try:
            found.add(date.fromisoformat(path.stem[:10]))
        except ValueError:
            continue  # not one of ours
    return sorted(found)


def _merged(path: Path, figures: Figures) -> Figures:
    stored = _stored_at(path)
    before = stored.figures() if stored else {}
    return before | {uai: before.get(uai, {}) | some for uai, some in figures.items()}


def _stored(first: date, kind: str, figures: Figures) -> StoredWeek:
    codes = tuple(sorted({code for some in figures.values() for code in some}))
    rows = {uai: tuple(figures[uai].get(code) for code in codes) for uai in sorted(figures)}
    return StoredWeek(first, kind, codes, rows)


def _stored_at(path: Path) -> StoredWeek | None:
    advice = "remove it and import that week again"
    stored = read_json(path, StoredWeek, advice)
    lengths = {len(row) for row in stored.establishments.values()} if stored else set()
    if stored and (path.stem != f"{stored.first}-{stored.kind}" or lengths - {len(stored.codes)}):
        raise ArchiveError(f"{path} is damaged (it holds another week, or rows of another length): {advice}")
    return stored


def _week(stored: StoredWeek, catalog: Catalog) -> Week:
    visits: dict[_Key, int] = {}
    establishments: dict[str, int] = {}
    for uai, figures in stored.figures().items():
        if not figures:
            continue
        region, academy = catalog.uai_index[uai]
        establishments[region] = establishments.get(region, 0) + 1
        for code, number in figures.items():
            for key in itertools.product((region, None), (academy, None), (code, None)):
                visits[key] = visits.get(key, 0) + number
    return Week(visits, establishments)
