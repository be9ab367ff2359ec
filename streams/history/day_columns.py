"""Counts of a day as columns: what a file holds, before it is a file and after. Plain numpy.

Minutes are epoch minutes of *archive time*: the clock in production, scenario time in a simulation, so that a day is the day that its
figures are about.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from streams.history import hll

Ints = NDArray[np.int64]
Key = tuple[str, ...]


class CutName(StrEnum):
    """The cuts that files hold by minute; the value is the file's `cut`. A row group is a cut, or one region of `REGION_SERVICE`."""

    REGION = "region"
    REGION_SERVICE = "region_service"
    PROJECT = "project"
    PROFILE_REGION = "profile_region"
    ACADEMY = "academy"


#: The columns that a cut's key fills, in the order in which its rows are sorted.
KEY_COLUMNS: Mapping[CutName, tuple[str, ...]] = {
    CutName.REGION: ("region",),
    CutName.REGION_SERVICE: ("region", "service"),
    CutName.PROJECT: ("project",),
    CutName.PROFILE_REGION: ("region", "profile"),
    CutName.ACADEMY: ("academy",),
}


@dataclass(frozen=True, slots=True)
class CutRows:
    """The rows of one cut, sorted by key and minute; a row whose counts are all zero is left out.

    `keys` are sorted; `series[i]` is the key of row i. `visits` are the ministry's, but in `REGION_SERVICE`, where they are those of the
    service and add up to no number of visits. `late` are zeros in all cuts but `REGION`.
    """

    keys: tuple[Key, ...]
    series: Ints
    minute: Ints
    events: Ints
    visits: Ints
    late: Ints

    @classmethod
    def empty(cls) -> "CutRows":
        """No rows."""
        none = np.zeros(0, np.int64)
        return cls((), none, none, none, none, none)

    @classmethod
    def of(cls, items: Iterable[tuple[Key, int, int, int, int]]) -> "CutRows":
        """From (key, minute, events, visits, late) in any order; each key and minute once."""
        kept = sorted(item for item in items if item[2] or item[3] or item[4])
        keys = tuple(sorted({item[0] for item in kept}))
        index = {key: number for number, key in enumerate(keys)}
        table = np.array([(index[key], *numbers) for key, *numbers in kept], np.int64).reshape(len(kept), 5)
        return cls(keys, *(np.ascontiguousarray(table[:, column]) for column in range(5)))

    def where(self, mask: NDArray[np.bool_]) -> "CutRows":
        """The rows of a mask; keys without rows are left out."""
        return CutRows._tidy(
            self.keys, self.series[mask], self.minute[mask], self.events[mask], self.visits[mask], self.late[mask]
        )

    def same_as(self, other: "CutRows") -> bool:
        """Whether both are the same rows."""
        return self.keys == other.keys and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("series", "minute", "events", "visits", "late")
        )

    @staticmethod
    def _tidy(keys: tuple[Key, ...], series: Ints, *columns: Ints) -> "CutRows":
        used, number = np.unique(series, return_inverse=True)
        return CutRows(tuple(keys[i] for i in used), number.astype(np.int64), *columns)

    @staticmethod
    def joined(parts: "list[CutRows]") -> "CutRows":
        """All rows of parts that share no key and minute, sorted."""
        parts = [part for part in parts if len(part.series)]
        if not parts:
            return CutRows.empty()
        keys = tuple(sorted({key for part in parts for key in part.keys}))
        index = {key: number for number, key in enumerate(keys)}
        series = np.concatenate([np.array([index[k] for k in p.keys], np.int64)[p.series] for p in parts])
        minute = np.concatenate([part.minute for part in parts])
        order = np.lexsort((minute, series))
        columns = (np.concatenate([getattr(p, name) for p in parts])[order] for name in ("events", "visits", "late"))
        return CutRows(keys, series[order], minute[order], *columns)

    def grouped(self, rename: Callable[[Key], Key]) -> "CutRows":
        """Rows added up by another key."""
        if not len(self.series):
            return CutRows.empty()
        names = [rename(key) for key in self.keys]
        keys = tuple(sorted(set(names)))
        index = {key: number for number, key in enumerate(keys)}
        series = np.array([index[name] for name in names], np.int64)[self.series]
        first = int(self.minute.min())
        span = int(self.minute.max()) - first + 1
        cell, inverse = np.unique(series * span + (self.minute - first), return_inverse=True)
        sums = [
            np.bincount(inverse, column, len(cell)).round().astype(np.int64)
            for column in (self.events, self.visits, self.late)
        ]
        return CutRows._tidy(keys, cell // span, cell % span + first, *sums)


@dataclass(frozen=True, slots=True)
class Sketches:
    """Distinct visitors and establishments of a day, as Redis's dense HyperLogLog strings, by scope.

    `users`: (`region`, code) is the region's own local day; (`paris`, code) its day in Paris where that differs. `establishments`:
    (`region`, code) and (`project`, code), of the day in Paris.
    """

    users: Mapping[Key, bytes]
    establishments: Mapping[Key, bytes]

    @classmethod
    def none(cls) -> "Sketches":
        """Nothing known."""
        return cls({}, {})

    def union(self, other: "Sketches") -> "Sketches":
        """Whoever is in one of both: distinct members only ever become more."""
        return Sketches(
            *(
                {key: hll.union(some[key] for some in both if key in some) for key in sorted({*both[0], *both[1]})}
                for both in ((self.users, other.users), (self.establishments, other.establishments))
            )
        )


Rows = Mapping[CutName, CutRows]


def no_rows() -> Rows:
    """Every cut without rows."""
    return {cut: CutRows.empty() for cut in CutName}


def minute_events(region: CutRows) -> dict[int, int]:
    """Events of each minute that has any, from the rows of cut `REGION`: every event is in exactly one region."""
    minutes, inverse = np.unique(region.minute, return_inverse=True)
    sums = np.bincount(inverse, region.events, len(minutes)).round().astype(np.int64)
    return dict(zip(minutes.tolist(), sums.tolist(), strict=True))
