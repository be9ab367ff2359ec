"""What the page's feed has read of the last hours, and which minutes it must read again. Pure.

A minute is *sure* once it was read after it had settled, from a Redis that has not gone back since; before that, what is held of it is a
part of it. Only late events change a sure minute: all are read again in turn, so that those show within `WINDOW_MINUTES / IN_TURN_MINUTES`
looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streams.count import Cut
from streams.expose.codes import Codes
from streams.expose.scope import Scope
from streams.live import MinuteCounts, Snapshot

_Counts = Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class MinuteFigures:
    """Counts of one minute by cut and codes; `all_events` and `all_visits` are France's."""

    by: Mapping[Cut, _Counts]
    region_events: Mapping[str, int]
    service_events: Mapping[str, int]
    service_visits: Mapping[str, int]
    all_events: int
    all_visits: int
    late: int

    @classmethod
    def of(cls, minute: MinuteCounts, codes: Codes) -> MinuteFigures:
        """From what Redis holds."""
        cuts = (
            Cut.EVENTS,
            Cut.VISITS,
            Cut.SERVICE_VISITS,
            Cut.PROJECT,
            Cut.VISIT_PROJECT,
            Cut.ACADEMY,
            Cut.VISIT_ACADEMY,
        )
        by = {cut: codes.listed_counts(cut, minute.counts) for cut in cuts}
        events, visits = by[Cut.EVENTS], by[Cut.VISITS]
        return cls(
            by,
            _summed(events, 0),
            _summed(events, 1),
            _summed(by[Cut.SERVICE_VISITS], 1),
            sum(events.values()),
            sum(visits.values()),
            sum(codes.listed_counts(Cut.LATE, minute.counts).values()),
        )

    def of_scope(self, scope: Scope) -> tuple[int, int]:
        """Events and visits of a scope; with a service, the visits of that service."""
        if scope.kind == "project":
            return self._pair(Cut.PROJECT, Cut.VISIT_PROJECT, (scope.code,))
        if scope.kind == "academy":
            return self._pair(Cut.ACADEMY, Cut.VISIT_ACADEMY, (scope.code,))
        if scope.kind == "region" and scope.service:
            return self._pair(Cut.EVENTS, Cut.SERVICE_VISITS, (scope.code, scope.service))
        if scope.kind == "region":
            return self.region_events.get(scope.code, 0), self.by[Cut.VISITS].get((scope.code,), 0)
        if scope.service:
            return self.service_events.get(scope.service, 0), self.service_visits.get(scope.service, 0)
        return self.all_events, self.all_visits

    def _pair(self, events: Cut, visits: Cut, codes: tuple[str, ...]) -> tuple[int, int]:
        return self.by[events].get(codes, 0), self.by[visits].get(codes, 0)


def _summed(counts: _Counts, position: int) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for codes, number in counts.items():
        sums[codes[position]] += number
    return sums


def added(figures: Iterable[MinuteFigures], cut: Cut) -> dict[tuple[str, ...], int]:
    """The counts of one cut over several minutes."""
    sums: Counter[tuple[str, ...]] = Counter()
    for minute in figures:
        sums.update(minute.by[cut])
    return sums


#: Minutes read again in turn at one look.
IN_TURN_MINUTES = 10
#: Running minutes that are read at every look, the latest; more of them (partitions far apart, a stuck one) take their turn.
RUNNING_MINUTES = 30


def _lies_behind(now: Snapshot, then: Snapshot) -> bool:
    """Whether Redis was emptied, restored from an older copy, or another one took its place since `then`."""
    offsets = {number: state.next_offset for number, state in now.offsets.items()}
    return (
        now.topic_id != then.topic_id
        or (now.settled_ms or 0) < (then.settled_ms or 0)
        or any(offsets.get(number, -1) < state.next_offset for number, state in then.offsets.items())
    )


class MinutesRead:
    """At each look: `look`, then fetch what `wanted` names, then `take` it. `forget` after any look that was left out or failed."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self._sure: set[int] = set()
        self._turn = 0
        self._before: Snapshot | None = None
        #: Epoch minute -> what was read of it last.
        self.figures: dict[int, MinuteFigures] = {}
        #: ENT -> epoch minute of its last event, as far as it was read.
        self.last_seen: dict[str, int] = {}

    def forget(self) -> None:
        """Nothing that was read is sure any more: all of it is read again."""
        self._sure.clear()
        self.figures.clear()
        self.last_seen.clear()
        self._before = None

    def look(self, snapshot: Snapshot) -> bool:
        """Begin a look; minutes are fetched after this snapshot, so what it says is settled is whole when it is read.

        Returns whether nothing is known from before.
        """
        if self._before is not None and _lies_behind(snapshot, self._before):
            self.forget()
        is_first = self._before is None
        self._before = snapshot
        return is_first

    @property
    def settled(self) -> int:
        """The first epoch minute that is not settled; 0 where none is."""
        return (self._before.settled_ms or 0) // 60_000 if self._before else 0

    def wanted(self, held: Sequence[int]) -> list[int]:
        """Which minutes to fetch, of those that Redis holds in the window, in order."""
        must = {
            minute
            for minute in held
            if minute not in self._sure and (minute < self.settled or minute not in self.figures)
        }
        must |= set([minute for minute in held if minute >= self.settled][-RUNNING_MINUTES:])
        others = [minute for minute in held if minute not in must]
        turn = {others[(self._turn + n) % len(others)] for n in range(min(IN_TURN_MINUTES, len(others)))}
        self._turn += IN_TURN_MINUTES
        return sorted(must | turn)

    def take(self, held: Sequence[int], minutes: Iterable[MinuteCounts]) -> bool:
        """Take what was fetched, and drop what is not held any more; whether a settled minute changed."""
        changed = False
        for minute in self.figures.keys() - set(held):
            changed |= minute < self.settled and minute >= min(held, default=0)
            del self.figures[minute]
            self._sure.discard(minute)
        for one in minutes:
            figures, is_settled = MinuteFigures.of(one, self._codes), one.minute < self.settled
            changed |= is_settled and self.figures.get(one.minute) != figures
            self.figures[one.minute] = figures
            if is_settled:
                self._sure.add(one.minute)
            for (project,), number in figures.by[Cut.PROJECT].items():
                if number and one.minute > self.last_seen.get(project, -1):
                    self.last_seen[project] = one.minute
        return changed
