"""Counting: batches of some partitions in log order in, one `Delta` of each out. Pure: the same log gives the same deltas.

A counter knows two things of its partition. Redis stores the first beside the counts: next offset, append time, watermark. The second is
its `Memory` of ids and visitors, read again from the tail of the log: `warm` feeds it, `count` continues.

What a worker has of several partitions is counted in one pass (`Counting.count`): a chunk of few events costs as much as one of hundreds.
Each partition is counted as if it were alone.
"""

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streams.catalog import Catalog
from streams.count.adding import DeltaBuilder
from streams.count.columns import Block, ColumnReader, Columns, Integers, MemoryColumns, Sender, Unseen, join
from streams.count.delta import Batch, Cut, Delta, PartitionState, Rejects
from streams.count.generations import Tables
from streams.count.index import Mask
from streams.count.local_dates import LocalDays
from streams.count.members import Members, SentSchools, Target
from streams.count.memory import Memory, MemoryPlan
from streams.count.names import FieldNames
from streams.count.recognise import Recognised, recognise
from streams.events import EventBounds, Validated, VisitEvent, validate_together

#: Records decoded and read into columns in one go, at most. A generation of the memory may begin with each batch, and with each such
#: part of a large one.
BLOCK_RECORDS = 500
#: Sets the times of one partition apart from those of the next one: wider than any time in ms.
_APART = np.int64(2**44)


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


@dataclass(slots=True)
class _Part:
    """The batches of one partition in a pass, as they are read.

    `append_ms` is the running maximum of append times. `ends` has the events of the whole pass up to the end of each piece of a batch, with
    its append time.
    """

    number: int
    batches: Sequence[Batch]
    append_ms: int
    rejects: Rejects = field(default_factory=Rejects)
    unseen: Unseen = field(default_factory=Unseen)
    ends: list[tuple[int, int]] = field(default_factory=list)


class _Piece(NamedTuple):
    """Values of a batch: `first` is the index of the first one there, `append_ms` as in `_Part`, up to here."""

    part: _Part
    batch: Batch
    first: int
    values: Sequence[bytes | None]
    append_ms: int


class Counting:
    """What the counters of one worker share. It changes no figure."""

    def __init__(self, rules: CountingRules) -> None:
        self.rules = rules
        self.reader = ColumnReader(rules.catalog)
        self.tables = Tables(len(self.reader.services.codes))
        self._builder = DeltaBuilder(rules.names, self.reader, Members(rules.names, self.reader, rules.days))

    def count(self, chunks: "Sequence[tuple[PartitionCounter, Sequence[Batch]]]") -> list[Delta]:
        """Count batches of some partitions, each once: see `PartitionCounter.count`. Return the delta of each."""
        self.reader.schools.forget_if_full()
        parts = [_Part(number, batches, counter.append_ms) for number, (counter, batches) in enumerate(chunks)]
        for part in parts:
            for batch in part.batches:
                if batch.unread and batch.reason is not None:
                    part.rejects.add_unread(batch.reason, batch.unread)
        found = self.read(parts, self.reader.read)
        counted = [(counter, part, counter.take(part)) for (counter, _), part in zip(chunks, parts, strict=True)]
        if found:
            self._count(counted, join(found))
        for counter, part, delta in counted:
            delta.watermark_ms = counter.watermark_ms
            delta.unseen = part.unseen.found
            _add_without_minute(delta)
        return [delta for _, _, delta in counted]

    def read(
        self, parts: Sequence[_Part], read: Callable[[Sequence[VisitEvent], Sequence[Sender]], Block]
    ) -> list[Block]:
        """The events of these batches that count, in columns; the rest is noted in `parts`."""
        found: list[Block] = []
        size = 0
        bounds = self.rules.bounds
        # Of a quiet hour, an event would fit the append time of its own batch alone: half of what clocks may be ahead holds most together.
        for pieces, (events, at, reasons) in _validated(_blocks(parts, bounds.ahead_ms_max // 2), bounds):
            senders: list[Sender] = []
            begin = noted = 0
            for part, batch, first, values, append_ms in pieces:
                end = begin + len(values)
                until = bisect_left(at, end, noted)
                if until > noted:
                    indexes = [first + index - begin for index in at[noted:until]]
                    part.rejects.add(batch, indexes, reasons[noted:until], append_ms)
                accepted = len(values) - (until - noted)
                senders.append(Sender(part.number, accepted, part.unseen))
                size += accepted
                part.ends.append((size, append_ms))
                begin, noted = end, until
            if events:
                found.append(read(events, senders))
        return found

    def _count(self, counted: "Sequence[tuple[PartitionCounter, _Part, Delta]]", columns: Columns) -> None:
        present = np.bincount(columns.partitions, minlength=len(counted)).tolist()
        busy = [each for each, events in zip(counted, present, strict=True) if events]
        recognised = _remember([(counter.memory, part.ends) for counter, part, _ in busy], columns)
        begins = np.cumsum([0, *(events for events in present if events)])
        repeats = np.add.reduceat(~recognised.fresh, begins[:-1], dtype=np.int64).tolist()
        for (_, _, delta), number in zip(busy, repeats, strict=True):
            delta.duplicates = number
        late = self._follow_watermarks(busy, begins, columns.ts, recognised.fresh)
        targets = [Target(delta, counter.sent_schools) for counter, _, delta in counted]
        self._builder.add(targets, columns, recognised, late)

    def _follow_watermarks(
        self, busy: "Sequence[tuple[PartitionCounter, _Part, Delta]]", begins: Integers, ts: Integers, fresh: Mask
    ) -> Mask:
        """Move the watermarks on, event by event in log order; return which events lie below what their partition's was before them.

        Watermark: running maximum of min(ts, append time) - lateness. It is capped by the append time so that one publisher whose clock
        is ahead cannot make everybody else late. Repeats do not move it.
        """
        ends = [end for _, part, _ in busy for end in part.ends]
        append_ms = np.repeat([ms for _, ms in ends], np.diff([0, *(end for end, _ in ends)]))
        numbers = np.arange(len(busy))
        is_event = np.ones(len(ts) + len(busy), np.bool_)
        heads = begins[:-1] + numbers  # each partition's begin with the watermark it had
        is_event[heads] = False
        seen = np.empty(len(is_event), np.int64)
        seen[heads] = [counter.watermark_ms for counter, _, _ in busy]
        seen[is_event] = np.where(fresh, np.minimum(ts, append_ms) - self.rules.lateness_ms, 0)
        lift = np.repeat(numbers * _APART, np.diff(begins) + 1)
        running = np.maximum.accumulate(seen + lift) - lift
        for (counter, _, _), watermark_ms in zip(busy, running[begins[1:] + numbers].tolist(), strict=True):
            counter.watermark_ms = watermark_ms
        late: Mask = ts < running[:-1][is_event[1:]]
        return late


class PartitionCounter:
    """Counts one partition from where `state` stands (None: from nothing).

    Not reusable after a failed apply: a counter whose `next_offset` differs from the stored one must be discarded, never fed again.
    """

    def __init__(self, counting: Counting, state: PartitionState | None) -> None:
        self._counting = counting
        self.memory = Memory(counting.rules.plan, counting.tables)
        self.sent_schools = SentSchools(counting.reader.schools)
        self._warm_append_ms = 0
        self.next_offset: int | None = state.next_offset if state else None
        self.append_ms: int = state.append_ms if state else 0
        self.watermark_ms: int = state.watermark_ms if state else 0

    def warm(self, batches: Sequence[Batch]) -> None:
        """Read the tail of the log again into the memory: batches below `next_offset`, in order. Counts nothing."""
        part = _Part(0, batches, self._warm_append_ms)
        found = self._counting.read([part], self._counting.reader.read_for_memory)
        self._warm_append_ms = part.append_ms
        if found:
            _remember([(self.memory, part.ends)], join(found))

    def count(self, batches: Sequence[Batch]) -> Delta:
        """Count batches that continue the partition; `batches` is not empty and starts at `next_offset`.

        Records below `next_offset` must have been cut away (`streams.count.between`).
        """
        return self._counting.count([(self, batches)])[0]

    def take(self, part: _Part) -> Delta:
        """Begin the delta of what was read, and move on behind it."""
        first, end = part.batches[0].first, part.batches[-1].end
        assert self.next_offset is None or first >= self.next_offset, "batches below the position were not cut away"
        records = sum(len(batch.values) + batch.unread for batch in part.batches)
        delta = Delta(self.next_offset, first, end, part.append_ms, self.watermark_ms, records, rejects=part.rejects)
        self.next_offset, self.append_ms = end, part.append_ms
        return delta


def _remember(
    parts: Sequence[tuple[Memory, Sequence[tuple[int, int]]]], columns: MemoryColumns | Columns
) -> Recognised:
    return recognise(parts, columns.ids, columns.visitors, columns.services, columns.ts)


def _add_without_minute(delta: Delta) -> None:
    if delta.duplicates:
        delta.add_total((Cut.DUPLICATE,), delta.duplicates)
    if delta.rejects:
        for reason, number in delta.rejects.by_reason().items():
            delta.add_total((Cut.REJECTED, reason.value), number)


def _blocks(parts: Iterable[_Part], span_ms: int) -> Iterator[list[_Piece]]:
    """Large batches cut, small ones together that were appended within `span_ms`: what is decoded of a block stays in the processor's
    cache.
    """
    block: list[_Piece] = []
    size = first_ms = last_ms = 0
    for part in parts:
        for batch in part.batches:
            # Brokers may hand leadership to one whose clock is behind.
            append_ms = part.append_ms = max(part.append_ms, batch.append_ms)
            whole = len(batch.values) <= BLOCK_RECORDS
            for first in range(0, len(batch.values) or 1, BLOCK_RECORDS):
                values = batch.values if whole else batch.values[first : first + BLOCK_RECORDS]
                if not block:
                    first_ms = last_ms = append_ms
                elif append_ms < first_ms or append_ms > last_ms:
                    first_ms, last_ms = min(first_ms, append_ms), max(last_ms, append_ms)
                if block and (size + len(values) > BLOCK_RECORDS or last_ms - first_ms > span_ms):
                    yield block
                    block, size, first_ms, last_ms = [], 0, append_ms, append_ms
                block.append(_Piece(part, batch, first, values, append_ms))
                size += len(values)
    if block:
        yield block


def _validated(blocks: Iterable[list[_Piece]], bounds: EventBounds) -> Iterator[tuple[list[_Piece], Validated]]:
    for block in blocks:
        values = [value for piece in block for value in piece.values] if len(block) > 1 else block[0].values
        times = [piece.append_ms for piece in block]
        found = validate_together(values, min(times), max(times), bounds)
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
