"""Counting of one partition: batches in log order in, one `Delta` out. Pure: the same log gives the same deltas.

A counter knows two things. Redis stores the first beside the counts: next offset, append time, watermark. The second is its `Memory` of
ids and visitors, read again from the tail of the log: `warm` feeds it, `count` continues.
"""

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streams.catalog import Catalog
from streams.count.adding import DeltaBuilder
from streams.count.columns import Block, ColumnReader, Columns, Integers, MemoryColumns, join
from streams.count.delta import Batch, Cut, Delta, PartitionState, Rejects
from streams.count.index import Mask
from streams.count.local_dates import LocalDays
from streams.count.members import Members
from streams.count.memory import Memory, MemoryPlan, Recognised
from streams.count.names import FieldNames
from streams.events import EventBounds, Validated, VisitEvent, validate_together

#: Records decoded and read into columns in one go, at most. A generation of the memory may begin with each batch, and with each such
#: part of a large one.
BLOCK_RECORDS = 500


@dataclass(frozen=True, slots=True)
class CountingRules:
    """What counting needs to know beside the log: one value, the same for every partition of an installation."""

    catalog: Catalog
    bounds: EventBounds
    lateness_ms: int
    plan: MemoryPlan
    days: LocalDays
    names: FieldNames

    @classmethod
    def of(cls, catalog: Catalog, bounds: EventBounds, lateness_ms: int, shift_seconds: int = 0) -> "CountingRules":
        """The rules for these settings."""
        plan = MemoryPlan.covering(bounds.ahead_ms_max, lateness_ms)
        return cls(catalog, bounds, lateness_ms, plan, LocalDays(catalog, shift_seconds), FieldNames(catalog))


class _Piece(NamedTuple):
    """Values of a batch: `first` is the index of the first one there, `append_ms` the running maximum of append times."""

    batch: Batch
    first: int
    values: Sequence[bytes | None]
    append_ms: int


class PartitionCounter:
    """Counts one partition from where `state` stands (None: from nothing).

    Not reusable after a failed apply: a counter whose `next_offset` differs from the stored one must be discarded, never fed again.
    """

    def __init__(self, rules: CountingRules, state: PartitionState | None) -> None:
        self._rules = rules
        self._reader = ColumnReader(rules.catalog)
        self.memory = Memory(rules.plan, len(self._reader.services.codes))
        self._builder = DeltaBuilder(
            rules.names, self._reader, Members(rules.names, self._reader, self.memory, rules.days)
        )
        self._warm_append_ms = 0
        self.next_offset: int | None = state.next_offset if state else None
        self.append_ms: int = state.append_ms if state else 0
        self.watermark_ms: int = state.watermark_ms if state else 0

    def warm(self, batches: Sequence[Batch]) -> None:
        """Read the tail of the log again into the memory: batches below `next_offset`, in order. Counts nothing."""
        self._warm_append_ms, found, appended = self._read(
            batches, self._warm_append_ms, self._reader.read_for_memory, Rejects()
        )
        if found:
            self._remember(join(found), appended)

    def count(self, batches: Sequence[Batch]) -> Delta:
        """Count batches that continue the partition; `batches` is not empty and starts at `next_offset`.

        Records below `next_offset` must have been cut away (`streams.count.between`).
        """
        first = batches[0].first
        assert self.next_offset is None or first >= self.next_offset, "batches below the position were not cut away"
        self._reader.begin_chunk()
        rejects = Rejects()
        for batch in batches:
            if batch.unread and batch.reason is not None:
                rejects.add_unread(batch.reason, batch.unread)
        self.append_ms, found, appended = self._read(batches, self.append_ms, self._reader.read, rejects)
        end = batches[-1].end
        records = sum(len(batch.values) + batch.unread for batch in batches)
        delta = Delta(self.next_offset, first, end, self.append_ms, self.watermark_ms, records, rejects=rejects)
        if appended[-1][0]:
            self._count(delta, join(found), appended)
        _add_without_minute(delta)
        self.next_offset = end
        return delta

    def _read(
        self,
        batches: Sequence[Batch],
        append_ms: int,
        read: Callable[[Sequence[VisitEvent]], Block],
        rejects: Rejects,
    ) -> tuple[int, list[Block], list[tuple[int, int]]]:
        """The append time after these batches; their events that count, in columns; how many these are up to each piece of a batch, with
        its append time. What is rejected goes to `rejects`.
        """
        found: list[Block] = []
        appended: list[tuple[int, int]] = []
        size = 0
        bounds = self._rules.bounds
        # Of a quiet hour, an event would fit the append time of its own batch alone: half of what clocks may be ahead holds most together.
        blocks = _blocks(batches, append_ms, bounds.ahead_ms_max // 2)
        for pieces, (events, at, reasons) in _validated(blocks, bounds):
            found.append(read(events))
            begin = noted = 0
            for batch, first, values, append_ms in pieces:
                end = begin + len(values)
                until = bisect_left(at, end, noted)
                if until > noted:
                    indexes = [first + index - begin for index in at[noted:until]]
                    rejects.add(batch, indexes, reasons[noted:until], append_ms)
                size += len(values) - (until - noted)
                appended.append((size, append_ms))
                begin, noted = end, until
        return append_ms, found, appended

    def _count(self, delta: Delta, columns: Columns, blocks: list[tuple[int, int]]) -> None:
        recognised = self._remember(columns, blocks)
        delta.duplicates = len(recognised.fresh) - int(recognised.fresh.sum())
        late = self._follow_watermark(columns.ts, recognised.fresh, blocks)
        delta.watermark_ms = self.watermark_ms
        self._builder.add(delta, columns, recognised, late)
        delta.unseen = self._reader.unseen(columns.schools)

    def _remember(self, columns: MemoryColumns | Columns, blocks: list[tuple[int, int]]) -> Recognised:
        return self.memory.recognise(columns.ids, columns.visitors, columns.services, columns.ts, blocks)

    def _follow_watermark(self, ts: Integers, fresh: Mask, blocks: list[tuple[int, int]]) -> Mask:
        """Move the watermark on, event by event in log order; return which events lie below what it was before them.

        Watermark: running maximum of min(ts, append time) - lateness. It is capped by the append time so that one publisher whose clock
        is ahead cannot make everybody else late. Repeats do not move it.
        """
        sizes = [end - begin for (begin, _), (end, _) in pairwise([(0, 0), *blocks])]
        append_ms = np.repeat([ms for _, ms in blocks], sizes)
        seen = np.where(fresh, np.minimum(ts, append_ms) - self._rules.lateness_ms, 0)
        running = np.maximum.accumulate(np.concatenate(([self.watermark_ms], seen)))
        self.watermark_ms = int(running[-1])
        late: Mask = ts < running[:-1]
        return late


def _add_without_minute(delta: Delta) -> None:
    if delta.duplicates:
        delta.add_total((Cut.DUPLICATE,), delta.duplicates)
    for reason, number in delta.rejects.by_reason().items():
        delta.add_total((Cut.REJECTED, reason.value), number)


def _blocks(batches: Sequence[Batch], append_ms: int, span_ms: int) -> Iterator[list[_Piece]]:
    """Large batches cut, small ones together that were appended within `span_ms`: what is decoded of a block stays in the processor's
    cache.
    """
    block: list[_Piece] = []
    size = 0
    for batch in batches:
        append_ms = max(append_ms, batch.append_ms)  # brokers may hand leadership to one whose clock is behind
        for first in range(0, len(batch.values) or 1, BLOCK_RECORDS):
            values = batch.values[first : first + BLOCK_RECORDS]
            if block and (size + len(values) > BLOCK_RECORDS or append_ms - block[0].append_ms > span_ms):
                yield block
                block, size = [], 0
            block.append(_Piece(batch, first, values, append_ms))
            size += len(values)
    if block:
        yield block


def _validated(blocks: Iterable[list[_Piece]], bounds: EventBounds) -> Iterator[tuple[list[_Piece], Validated]]:
    for block in blocks:
        values = [value for piece in block for value in piece.values] if len(block) > 1 else block[0].values
        found = validate_together(values, block[0].append_ms, block[-1].append_ms, bounds)
        if found is None:  # of some, the append time of their own batch alone tells
            half = len(block) // 2
            yield from _validated((block[:half], block[half:]), bounds)
        else:
            yield block, found


def between(batches: Sequence[Batch], first: int, end: int = sys.maxsize) -> list[Batch]:
    """What lies at `first <= offset < end`: whole batches, and a part of those that straddle a bound."""
    kept: list[Batch] = []
    for batch in batches:
        if first <= batch.first and batch.end <= end:
            kept.append(batch)
        elif first < batch.end and batch.first < end:
            part = slice(bisect_left(batch.offsets, first), bisect_left(batch.offsets, end))
            last = min(batch.end, end)
            unread = last - max(batch.first, first) if batch.unread else 0
            values, keys, offsets = batch.values[part], batch.keys[part], batch.offsets[part]
            kept.append(Batch(batch.append_ms, values, keys, offsets, last, unread, batch.reason))
    return kept
