"""What a partition's counter remembers: ids (duplicates), and the latest `ts` of each visitor and of each visitor and service (visits).

The memory is a pure function of a bounded tail of the log. It is kept in *generations* aligned to append time (`append_ms // G`); a
generation holds only what was seen in it, nothing is carried over, and a look-up takes the highest over the live generations. Hence a
worker that reads the tail again (from `rewind_start_ms`) knows exactly what the one before it knew: a restart changes no figure. Ways
that carry entries over, or expire them one by one, do not have that property (docs/decisions/0005-generations.md).

A generation that reaches its limit of entries closes early: a younger one of the same aligned number begins, and the oldest falls out
of the `k` that are looked up. Memory is bounded, the same log closes the same generations, and the shorter window is shown.

`streams.count.recognise` feeds it.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

from streams.count.generations import T, Tables, VisitorTable
from streams.count.index import HashIndex, Keys

#: A gap of this long starts a new visit (the ministry's rule).
VISIT_GAP_MS = 30 * 60_000
#: Ids are remembered for at least this much append time.
DEDUPE_MS_MIN = 10 * 60_000
VISIT_GENERATIONS = 5
STEP_MS = 10_000


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Lengths and numbers of generations; chosen by measurement (docs/decisions/0005-generations.md).

    `visit_count` generations of `visit_ms` hold visitors: `(visit_count - 1) * visit_ms` must cover the gap of a visit and how far
    events may be out of order. Two generations of `id_ms` hold ids. The limits are entries of one generation of one partition: the
    strongest storm of docs (36,000 events/s over 8 partitions) stays below both. A worker of `shared_from` partitions or more has one
    table for all of them, which changes no figure.
    """

    visit_ms: int
    visit_count: int = VISIT_GENERATIONS
    id_ms: int = DEDUPE_MS_MIN
    ids_max: int = 4_000_000
    visitors_max: int = 1_000_000
    shared_from: int = 16

    @classmethod
    def covering(cls, ahead_ms: int, lateness_ms: int) -> "MemoryPlan":
        """The plan for these bounds of `ts`: generations of whole steps of 10 s."""
        needed = VISIT_GAP_MS + ahead_ms + lateness_ms
        return cls(visit_ms=-(-needed // ((VISIT_GENERATIONS - 1) * STEP_MS)) * STEP_MS)

    def rewind_start_ms(self, append_ms: int) -> int:
        """The append time from which the log must be read again to know what is known at `append_ms`."""
        visits = (append_ms // self.visit_ms - (self.visit_count - 1)) * self.visit_ms
        ids = (append_ms // self.id_ms - 1) * self.id_ms
        return max(0, min(visits, ids))


@dataclass(slots=True, eq=False)
class Generation(Generic[T]):
    """What one partition remembers of one stretch of append time: `entries` of a table, which other partitions may use, too."""

    index: int
    begun_ms: int
    table: T
    entries: int = 0

    @property
    def nbytes(self) -> int:
        """Its share of the table's bytes."""
        return self.table.nbytes * self.entries // max(1, len(self.table))


class Memory:
    """The memory of one partition."""

    def __init__(self, plan: MemoryPlan, tables: Tables) -> None:
        self._plan = plan
        self._tables = tables
        tables.memories.add(self)
        #: Set this partition's keys apart in a table: added to each. Another memory has another one, be it of the same partition later.
        self.salt = secrets.randbits(63)
        #: The live generations, oldest first.
        self.ids: list[Generation[HashIndex]] = []
        self.visitors: list[Generation[VisitorTable]] = []
        #: Append times (ms) below which ids, and visitors, were forgotten because a generation closed early.
        self._ids_forgotten_ms = 0
        self._visitors_forgotten_ms = 0

    def spans(self, begin: int, blocks: Sequence[tuple[int, int]], rows: Keys) -> Iterator[tuple[int, int]]:
        """Begin generations where they are due; yield the events (begin, end) that must be remembered before the next one can begin.

        This partition's events begin at `begin`; `blocks` are as for `recognise`. `rows` of those from before the youngest generation of
        visitors are set to -1.
        """
        begun = at = begin
        for end, append_ms in blocks:
            if self._may_roll(append_ms, at - begun):
                if at > begun:
                    yield begun, at
                begun = at
                if self._roll(append_ms):
                    rows[begin:at] = -1
            at = end
        if at > begun:
            yield begun, at

    def window_ms(self, append_ms: int) -> int:
        """How far back ids are remembered at this append time; shorter than planned where a generation closed early."""
        planned = (append_ms // self._plan.id_ms - 1) * self._plan.id_ms
        return append_ms - max(planned, self._ids_forgotten_ms) if self.ids else 0

    def visit_window_ms(self, append_ms: int) -> int:
        """The same for visitors: below 30 minutes and the disorder allowed, visits may be counted that others continue."""
        planned = (append_ms // self._plan.visit_ms - (self._plan.visit_count - 1)) * self._plan.visit_ms
        return append_ms - max(planned, self._visitors_forgotten_ms) if self.visitors else 0

    def sizes(self) -> tuple[int, int]:
        """Entries held: ids, visitors."""
        return sum(g.entries for g in self.ids), sum(g.entries for g in self.visitors)

    def nbytes(self) -> tuple[int, int]:
        """Bytes held by them."""
        return sum(g.nbytes for g in self.ids), sum(g.nbytes for g in self.visitors)

    def _may_roll(self, append_ms: int, pending: int) -> bool:
        """Whether a generation must begin before this block, or can't be excluded while `pending` events are not remembered yet."""
        plan = self._plan
        return (
            not self.ids
            or self.ids[-1].index != append_ms // plan.id_ms
            or self.visitors[-1].index != append_ms // plan.visit_ms
            or self.ids[-1].entries + pending >= plan.ids_max
            or self.visitors[-1].entries + pending >= plan.visitors_max
        )

    def _roll(self, append_ms: int) -> bool:
        """Begin the generations that are due; whether one of visitors began."""
        plan = self._plan
        own = len(self._tables.memories) < plan.shared_from
        index = append_ms // plan.id_ms
        last = self.ids[-1] if self.ids else None
        early = last is not None and last.index == index
        if last is None or not early or last.entries >= plan.ids_max:
            live = [generation for generation in self.ids if generation.index >= index - 1]
            self.ids = live[-1:]
            if len(live) > 1:  # one that time alone would have kept: its successor closed early
                self._ids_forgotten_ms = self.ids[0].begun_ms
            ids = self._tables.ids(index, last.entries if last else 0, own or early)
            self.ids.append(Generation(index, append_ms if early else index * plan.id_ms, ids))
        index = append_ms // plan.visit_ms
        before = self.visitors[-1] if self.visitors else None
        early = before is not None and before.index == index
        if before is not None and early and before.entries < plan.visitors_max:
            return False
        oldest = index - (plan.visit_count - 1)
        kept = [generation for generation in self.visitors if generation.index >= oldest]
        self.visitors = kept[-(plan.visit_count - 1) :]
        if len(kept) > len(self.visitors):  # time alone would have kept it
            self._visitors_forgotten_ms = self.visitors[0].begun_ms
        start_ms = index * plan.visit_ms
        visitors = self._tables.visitors(index, start_ms, before.entries if before else 0, own or early)
        self.visitors.append(Generation(index, append_ms if early else start_ms, visitors))
        return True
