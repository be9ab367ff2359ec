"""What a partition's counter remembers: ids (duplicates), and the latest `ts` of each visitor and of each visitor and service (visits).

The memory is a pure function of a bounded tail of the log. It is kept in *generations* aligned to append time (`append_ms // G`); a
generation holds only what was seen in it, nothing is carried over, and a look-up takes the highest over the live generations. Hence a
worker that reads the tail again (from `rewind_start_ms`) knows exactly what the one before it knew: a restart changes no figure. Ways
that carry entries over, or expire them one by one, do not have that property (docs/decisions/0005-generations.md).

A generation that reaches its limit of entries closes early: a younger one of the same aligned number begins, and the oldest falls out
of the `k` that are looked up. Memory is bounded, the same log closes the same generations, and the shorter window is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress, repeat
from operator import xor

from streams.events import VisitEvent

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
    strongest storm of docs (36,000 events/s over 8 partitions) stays below both.
    """

    visit_ms: int
    visit_count: int = VISIT_GENERATIONS
    id_ms: int = DEDUPE_MS_MIN
    ids_max: int = 4_000_000
    visitors_max: int = 4_000_000

    @classmethod
    def covering(cls, ahead_ms: int, lateness_ms: int) -> MemoryPlan:
        """The plan for these bounds of `ts`: generations of whole steps of 10 s."""
        needed = VISIT_GAP_MS + ahead_ms + lateness_ms
        return cls(visit_ms=-(-needed // ((VISIT_GENERATIONS - 1) * STEP_MS)) * STEP_MS)

    def rewind_start_ms(self, append_ms: int) -> int:
        """The append time from which the log must be read again to know what is known at `append_ms`."""
        visits = (append_ms // self.visit_ms - (self.visit_count - 1)) * self.visit_ms
        ids = (append_ms // self.id_ms - 1) * self.id_ms
        return max(0, min(visits, ids))


class _Ids:
    """One generation of ids, as 64-bit hashes: 82 bytes each instead of 114 as strings."""

    __slots__ = ("begun_ms", "index", "seen")

    def __init__(self, index: int, begun_ms: int) -> None:
        self.index = index
        self.begun_ms = begun_ms
        self.seen: set[int] = set()


class _Visitors:
    """One generation of visitors: latest `ts` by visitor, and by visitor and service."""

    __slots__ = ("index", "latest", "latest_by_service")

    def __init__(self, index: int) -> None:
        self.index = index
        self.latest: dict[int, int] = {}
        self.latest_by_service: dict[int, int] = {}


@dataclass(frozen=True, slots=True)
class Judged:
    """What one batch's events are: those that count (no repeats), and of them those that start a visit, and a visit of their service."""

    fresh: list[VisitEvent]
    visits: list[VisitEvent]
    service_visits: list[VisitEvent]


class Memory:
    """The memory of one partition."""

    def __init__(self, plan: MemoryPlan, service_codes: Iterable[str]) -> None:
        self._plan = plan
        self._ids: list[_Ids] = []
        self._visitors: list[_Visitors] = []
        #: Append time (ms) below which ids were forgotten because a generation closed early.
        self._ids_forgotten_ms = 0
        # A visitor and a service are one key: the visitor's hash with the service's mixed in. Codes that are not listed are one service.
        self._service_salts = {code: hash(("service", code)) for code in service_codes}
        self._other_salt = hash(("service", None))

    def judge(self, events: list[VisitEvent], append_ms: int) -> Judged:
        """Remember the events of one batch, in order, and say what they are. `append_ms` never goes back."""
        self._roll(append_ms)
        is_fresh = self._find_repeats(events)
        visits, service_visits = self._find_visits(events, is_fresh)
        fresh = events if is_fresh is None else list(compress(events, is_fresh))
        return Judged(fresh, visits, service_visits)

    def window_ms(self, append_ms: int) -> int:
        """How far back ids are remembered at this append time; shorter than planned where a generation closed early."""
        planned = (append_ms // self._plan.id_ms - 1) * self._plan.id_ms
        return append_ms - max(planned, self._ids_forgotten_ms) if self._ids else 0

    def sizes(self) -> tuple[int, int, int]:
        """Entries held: ids, visitors, visitors by service."""
        return (
            sum(len(g.seen) for g in self._ids),
            sum(len(g.latest) for g in self._visitors),
            sum(len(g.latest_by_service) for g in self._visitors),
        )

    def _roll(self, append_ms: int) -> None:
        plan = self._plan
        index = append_ms // plan.id_ms
        if not self._ids or self._ids[-1].index != index or len(self._ids[-1].seen) >= plan.ids_max:
            begun_ms = append_ms if self._ids and self._ids[-1].index == index else index * plan.id_ms
            live = [generation for generation in self._ids if generation.index >= index - 1]
            self._ids = live[-1:]
            if len(live) > 1:  # one that time alone would have kept: its successor closed early
                self._ids_forgotten_ms = self._ids[0].begun_ms
            self._ids.append(_Ids(index, begun_ms))
        index = append_ms // plan.visit_ms
        last = self._visitors[-1] if self._visitors else None
        if last is None or last.index != index or len(last.latest_by_service) >= plan.visitors_max:
            oldest = index - (plan.visit_count - 1)
            self._visitors = [g for g in self._visitors if g.index >= oldest][-(plan.visit_count - 1) :]
            self._visitors.append(_Visitors(index))

    def _find_repeats(self, events: list[VisitEvent]) -> list[bool] | None:
        """For each event whether it is no repeat; None, the usual case, when none is."""
        current = self._ids[-1].seen
        before = self._ids[0].seen if len(self._ids) > 1 else frozenset()
        names = [hash(event.id) for event in events]
        found = set(names)
        if len(found) == len(names) and found.isdisjoint(current) and found.isdisjoint(before):
            current |= found
            return None
        is_fresh = []
        for name in names:
            is_fresh.append(name not in current and name not in before)
            current.add(name)  # also where an older generation knows it: a repeat is remembered like any event
        return is_fresh

    def _find_visits(
        self, events: list[VisitEvent], is_fresh: list[bool] | None
    ) -> tuple[list[VisitEvent], list[VisitEvent]]:
        current = self._visitors[-1]
        latest, latest_by_service = current.latest, current.latest_by_service
        older = [generation.latest for generation in self._visitors[:-1]]
        older_by_service = [generation.latest_by_service for generation in self._visitors[:-1]]
        salts = self._service_salts
        other = self._other_salt
        visits: list[VisitEvent] = []
        service_visits: list[VisitEvent] = []
        visitors = [hash(event.visitor) for event in events]
        pairs = map(xor, visitors, [salts.get(event.service, other) for event in events])  # type: ignore[arg-type]  # None is no code
        known_of = latest_by_service.get
        for event, ts, visitor, pair, counts in zip(
            events,
            [event.ts for event in events],
            visitors,
            pairs,
            repeat(True) if is_fresh is None else is_fresh,
            strict=False,
        ):
            known = known_of(pair)
            if known is not None and ts - known < VISIT_GAP_MS:
                # The visitor was seen no later ago than the visitor with this service: neither visit is new.
                if ts > known:
                    latest_by_service[pair] = ts
                    if ts > latest[visitor]:
                        latest[visitor] = ts
                continue
            if counts and ((not older_by_service and known is None) or _is_new(ts, known, pair, older_by_service)):
                service_visits.append(event)
            if known is None or ts > known:
                latest_by_service[pair] = ts
            known = latest.get(visitor)
            if known is None or ts - known >= VISIT_GAP_MS:
                if counts and _is_new(ts, known, visitor, older):
                    visits.append(event)
                latest[visitor] = ts
            elif ts > known:
                latest[visitor] = ts
        return visits, service_visits


def _is_new(ts: int, known: int | None, key: int, older: list[dict[int, int]]) -> bool:
    """Whether `ts` lies a gap after the highest of the live generations (`known` is the current one's), or nothing is known."""
    if known is not None and ts - known < VISIT_GAP_MS:
        return False
    for generation in older:
        highest = generation.get(key)
        if highest is not None and ts - highest < VISIT_GAP_MS:
            return False
    return True
