"""What a partition's counter remembers: ids (duplicates), and the latest `ts` of each visitor and of each visitor and service (visits).

The memory is a pure function of a bounded tail of the log. It is kept in *generations* aligned to append time (`append_ms // G`); a
generation holds only what was seen in it, nothing is carried over, and a look-up takes the highest over the live generations. Hence a
worker that reads the tail again (from `rewind_start_ms`) knows exactly what the one before it knew: a restart changes no figure. Ways
that carry entries over, or expire them one by one, do not have that property (docs/decisions/0005-generations.md).

A generation that reaches its limit of entries closes early: a younger one of the same aligned number begins, and the oldest falls out
of the `k` that are looked up. Memory is bounded, the same log closes the same generations, and the shorter window is shown.

Events come as columns, many at once, and are recognised as if they came one by one (docs/decisions/0006-columns.md).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from streams.count.index import HashIndex, Keys, Mask, nonzero, sorted_stably
from streams.stable_hash import Hashes

#: A gap of this long starts a new visit (the ministry's rule).
VISIT_GAP_MS = 30 * 60_000
#: Ids are remembered for at least this much append time.
DEDUPE_MS_MIN = 10 * 60_000
VISIT_GENERATIONS = 5
STEP_MS = 10_000

#: "Never seen", in the 32 bits of a time relative to its generation: 24 days before it.
_NEVER = np.int32(-(2**31))
_ROWS_MIN = 64
#: Wider than the range of those times: sets one key's times apart from the next key's.
_APART = np.int64(2**33)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Lengths and numbers of generations; chosen by measurement (docs/decisions/0005-generations.md).

    `visit_count` generations of `visit_ms` hold visitors: `(visit_count - 1) * visit_ms` must cover the gap of a visit and how far
    events may be out of order. Two generations of `id_ms` hold ids. The limits are entries of one generation of one partition: the
    strongest storm of docs (36,000 events/s over 8 partitions) stays below both.
    """

    visit_ms: int
    visit_count: int = VISIT_GENERATIONS
    id_ms: int = DEDUPE_MS_MIN
    ids_max: int = 4_000_000
    visitors_max: int = 1_000_000

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


class _Ids:
    """One generation of ids, as 64-bit hashes."""

    __slots__ = ("begun_ms", "index", "seen")

    def __init__(self, index: int, begun_ms: int, expected: int) -> None:
        self.index = index
        self.begun_ms = begun_ms
        self.seen = HashIndex(expected)


class _Visitors:
    """One generation of visitors: a row each, with the latest `ts` of the visitor (column 0) and of each service (1, 2, ...).

    Times are kept in 32 bits, relative to the generation's aligned start. `sent` is a note of the sketches that each visitor was last
    sent to, and `members` what it is called there (0: not yet known), which count nothing: `Memory.note_sent`, `Memory.members`.
    """

    __slots__ = ("_start_ms", "_width", "begun_ms", "index", "latest", "members", "rows", "sent")

    def __init__(self, index: int, start_ms: int, begun_ms: int, services: int, expected: int) -> None:
        self.index = index
        self.begun_ms = begun_ms
        self.rows = HashIndex(expected)
        self._start_ms = start_ms
        self._width = services + 1
        self.latest: NDArray[np.int32] = np.full(_ROWS_MIN * self._width, _NEVER, np.int32)
        self.sent: NDArray[np.int64] = np.full((_ROWS_MIN, 2), -1, np.int64)
        self.members: Hashes = np.zeros(_ROWS_MIN, np.uint64)

    def follow(self, visitors: Keys, services: Keys, ts: Keys) -> tuple[Keys, Keys, Keys]:
        """Remember these events; return the row of each, and how long before it (ms) was the latest `ts` of its visitor, and of its
        visitor and service: negative for one that lies ahead, very long where there was none.
        """
        rows = self.rows.add(visitors)[0].astype(np.int64)
        places = rows * self._width
        while len(self.rows) > len(self.sent):
            self.latest = np.concatenate([self.latest, np.full_like(self.latest, _NEVER)])
            self.sent = np.concatenate([self.sent, np.full_like(self.sent, -1)])
            self.members = np.concatenate([self.members, np.zeros_like(self.members)])
        times = np.concatenate((ts, ts)) - self._start_ms
        since = times - _raise_to(self.latest, np.concatenate((places, places + 1 + services)), times)
        return rows, since[: len(ts)], since[len(ts) :]

    def since(self, visitors: Keys, services: Keys, ts: Keys) -> tuple[Keys, Keys]:
        """As `follow`, of an older generation: looks only, and tells no rows."""
        rows = self.rows.find(visitors).astype(np.int64) * self._width
        times = ts - self._start_ms
        visitor, service = self.latest[rows], self.latest[rows + 1 + services]
        unknown = rows < 0
        visitor[unknown] = service[unknown] = _NEVER
        return times - visitor, times - service


def _raise_to(latest: NDArray[np.int32], places: Keys, times: Keys) -> Keys:
    """Raise `latest[places]` to `times`, one after the other; return what each found before it."""
    place, order = sorted_stably(places)
    is_head = np.ones(len(order), np.bool_)
    np.not_equal(place[1:], place[:-1], out=is_head[1:])
    found = latest[place].astype(np.int64)
    # A running maximum that begins anew at each place: every place's times are lifted above those of the place before it.
    lift = is_head.cumsum() * _APART
    running = np.maximum.accumulate(np.maximum(times[order], found) + lift) - lift
    latest[place] = running  # of several at one place the last stays, which is the highest
    found[1:] = np.where(is_head[1:], found[1:], running[:-1])
    before = np.empty_like(found)
    before[order] = found
    return before


@dataclass(frozen=True, slots=True)
class Recognised:
    """What events are, one item an event: whether it counts (no repeat), starts a visit, starts a visit of its service."""

    fresh: Mask
    visits: Mask
    service_visits: Mask
    #: Where the youngest generation keeps each visitor; -1 for one that came before that generation began.
    rows: Keys


class SketchKind(IntEnum):
    """Sketches that a visitor is sent to: of a minute, and of a day."""

    MINUTE = 0
    DAY = 1


class Memory:
    """The memory of one partition. Visitors and ids come as 64-bit hashes, services as numbers below `services`."""

    def __init__(self, plan: MemoryPlan, services: int) -> None:
        self._plan = plan
        self._services = services
        self._ids: list[_Ids] = []
        self._visitors: list[_Visitors] = []
        #: Append times (ms) below which ids, and visitors, were forgotten because a generation closed early.
        self._ids_forgotten_ms = 0
        self._visitors_forgotten_ms = 0

    def recognise(
        self, ids: Keys, visitors: Keys, services: Keys, ts: Keys, blocks: Iterable[tuple[int, int]]
    ) -> Recognised:
        """Remember events, in order, and say what they are.

        `blocks` are (events up to the end of the block, append time): one append time a block, which never goes back. Generations begin
        between blocks.
        """
        fresh, visits, service_visits = (np.zeros(len(ids), np.bool_) for _ in range(3))
        rows = np.full(len(ids), -1, np.int64)
        begun = at = 0

        def recognise_pending() -> None:
            if at > begun:
                span = slice(begun, at)
                fresh[span] = self._find_new(ids[span])
                found = self._find_visits(visitors[span], services[span], ts[span])
                rows[span], visits[span], service_visits[span] = found

        for end, append_ms in blocks:
            if self._may_roll(append_ms, at - begun):
                recognise_pending()
                begun = at
                if self._roll(append_ms):
                    rows[:at] = -1
            at = end
        recognise_pending()
        return Recognised(fresh, visits & fresh, service_visits & fresh, rows)

    def note_sent(self, rows: Keys, sketches: Keys, kind: SketchKind) -> Keys:
        """Tell which of these visitors (`Recognised.rows`) must be sent to sketches (a number each, of one `kind`): all but those that were
        sent to the same one the last time. To send a visitor twice changes nothing, so notes need not be read again after a restart; and
        they can't outlive what Redis holds: a counter ends when Redis goes back or refuses a chunk.
        """
        sent = self._visitors[-1].sent
        new = nonzero((rows < 0) | (sent[rows, kind] != sketches))
        known = new[rows[new] >= 0]
        sent[rows[known], kind] = sketches[known]
        return new

    def members(self, rows: Keys, hashes: Callable[[Keys], Hashes]) -> Hashes:
        """What these visitors (`Recognised.rows`) are called in sketches; `hashes` is asked for those of which that is not held."""
        held = self._visitors[-1].members
        found = np.where(rows < 0, np.uint64(0), held[rows])
        unknown = nonzero(found == 0)
        if unknown.size:
            found[unknown] = hashes(unknown)
            known = unknown[rows[unknown] >= 0]
            held[rows[known]] = found[known]
        return found

    def window_ms(self, append_ms: int) -> int:
        """How far back ids are remembered at this append time; shorter than planned where a generation closed early."""
        planned = (append_ms // self._plan.id_ms - 1) * self._plan.id_ms
        return append_ms - max(planned, self._ids_forgotten_ms) if self._ids else 0

    def visit_window_ms(self, append_ms: int) -> int:
        """The same for visitors: below 30 minutes and the disorder allowed, visits may be counted that others continue."""
        planned = (append_ms // self._plan.visit_ms - (self._plan.visit_count - 1)) * self._plan.visit_ms
        return append_ms - max(planned, self._visitors_forgotten_ms) if self._visitors else 0

    def sizes(self) -> tuple[int, int]:
        """Entries held: ids, visitors."""
        return sum(len(g.seen) for g in self._ids), sum(len(g.rows) for g in self._visitors)

    def nbytes(self) -> tuple[int, int]:
        """Bytes held by them."""
        return (
            sum(g.seen.nbytes for g in self._ids),
            sum(g.rows.nbytes + g.latest.nbytes + g.sent.nbytes + g.members.nbytes for g in self._visitors),
        )

    def _may_roll(self, append_ms: int, pending: int) -> bool:
        """Whether a generation must begin before this block, or can't be excluded while `pending` events are not remembered yet."""
        plan = self._plan
        return (
            not self._ids
            or self._ids[-1].index != append_ms // plan.id_ms
            or self._visitors[-1].index != append_ms // plan.visit_ms
            or len(self._ids[-1].seen) + pending >= plan.ids_max
            or len(self._visitors[-1].rows) + pending >= plan.visitors_max
        )

    def _roll(self, append_ms: int) -> bool:
        """Begin the generations that are due; whether one of visitors began."""
        plan = self._plan
        index = append_ms // plan.id_ms
        if not self._ids or self._ids[-1].index != index or len(self._ids[-1].seen) >= plan.ids_max:
            begun_ms = append_ms if self._ids and self._ids[-1].index == index else index * plan.id_ms
            live = [generation for generation in self._ids if generation.index >= index - 1]
            self._ids = live[-1:]
            if len(live) > 1:  # one that time alone would have kept: its successor closed early
                self._ids_forgotten_ms = self._ids[0].begun_ms
            self._ids.append(_Ids(index, begun_ms, len(self._ids[-1].seen) if self._ids else 0))
        index = append_ms // plan.visit_ms
        last = self._visitors[-1] if self._visitors else None
        if last is not None and last.index == index and len(last.rows) < plan.visitors_max:
            return False
        oldest = index - (plan.visit_count - 1)
        kept = [generation for generation in self._visitors if generation.index >= oldest]
        self._visitors = kept[-(plan.visit_count - 1) :]
        if len(kept) > len(self._visitors):  # time alone would have kept it
            self._visitors_forgotten_ms = self._visitors[0].begun_ms
        start_ms = index * plan.visit_ms
        begun_ms = append_ms if last is not None and last.index == index else start_ms
        expected = len(last.rows) if last else 0
        self._visitors.append(_Visitors(index, start_ms, begun_ms, self._services, expected))
        return True

    def _find_new(self, ids: Keys) -> Mask:
        """Whether each id comes for the first time. A repeat is remembered like any event, also where an older generation knows it."""
        _rows, is_new = self._ids[-1].seen.add(ids)
        for generation in self._ids[:-1]:
            is_new &= generation.seen.find(ids) < 0
        return is_new

    def _find_visits(self, visitors: Keys, services: Keys, ts: Keys) -> tuple[Keys, Mask, Mask]:
        """The row of each event's visitor; whether the event lies a gap after the highest `ts` before it of its visitor, and of its
        visitor and service.
        """
        rows, since_visitor, since_service = self._visitors[-1].follow(visitors, services, ts)
        visits, service_visits = since_visitor >= VISIT_GAP_MS, since_service >= VISIT_GAP_MS
        for generation in reversed(self._visitors[:-1]):
            # A visitor is known for as long as any of its services: who starts a visit starts one of the service.
            open_ = nonzero(service_visits)
            if not open_.size:
                break
            since_visitor, since_service = generation.since(visitors[open_], services[open_], ts[open_])
            visits[open_] &= since_visitor >= VISIT_GAP_MS
            service_visits[open_] &= since_service >= VISIT_GAP_MS
        return rows, visits, service_visits
