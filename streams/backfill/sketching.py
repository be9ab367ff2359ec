"""Distinct visitors and establishments of a day: HyperLogLogs that are Redis's own, so that they unite with those that Redis counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from streams.clock import paris_date
from streams.count import Delta, Sketch
from streams.history import hll
from streams.history.compose import SCHOOL_SCOPES, USER_SCOPES
from streams.history.day_columns import Key, Sketches


@dataclass(slots=True)
class SketchBook:
    """Takes the members that deltas name. Those of another date than `day` (a region's own day is not that of Paris) are kept under a scope
    that names it, `region:2026-09-02`: `of_date` finds them for that day.
    """

    day: date
    _users: dict[Key, hll.Registers] = field(default_factory=dict)
    _schools: dict[Key, hll.Registers] = field(default_factory=dict)

    def add(self, delta: Delta) -> None:
        """Take the members of one delta, all of whose minutes lie in the day."""
        for day, sketches in delta.day_sketches.items():
            for (kind, code), members in sketches.items():
                scope = USER_SCOPES[Sketch(kind)]
                own = day == self.day.isoformat()
                _add(self._users, (scope if own else f"{scope}:{day}", code), members)
        schools: dict[Key, set[str]] = {}
        for minute, sketches in delta.minute_sketches.items():
            assert paris_date(minute) == self.day
            for (kind, *codes), members in sketches.items():
                if kind in SCHOOL_SCOPES:
                    schools.setdefault((SCHOOL_SCOPES[Sketch(kind)], codes[0]), set()).update(members)
        for key, found in schools.items():
            _add(self._schools, key, sorted(found))

    def sketches(self) -> Sketches:
        """What was taken."""
        users = {key: hll.sketch_of(registers) for key, registers in self._users.items()}
        return Sketches(users, {key: hll.sketch_of(registers) for key, registers in self._schools.items()})


def _add(held: dict[Key, hll.Registers], key: Key, members: Sequence[str]) -> None:
    if key not in held:
        held[key] = hll.no_registers()
    hll.add(held[key], members)


def of_date(day: date, own: Iterable[Sketches], around: Iterable[Sketches]) -> Sketches:
    """The sketches of a day from those of its own parts and of the parts of the days before and after it."""
    users: dict[Key, list[bytes]] = {}
    schools: dict[Key, list[bytes]] = {}
    for parts, told in ((own, ""), (around, day.isoformat())):
        for part in parts:
            for (scope, code), sketch in part.users.items():
                name, _, of = scope.partition(":")
                if of == told:
                    users.setdefault((name, code), []).append(sketch)
    for part in own:
        for key, sketch in part.establishments.items():
            schools.setdefault(key, []).append(sketch)
    return Sketches(_united(users), _united(schools))


def _united(held: Mapping[Key, list[bytes]]) -> dict[Key, bytes]:
    return {key: sketches[0] if len(sketches) == 1 else hll.union(sketches) for key, sketches in held.items()}
