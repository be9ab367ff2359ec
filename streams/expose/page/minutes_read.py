"""What the page's feed has read of the last hours, and which minutes it must read again. Pure.

A minute is *sure* once it was read after it had settled, from a Redis that has not gone back since; before that, what is held of it is a
part of it. Only late events change a sure minute: its signs (`streams.expose.codes.signs_of`) are looked at in turn, and it is read again
where they moved. So late events show within `WINDOW_MINUTES / IN_TURN_MINUTES` looks.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streams.count import Cut, Field
from streams.expose.codes import Codes
from streams.expose.scope import Scope
from streams.live import MinuteCounts, Snapshot

_Counts = Mapping[tuple[str, ...], int]
#: Sums over the codes of a cut that a scope leaves out: (cut, which of its codes are kept).
_SUMS = {
    "region events": (Cut.EVENTS, slice(0, 1)),
    "service events": (Cut.EVENTS, slice(1, 2)),
    "service visits": (Cut.SERVICE_VISITS, slice(1, 2)),
    "all events": (Cut.EVENTS, slice(0)),
    "all visits": (Cut.VISITS, slice(0)),
}
#: Which cuts or sums are the events and the visits of a scope, by its kind and whether it has a service.
_OF_SCOPE = {
    ("project", False): (Cut.PROJECT, Cut.VISIT_PROJECT),
    ("academy", False): (Cut.ACADEMY, Cut.VISIT_ACADEMY),
    ("region", True): (Cut.EVENTS, Cut.SERVICE_VISITS),
    ("region", False): ("region events", Cut.VISITS),
    ("france", True): ("service events", "service visits"),
    ("france", False): ("all events", "all visits"),
}
_CUTS = [name for pair in _OF_SCOPE.values() for name in pair if isinstance(name, Cut)]


@dataclass(frozen=True, slots=True)
class MinuteFigures:
    """Counts of one minute: by cut, or by the name of a sum, and codes."""

    by: Mapping[str, _Counts]
    late: int

    @classmethod
    def of(cls, minute: MinuteCounts, codes: Codes) -> "MinuteFigures":
        """From what Redis holds."""
        by: dict[str, _Counts] = {cut: codes.listed_counts(cut, minute.counts) for cut in _CUTS}
        by |= {name: _summed(by[cut], kept) for name, (cut, kept) in _SUMS.items()}
        return cls(by, sum(codes.listed_counts(Cut.LATE, minute.counts).values()))

    def of_scope(self, scope: Scope) -> tuple[int, int]:
        """Events and visits of a scope; with a service, the visits of that service."""
        events, visits = _OF_SCOPE[scope.kind, scope.service is not None]
        codes = tuple(filter(None, (scope.code, scope.service)))
        return self.by[events].get(codes, 0), self.by[visits].get(codes, 0)


def _summed(counts: _Counts, kept: slice) -> _Counts:
    sums: Counter[tuple[str, ...]] = Counter()
    for codes, number in counts.items():
        sums[codes[kept]] += number
    return sums


def added(figures: Iterable[MinuteFigures], cut: Cut) -> dict[tuple[str, ...], int]:
    """The counts of one cut over several minutes."""
    sums: Counter[tuple[str, ...]] = Counter()
    for minute in figures:
        sums.update(minute.by[cut])
    return sums


#: Minutes whose signs are looked at in turn at one look.
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
    """At each look: `look`, then fetch what `wanted` names, and of those `in_turn` what `has_moved`, then `take` it. `forget` after any
    look that was left out or failed.
    """

    def __init__(self, codes: Codes, signs: Sequence[Field]) -> None:
        self._codes = codes
        self._signs = signs
        #: Sure minutes, with their signs.
        self._sure: dict[int, list[int]] = {}
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
        """Which minutes to fetch whole, of those that Redis holds in the window, in order."""
        must = {
            minute
            for minute in held
            if minute not in self._sure and (minute < self.settled or minute not in self.figures)
        }
        must |= set([minute for minute in held if minute >= self.settled][-RUNNING_MINUTES:])
        return sorted(must)

    def in_turn(self, held: Sequence[int], wanted: Sequence[int]) -> list[int]:
        """Of which other minutes to look at the signs now."""
        others = sorted(set(held).difference(wanted))
        turn = {others[(self._turn + n) % len(others)] for n in range(min(IN_TURN_MINUTES, len(others)))}
        self._turn += IN_TURN_MINUTES
        return sorted(turn)

    def has_moved(self, minute: int, signs: Sequence[int]) -> bool:
        """Whether a minute with these signs must be read again."""
        return self._sure.get(minute) != signs

    def take(self, held: Sequence[int], minutes: Iterable[MinuteCounts]) -> bool:
        """Take what was fetched, and drop what is not held any more; whether a settled minute changed."""
        changed = False
        for minute in self.figures.keys() - set(held):
            changed |= minute < self.settled and minute >= min(held, default=0)
            del self.figures[minute]
            self._sure.pop(minute, None)
        for one in minutes:
            figures, is_settled = MinuteFigures.of(one, self._codes), one.minute < self.settled
            changed |= is_settled and self.figures.get(one.minute) != figures
            self.figures[one.minute] = figures
            if is_settled:
                self._sure[one.minute] = [one.counts.get(sign, 0) for sign in self._signs]
            for (project,), number in figures.by[Cut.PROJECT].items():
                if number and one.minute > self.last_seen.get(project, -1):
                    self.last_seen[project] = one.minute
        return changed
