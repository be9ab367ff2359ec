"""Weekly figures that were imported, kept beside the days: `weekly/<first day>-<profile|service>.json`, by establishment.

Importing adds: an establishment's figures of a week take the place of what was kept of them, those of others stay. While a file is read
its figures lie in memory, or in one temporary file a week where they are many.
"""

import functools
import itertools
import os
import shutil
import tempfile
import weakref
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import numpy as np

from streams.catalog import Catalog
from streams.history.archive import Archive, date_of
from streams.history.whole_files import ArchiveError, read_json, unreadable

#: Visits by establishment (UAI) and code of a profile or service.
Figures = dict[str, dict[str, int]]
#: Numbers held in memory, 4 bytes each.
HELD_MAX = 30_000_000
#: What stands for a figure that is not known.
NOTHING = -1
#: Before the figures of a row: the number of its establishment, its line.
LEAD = 2


class WeekSpool(Mapping[tuple[date, str], Figures]):
    """(first day, kind) -> figures, made anew each time they are asked for. `codes` are the kind and code of each figure of a row."""

    def __init__(self, codes: Sequence[tuple[str, str]], held_max: int = HELD_MAX) -> None:
        self._codes, self._held_max = tuple(codes), held_max
        self._kinds = sorted({kind for kind, _code in codes})
        self._schools: dict[str, int] = {}
        self._rows: defaultdict[date, array[int]] = defaultdict(lambda: array("i"))
        self._spilled: set[date] = set()
        self._held = 0

    @property
    def establishments(self) -> tuple[str, ...]:
        """All that have a row."""
        return tuple(self._schools)

    def add(self, first: date, uai: str, line: int, figures: Sequence[int]) -> None:
        """Take a row; a figure that is not known is `NOTHING`."""
        self._rows[first].extend((self._schools.setdefault(uai, len(self._schools)), line, *figures))
        self._held += LEAD + len(figures)
        if self._held > self._held_max:
            self._spill()

    def twice(self) -> tuple[int, str, int] | None:
        """The first line whose establishment has its week on an earlier one: (line, UAI, the earlier line)."""
        found: list[tuple[int, int, int]] = []
        for first in self._rows:
            table = self._table(first)
            order = np.argsort(table[:, 0], kind="stable")
            schools, lines = table[order, 0], table[order, 1]
            again = np.flatnonzero(schools[1:] == schools[:-1])
            if len(again):
                place = again[np.argmin(lines[again + 1])]
                found.append((int(lines[place + 1]), int(schools[place]), int(lines[place])))
        if not found:
            return None
        line, school, before = min(found)
        return line, self.establishments[school], before

    def __getitem__(self, key: tuple[date, str]) -> Figures:
        first, kind = key
        if first not in self._rows or kind not in self._kinds:
            raise KeyError(key)
        names = self.establishments
        chosen = [(place + LEAD, code) for place, (of_kind, code) in enumerate(self._codes) if of_kind == kind]
        codes = [code for _place, code in chosen]
        table = self._table(first)
        schools, figures = table[:, 0].tolist(), table[:, [place for place, _code in chosen]].tolist()
        return {
            names[school]: {code: n for code, n in zip(codes, row, strict=True) if n != NOTHING}
            for school, row in zip(schools, figures, strict=True)
        }

    def __iter__(self) -> Iterator[tuple[date, str]]:
        return ((first, kind) for first in sorted(self._rows) for kind in self._kinds)

    def __len__(self) -> int:
        return len(self._rows) * len(self._kinds)

    def _table(self, first: date) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
        parts = [np.frombuffer(self._rows[first], np.int32)] if self._rows[first] else []
        if first in self._spilled:
            parts.insert(0, np.fromfile(self._path(first), np.int32))
        return np.concatenate(parts).reshape(-1, LEAD + len(self._codes))

    def _spill(self) -> None:
        for first, rows in self._rows.items():
            if rows:
                with self._path(first).open("ab") as file:
                    rows.tofile(file)
                self._rows[first] = array("i")
                self._spilled.add(first)
        self._held = 0

    def _path(self, first: date) -> Path:
        return self._directory / f"{first}"

    @functools.cached_property
    def _directory(self) -> Path:
        """Made with the first rows that have no room; removed with this object."""
        directory = Path(tempfile.mkdtemp(prefix="vigie-weeks-"))
        weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        return directory


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
    return {
        (first, kind): _week(stored, catalog)
        for first, kind in itertools.product(wanted, KINDS)
        if (stored := _stored_at(directory / "weekly" / f"{first}-{kind}.json"))
    }


def held_weeks(directory: Path) -> list[date]:
    """The first days of the weeks that were imported."""
    try:
        paths = list((directory / "weekly").glob("[0-9]*-*-*-*.json"))
    except OSError as error:
        raise unreadable(directory / "weekly", error) from None
    return sorted({first for path in paths if (first := date_of(path.stem[:10]))})


def _merged(path: Path, figures: Figures) -> Figures:
    stored = _stored_at(path)
    before = stored.figures() if stored else {}
    return before | {uai: before.get(uai, {}) | some for uai, some in figures.items()}


def _stored(first: date, kind: str, figures: Figures) -> StoredWeek:
    codes = tuple(sorted({code for some in figures.values() for code in some}))
    return StoredWeek(
        first, kind, codes, {uai: tuple(figures[uai].get(code) for code in codes) for uai in sorted(figures)}
    )


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
        region, academy = catalog.uai_index[uai]
        if figures:
            establishments[region] = establishments.get(region, 0) + 1
        for code, number in figures.items():
            for key in itertools.product((region, None), (academy, None), (code, None)):
                visits[key] = visits.get(key, 0) + number
    return Week(visits, establishments)
