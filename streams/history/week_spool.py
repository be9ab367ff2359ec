"""Figures of many weeks while a file is read: in memory while they are few, else one temporary file a week. Read back week by week."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np

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
        self._rows: dict[date, array[int]] = {}
        self._spilled: set[date] = set()
        self._held = 0
        self._directory: Path | None = None

    @property
    def establishments(self) -> tuple[str, ...]:
        """All that have a row."""
        return tuple(self._schools)

    def add(self, first: date, uai: str, line: int, figures: Sequence[int]) -> None:
        """Take a row; a figure that is not known is `NOTHING`."""
        rows = self._rows.get(first)
        if rows is None:
            rows = self._rows[first] = array("i")
        number = self._schools.setdefault(uai, len(self._schools))
        rows.extend((number, line))
        rows.extend(figures)
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
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="vigie-weeks-"))
            weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)
        for first, rows in self._rows.items():
            if rows:
                with self._path(first).open("ab") as file:
                    rows.tofile(file)
                self._rows[first] = array("i")
                self._spilled.add(first)
        self._held = 0

    def _path(self, first: date) -> Path:
        assert self._directory is not None
        return self._directory / f"{first}"
