"""What one hour of a file reflects, and when another reading of that hour may take its place. Pure.

The unit is the hour: its minutes, offsets and totals are read in one atomic call. A day's file is composed of the best reading known of
each hour, so it never loses what it had: a reading takes the place of another only if it *covers* it.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np

from streams.clock import paris_day
from streams.history.day_columns import CutName, Rows, Sketches

MINUTES_AN_HOUR = 60
Span = tuple[int, int]


class HourSource(StrEnum):
    """Where the figures of an hour come from."""

    LIVE = "live"  # counted by workers
    IMPORT = "import"  # `vigie history import`
    BACKFILL = "backfill"  # `vigie backfill`: counted from logs
    SIMULATED = "simulated"  # `vigie simulate --years`


class Totals(msgspec.Struct, frozen=True):
    """What has no minute, counted since the beginning, when the hour was first archived: it tells in which hour it was counted."""

    rejected: int = 0
    duplicates: int = 0
    lost: int = 0


class HourMark(msgspec.Struct, frozen=True):
    """One hour of a file. `hour` is the epoch hour of archive time.

    `offsets` is partition -> (first counted, next to count): every event of the hour in that range of the log is reflected. `measured`
    are ranges [first, end) of epoch minutes that were settled: within them a row that is absent is a zero, outside nothing is known.
    `read_ms` is Redis's clock at the reading. `cuts` are those that are known, None: all; of the others nothing is known, which is not
    zero. `simulated` marks an import of simulated figures.
    """

    hour: int
    source: HourSource
    measured: tuple[tuple[int, int], ...]
    topic_id: str = ""
    offsets: dict[str, tuple[int, int]] = {}
    totals: Totals = Totals()
    read_ms: int = 0
    cuts: tuple[CutName, ...] | None = None
    simulated: bool = False

    @property
    def is_simulated(self) -> bool:
        """Whether its figures were made up, or come from an archive of such figures."""
        return self.simulated or self.source is HourSource.SIMULATED

    def knows(self, cut: CutName) -> bool:
        """Whether figures by this cut are known."""
        return self.cuts is None or cut in self.cuts

    @property
    def first_minute(self) -> int:
        """Its first epoch minute."""
        return self.hour * MINUTES_AN_HOUR

    @property
    def end_minute(self) -> int:
        """The epoch minute after its last one."""
        return self.first_minute + MINUTES_AN_HOUR

    @property
    def measured_minutes(self) -> int:
        """How many of its minutes are known."""
        return sum(end - first for first, end in self.measured)


class InputMark(msgspec.Struct, frozen=True):
    """What one file of a log gave to a day of a project: how many events, and the sum of their checksums, whatever their order."""

    name: str
    events: int
    digest: int

    @property
    def same_as(self) -> tuple[int, int]:
        """Two files that have this in common gave the same events."""
        return self.events, self.digest


class Choice(StrEnum):
    """What becomes of a new reading of an hour."""

    TAKEN = "taken"  # it covers what the file had, or the file had nothing
    SAME = "same"  # the file has it
    REFUSED = "refused"  # the file reflects something that the reading does not: the file's stays


def covers(new: HourMark, old: HourMark) -> bool:
    """Whether a reading reflects everything that another does."""
    if (new.source, new.topic_id) != (old.source, old.topic_id):
        return False
    for partition, (first, following) in old.offsets.items():
        new_first, new_following = new.offsets.get(partition, (0, -1))
        if new_first > first or new_following < following:
            return False
    held, seen = ({minute for span in mark.measured for minute in range(*span)} for mark in (old, new))
    return held <= seen


def note_measured(known: np.ndarray[Any, Any], marks: Iterable[HourMark], first: int, end: int) -> None:
    """Set what is known of the epoch minutes `first <= minute < end` to 1; `known` has a place for each of them."""
    for mark in marks:
        for begin, stop in mark.measured:
            known[max(begin, first) - first : max(0, min(stop, end) - first)] = 1


def joined(spans: Iterable[Span], gap: int = 0) -> list[Span]:
    """Ranges [first, end) that overlap, touch or lie no farther apart than `gap`, as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def counted_between(marks: Iterable[HourMark]) -> Totals:
    """What the totals of hours that were counted live grew by from each hour to the next."""
    live = sorted((mark for mark in marks if mark.source is HourSource.LIVE), key=lambda mark: mark.hour)
    pairs = [(b.totals, a.totals) for b, a in itertools.pairwise(live) if b.topic_id == a.topic_id]
    names = Totals.__struct_fields__
    return Totals(*(sum(max(0, getattr(after, n) - getattr(before, n)) for before, after in pairs) for n in names))


@dataclass(frozen=True, slots=True)
class DayFile:
    """Everything of one day in Paris, in a file or with what Redis holds of it: its hours, and what was counted by cut, all its minutes."""

    date: date
    #: Scenario time minus clock; not 0: figures of a simulation.
    shift_seconds: int
    hours: tuple[HourMark, ...]
    rows: Rows
    sketches: Sketches
    catalog: str = ""
    #: Of a part that a backfill wrote: the files it is from, and how many events of the hour before the day it was counted with.
    inputs: tuple[InputMark, ...] = ()
    lead_events: int = 0

    @property
    def is_simulated(self) -> bool:
        """Whether any of its figures were made up, whatever the archive says of itself."""
        return self.shift_seconds != 0 or any(mark.is_simulated for mark in self.hours)

    @property
    def minutes(self) -> tuple[int, int]:
        """First epoch minute and the one after the last."""
        return paris_day(self.date)

    @property
    def measured_minutes(self) -> int:
        """How many of its minutes are known."""
        return sum(mark.measured_minutes for mark in self.hours)
