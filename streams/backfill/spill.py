"""Events on disk between reading and counting: runs, each sorted by project and minute, so that one project's minutes are read alone.

A run is a file of little-endian numbers of 64 bits: how many events and how many rows of `groups`; `ts` (ms) and length of the value of
each event; `groups`; then the values one after the other. `groups` has a row for each project and minute: (project, epoch minute, events
before it, values' bytes before it), and a last row with the sums.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from streams.clock import MINUTE_MS
from streams.errors import InputError

Ints = NDArray[np.int64]
SUFFIX = ".run"
_BYTES, _COLUMNS = 8, 4
#: Events read for counting at a time; a single minute may have more.
STEP_EVENTS = 60_000
#: More than all of France has in the worst minute: they would not fit into memory.
MINUTE_EVENTS_MAX = 4_000_000


def write_run(path: Path, projects: Ints, ts: Ints, values: Sequence[bytes]) -> None:
    """Write events (any order) as a run.

    Raises:
        OSError: as the file system says.
    """
    minutes = ts // MINUTE_MS
    order = np.lexsort((minutes, projects))
    sorted_values = [values[index] for index in order.tolist()]
    lengths = np.fromiter(map(len, sorted_values), np.int64, len(sorted_values))
    keys = np.stack([projects[order], minutes[order]])
    begins = np.concatenate([[0], np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1])
    before = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.stack([*keys[:, begins], begins, before[begins]], axis=1)
    groups = np.concatenate([rows, [[-1, -1, len(ts), before[-1]]]])
    with path.open("wb") as file:
        for array in (np.array([len(ts), len(groups)]), ts[order], lengths, groups):
            file.write(array.astype("<i8").tobytes())
        file.write(b"".join(sorted_values))


@dataclass(frozen=True, slots=True)
class _Run:
    """Where the events of one project are in a run: `groups` of it and one row more, and where the run's arrays and values begin."""

    path: Path
    groups: Ints
    ts: Ints
    lengths: Ints
    values_at: int

    @classmethod
    def opened(cls, path: Path, project: int, first: int, end: int) -> "_Run | None":
        """What a run has of a project's minutes `first <= minute < end`, None where it has nothing."""
        with path.open("rb") as file:
            events, rows = _numbers(file, 2).tolist()
            file.seek((2 + 2 * events) * _BYTES)
            groups = _numbers(file, rows * _COLUMNS).reshape(rows, _COLUMNS)
            found = np.flatnonzero((groups[:, 0] == project) & (groups[:, 1] >= first) & (groups[:, 1] < end))
            if not found.size:
                return None
            groups = groups[found[0] : found[-1] + 2]
            begin, until = int(groups[0, 2]), int(groups[-1, 2])
            file.seek((2 + begin) * _BYTES)
            ts = _numbers(file, until - begin)
            file.seek((2 + events + begin) * _BYTES)
            lengths = _numbers(file, until - begin)
        return cls(path, groups, ts, lengths, (2 + 2 * events + rows * _COLUMNS) * _BYTES)

    def read(self, first: int, end: int) -> tuple[Ints, list[bytes]]:
        """Times and values of the minutes `first <= minute < end`."""
        low, high = np.searchsorted(self.groups[:-1, 1], (first, end))
        base = int(self.groups[0, 2])
        begin, until = int(self.groups[low, 2]) - base, int(self.groups[high, 2]) - base
        with self.path.open("rb") as file:
            file.seek(self.values_at + int(self.groups[low, 3]))
            blob = file.read(int(self.groups[high, 3] - self.groups[low, 3]))
        edges = [0, *np.cumsum(self.lengths[begin:until]).tolist()]
        return self.ts[begin:until], [blob[a:b] for a, b in pairwise(edges)]


def _numbers(file: BinaryIO, number: int) -> Ints:
    return np.frombuffer(file.read(number * _BYTES), "<i8").astype(np.int64)


def read_steps(runs: Sequence[Path], project: int, first: int, end: int) -> Iterator[tuple[list[int], list[bytes]]]:
    """A project's events of the epoch minutes `first <= minute < end`, from all runs, by time; equal times by their value.

    Each step holds whole minutes: times (ms) and values.

    Raises:
        InputError: more events in one minute than fit into memory.
    """
    found = [run for path in runs if (run := _Run.opened(path, project, first, end)) is not None]
    if not found:
        return
    held = np.zeros(end - first, np.int64)
    for run in found:
        held[run.groups[:-1, 1] - first] += np.diff(run.groups[:, 2])
    if held.max() > MINUTE_EVENTS_MAX:
        raise InputError(
            f"one minute has {held.max():,} events of one project, more than fit into memory ({MINUTE_EVENTS_MAX:,}): "
            "are the times of the lines right?"
        )
    step_of = (np.cumsum(held) - 1) // STEP_EVENTS
    begins = np.flatnonzero(np.diff(step_of, prepend=step_of[0] - 1)).tolist()
    for begin, until in zip(begins, [*begins[1:], len(held)], strict=True):
        parts = [run.read(first + begin, first + until) for run in found]
        ts = np.concatenate([part for part, _values in parts]).tolist()
        pairs = sorted(zip(ts, (value for _ts, values in parts for value in values), strict=True))
        if pairs:
            yield [ms for ms, _value in pairs], [value for _ms, value in pairs]


def events_held(runs: Sequence[Path], project: int, first: int, end: int) -> int:
    """How many events a project has in the epoch minutes `first <= minute < end`."""
    found = (_Run.opened(path, project, first, end) for path in runs)
    return sum(int(run.groups[-1, 2] - run.groups[0, 2]) for run in found if run is not None)
