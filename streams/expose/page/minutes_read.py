"""What the page's feed has read of the last hours, and which minutes it must read again. Pure.

A minute is *sure* once it was read after it had settled, from a Redis that has not gone back since; before that, what is held of it is a
part of it. Only late events change a sure minute: all are read again in turn, so that those show within `WINDOW_MINUTES / IN_TURN_MINUTES`
looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streams.count import Cut
from streams.expose.codes import Codes
from streams.expose.page.last_hours import MinuteFigures
from streams.live import MinuteCounts, Snapshot

#: Minutes read again in turn at one look.
IN_TURN_MINUTES = 10
#: Running minutes that are read at every look, the latest; more of them (partitions far apart, a stuck one) take their turn.
RUNNING_MINUTES = 30


@dataclass(frozen=True, slots=True)
class _Stand:
    """How far Redis was at a look."""

    topic_id: str | None
    settled_ms: int
    offsets: dict[int, int]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Stand:
        offsets = {number: state.next_offset for number, state in snapshot.offsets.items()}
        return cls(snapshot.topic_id, snapshot.settled_ms or 0, offsets)

    def lies_behind(self, other: _Stand) -> bool:
        """Whether Redis was emptied, restored from an older copy, or another one took its place since `other`."""
        return (
            self.topic_id != other.topic_id
            or self.settled_ms < other.settled_ms
            or any(self.offsets.get(number, -1) < offset for number, offset in other.offsets.items())
        )


class MinutesRead:
    """At each look: `look`, then fetch what `wanted` names, then `take` it. `forget` after any look that was left out or failed."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self._sure: set[int] = set()
        self._turn = 0
        self._stand: _Stand | None = None
        #: Epoch minute -> what was read of it last.
        self.figures: dict[int, MinuteFigures] = {}
        #: ENT -> epoch minute of its last event, as far as it was read.
        self.last_seen: dict[str, int] = {}

    def forget(self) -> None:
        """Nothing that was read is sure any more: all of it is read again."""
        self._sure.clear()
        self.figures.clear()
        self.last_seen.clear()
        self._stand = None

    def look(self, snapshot: Snapshot) -> bool:
        """Begin a look; minutes are fetched after this snapshot, so what it says is settled is whole when it is read.

        Returns whether nothing is known from before.
        """
        stand = _Stand.of(snapshot)
        if self._stand is not None and stand.lies_behind(self._stand):
            self.forget()
        is_first = self._stand is None
        self._stand = stand
        return is_first

    @property
    def settled(self) -> int:
        """The first epoch minute that is not settled; 0 where none is."""
        return self._stand.settled_ms // 60_000 if self._stand else 0

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
