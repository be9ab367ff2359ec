"""What the detector knows when an observer starts: the archive's days, chosen, read once, and handed to the judges. No clock.

The last weeks are judged row by row, so that an observer that starts knows the spread of each series, and what ran when it stopped. Of
older days those are read that later ones will be compared with, eight of each name, and taken as they were counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from streams.history.reading import History, PastDay
from streams.observe.series import JUDGED_CUTS, Plan
from streams.watch import Array, Group
from streams.watch.chosen import KNOWN_PART_MIN
from streams.watch.judging import EPOCH, local_minutes


@dataclass(frozen=True, slots=True)
class Block:
    """Counts of the minutes from epoch minute `first` on (archive time): (rows of the plan, minutes), NaN where not measured."""

    first: int
    table: Array


def day_block(plan: Plan, day: PastDay) -> Block:
    """The table of one day in Paris."""
    first, end = day.minutes
    known = np.zeros(end - first)
    for mark in day.hours:
        for begin, stop in mark.measured:
            known[max(begin, first) - first : max(min(stop, end) - first, 0)] = 1.0
    block = Block(first, plan.table(day.rows, first, known))
    for mark in day.hours:
        # An import may lack a cut: what that would tell is not known, which is not zero.
        missing = [cut for cut in JUDGED_CUTS if not mark.knows(cut)]
        rows = [row for (cut, _key), pair in plan.places.items() if cut in missing for row in pair if row >= 0]
        block.table[rows, max(mark.first_minute - first, 0) : max(mark.end_minute - first, 0)] = np.nan
    return block


def blocks(history: History, plan: Plan, days: Sequence[date]) -> Iterator[Block]:
    """The tables of these days; those of which nothing is known are left out. The next one is read while one is used."""

    def read(day: date) -> Block | None:
        found = history.counts(day, JUDGED_CUTS)
        return day_block(plan, found) if found is not None and found.measured_minutes else None

    if not days:
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(read, days[0])
        for following in (*days[1:], None):
            block = coming.result()
            if following is not None:
                coming = pool.submit(read, following)
            if block is not None:
                yield block


@dataclass(slots=True)
class DayAssembler:
    """Puts blocks together into the local days of a group; `learn` is given each that is known well enough, in order."""

    group: Group
    learn: Callable[[date, Array], None]
    _open: dict[date, Array] = field(default_factory=dict)

    def add(self, block: Block) -> None:
        """The next block; blocks come in order, with gaps."""
        step = self.group.step_minutes
        counts = block.table[self.group.rows]
        if step > 1:
            counts = counts[:, : counts.shape[1] // step * step].reshape(len(counts), -1, step).sum(axis=2)
        local = local_minutes(block.first, counts.shape[1], step, self.group.zone)
        days, slots = local // 1440, local % 1440 // step
        for number in np.unique(days).tolist():
            rows = days == number
            day = EPOCH + timedelta(days=number)
            known = self._open.setdefault(day, np.full((len(counts), 1440 // step), np.nan))
            known[:, slots[rows]] = counts[:, rows]
        newest = EPOCH + timedelta(days=int(days.max()))
        for day in sorted(self._open):
            if np.isfinite(self._open[day][0]).mean() >= (1.0 if day == newest else KNOWN_PART_MIN):
                self.learn(day, self._open.pop(day))
            elif day < newest - timedelta(days=1):
                del self._open[day]
