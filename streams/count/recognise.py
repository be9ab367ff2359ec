"""Recognises repeats and visits: events come as columns, many at once and of several partitions, and are recognised as if they came one by
one (docs/decisions/0006-columns.md, 0022-partitions-together.md).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streams.count.generations import SketchKind, T, VisitorTable
from streams.count.index import Keys, Mask, nonzero
from streams.count.memory import VISIT_GAP_MS, Generation, Memory
from streams.stable_hash import Hashes

#: Which events of a pass: a span, or their numbers.
Events = slice | Keys


class VisitorRows(NamedTuple):
    """Where the youngest generations keep the visitors of events: `rows[i]` of `tables[numbers[i]]`; -1 for one that came before that
    generation began.
    """

    rows: Keys
    numbers: Keys
    tables: Sequence[VisitorTable]

    def at(self, events: Keys) -> "VisitorRows":
        """Those of some of the events."""
        return VisitorRows(self.rows[events], self.numbers[events], self.tables)

    def note_sent(self, sketches: Keys, kind: SketchKind) -> Keys:
        """Tell which of these visitors must be sent to sketches (a number each, of one `kind`): all but those that were sent to the same
        one the last time. To send a visitor twice changes nothing, so notes need not be read again after a restart; and they can't
        outlive what Redis holds: a counter ends when Redis goes back or refuses a chunk, and with it the keys of its rows.
        """
        new = np.ones(len(self.rows), np.bool_)
        for table, events in _by_table(self.tables, self.numbers):
            new[events] = table.note_sent(self.rows[events], sketches[events], kind)
        return nonzero(new)

    def members(self, hashes: Callable[[Keys], Hashes]) -> Hashes:
        """What these visitors are called in sketches; `hashes` is asked for those of which that is not held."""
        found = np.zeros(len(self.rows), np.uint64)
        for table, events in _by_table(self.tables, self.numbers):
            rows = self.rows[events]
            found[events] = np.where(rows < 0, np.uint64(0), table.members[rows])
        unknown = nonzero(found == 0)
        if unknown.size:
            found[unknown] = hashes(unknown)
            unknown = unknown[self.rows[unknown] >= 0]
            for table, events in _by_table(self.tables, self.numbers[unknown]):
                known = unknown[events]
                table.members[self.rows[known]] = found[known]
        return found


@dataclass(frozen=True, slots=True)
class Recognised:
    """What events are, one item an event: whether it counts (no repeat), starts a visit, starts a visit of its service."""

    fresh: Mask
    visits: Mask
    service_visits: Mask
    visitors: VisitorRows


#: A partition's memory, and its events up to the end of each block, with the block's append time.
Part = tuple[Memory, Sequence[tuple[int, int]]]


def recognise(parts: Sequence[Part], ids: Keys, visitors: Keys, services: Keys, ts: Keys) -> Recognised:
    """Remember events, in order, and say what they are. Ids and visitors come as 64-bit hashes, services as numbers below those of the
    tables, `ts` in epoch ms.

    `parts` are the memories of one or more partitions, whose events lie one after the other, each with its blocks: (events of the whole
    pass up to the end of the block, append time). A block has one append time, which never goes back; generations begin between blocks.
    Each partition has an event at least.
    """
    ends = [blocks[-1][0] for _, blocks in parts]
    sizes = np.diff([0, *ends])
    salts = np.repeat(np.array([memory.salt for memory, _ in parts], np.int64), sizes)
    at_once = _Pass(ids + salts, visitors + salts, services, ts)
    waiting = [
        (memory, memory.spans(begin, blocks, at_once.rows))
        for (memory, blocks), begin in zip(parts, [0, *ends[:-1]], strict=True)
    ]
    while waiting:  # once, but for those of whom a generation begins within their events
        found = [(memory, spans, next(spans, None)) for memory, spans in waiting]
        waiting = [(memory, spans) for memory, spans, span in found if span is not None]
        if waiting:
            at_once.recognise([(memory, span) for memory, _, span in found if span is not None])
    tables, numbers = _tables_of([memory.visitors[-1] for memory, _ in parts])
    rows = VisitorRows(at_once.rows, np.repeat(numbers, sizes), tables)
    fresh = at_once.fresh
    return Recognised(fresh, at_once.visits & fresh, at_once.service_visits & fresh, rows)


class _Pass:
    """Events of several partitions, to be recognised at once."""

    def __init__(self, ids: Keys, visitors: Keys, services: Keys, ts: Keys) -> None:
        self._columns = ids, visitors, services, ts
        self.fresh, self.visits, self.service_visits = (np.zeros(len(ids), np.bool_) for _ in range(3))
        self.rows = np.full(len(ids), -1, np.int64)

    def recognise(self, spans: Sequence[tuple[Memory, tuple[int, int]]]) -> None:
        """Remember the events (begin, end) of each of these memories, and note what they are."""
        events: Events = slice(spans[0][1][0], spans[-1][1][1])
        if any(end != begin for (_, (_, end)), (_, (begin, _)) in pairwise(spans)):
            events = np.concatenate([np.arange(begin, end) for _, (begin, end) in spans])
        memories = _Memories([memory for memory, _ in spans], [end - begin for _, (begin, end) in spans])
        ids, visitors, services, ts = (column[events] for column in self._columns)
        self.fresh[events] = memories.find_new(ids)
        self.rows[events], self.visits[events], self.service_visits[events] = memories.find_visits(
            visitors, services, ts
        )


class _Memories:
    """Some memories, each with so many events one after the other."""

    def __init__(self, memories: Sequence[Memory], sizes: Sequence[int]) -> None:
        self._memories, self._sizes = memories, sizes
        self._begins = np.cumsum([0, *sizes[:-1]])

    def find_new(self, ids: Keys) -> Mask:
        """Whether each id comes for the first time. A repeat is remembered like any event, also where an older generation knows it."""
        fresh = np.zeros(len(ids), np.bool_)
        for table, events in self._by_table([memory.ids[-1] for memory in self._memories]):
            fresh[events] = table.add(ids[events])[1]
        self._note_entries([memory.ids[-1] for memory in self._memories], fresh)
        older = [memory.ids[-2] if len(memory.ids) > 1 else None for memory in self._memories]
        for table, events in self._by_table(older):
            fresh[events] &= table.find(ids[events]) < 0
        return fresh

    def find_visits(self, visitors: Keys, services: Keys, ts: Keys) -> tuple[Keys, Mask, Mask]:
        """The row of each event's visitor; whether the event lies a gap after the highest `ts` before it of its visitor, and of its
        visitor and service.
        """
        youngest = [memory.visitors[-1] for memory in self._memories]
        rows = np.zeros(len(ts), np.int64)
        is_new, visits, service_visits = (np.zeros(len(ts), np.bool_) for _ in range(3))
        for table, events in self._by_table(youngest):
            found = table.follow(visitors[events], services[events], ts[events])
            rows[events], is_new[events] = found[:2]
            visits[events], service_visits[events] = (since >= VISIT_GAP_MS for since in found[2:])
        self._note_entries(youngest, is_new)
        for age in range(2, max(len(memory.visitors) for memory in self._memories) + 1):
            # A visitor is known for as long as any of its services: who starts a visit starts one of the service.
            open_ = nonzero(service_visits)
            if not open_.size:
                break
            older = [memory.visitors[-age] if len(memory.visitors) >= age else None for memory in self._memories]
            for table, at in self._by_table(older, open_):
                events = open_[at]
                since_visitor, since_service = table.since(visitors[events], services[events], ts[events])
                visits[events] &= since_visitor >= VISIT_GAP_MS
                service_visits[events] &= since_service >= VISIT_GAP_MS
        return rows, visits, service_visits

    def _note_entries(self, generations: Sequence[Generation[T]], is_new: Mask) -> None:
        numbers = np.add.reduceat(is_new, self._begins, dtype=np.int64)
        for generation, number in zip(generations, numbers.tolist(), strict=True):
            generation.entries += number

    def _by_table(
        self, generations: Sequence[Generation[T] | None], some: Keys | None = None
    ) -> Iterator[tuple[T, Events]]:
        """Each table of these generations, one of each memory or None, and which events are its: of all, or of `some` of them."""
        tables, of_memories = _tables_of(generations)
        numbers = np.repeat(of_memories, self._sizes)
        return _by_table(tables, numbers if some is None else numbers[some])


def _tables_of(generations: Sequence[Generation[T] | None]) -> tuple[list[T], Keys]:
    """The tables of these, each once; and the number of each one's table among them, -1 for None."""
    tables = list({id(each.table): each.table for each in generations if each is not None}.values())
    numbers = {id(table): number for number, table in enumerate(tables)}
    return tables, np.array([-1 if each is None else numbers[id(each.table)] for each in generations], np.int64)


def _by_table(tables: Sequence[T], numbers: Keys) -> Iterator[tuple[T, Events]]:
    """Each table, and which events are its: those with its number."""
    if len(tables) == 1 and (numbers == 0).all():
        yield tables[0], slice(None)
        return
    for number, table in enumerate(tables):
        events = nonzero(numbers == number)
        if events.size:
            yield table, events
