"""What the generator hands over for one second of traffic, and the cells in which its events count. Plain values.

A cell is one integer, so that counting a second of traffic is one `Counter.update` of integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.catalog import UNKNOWN
from streams.events import Reason


@dataclass(frozen=True, slots=True)
class CountedPlace:
    """Where an establishment counts; each member is a code, `INCONNU` for one the chain cannot know."""

    region: str
    academy: str
    project: str


class Cells:
    """Numbers (place, profile, service) triples; places are registered as they appear, the other two lists are closed."""

    def __init__(self, profiles: tuple[str, ...], services: tuple[str, ...]) -> None:
        self.profiles = (*profiles, UNKNOWN)
        self.services = (*services, UNKNOWN)
        self._places: list[CountedPlace] = []
        self._numbers: dict[CountedPlace, int] = {}

    def number(self, place: CountedPlace, profile: str = "", service: str = "") -> int:
        """The cell of a triple; without a service (or profile) the first cell of the place, to which their indices are added."""
        if place not in self._numbers:
            self._numbers[place] = len(self._places)
            self._places.append(place)
        number = self._numbers[place] * len(self.profiles)
        if profile:
            number += self.profiles.index(profile)
        return number * len(self.services) + (self.services.index(service) if service else 0)

    def names(self, cell: int) -> tuple[CountedPlace, str, str]:
        """The place, profile code and service code of a cell."""
        rest, service = divmod(cell, len(self.services))
        place, profile = divmod(rest, len(self.profiles))
        return self._places[place], self.profiles[profile], self.services[service]


@dataclass(frozen=True, slots=True)
class Special:
    """A record that is not simply counted in its step's minute: a repeat, a delayed event (`reason` None), or a broken one."""

    key: bytes | None
    value: bytes
    minute: int = 0
    cell: int = 0
    repeat: bool = False
    reason: Reason | None = None


@dataclass(slots=True)
class Step:
    """One second of the clock: `specials` first (what was held back is older), then the regular events in the order of their `ts`.

    `keys`, `values` and `cells` go together; all regular events lie in the epoch minute `minute`.
    """

    second: int
    minute: int
    specials: list[Special]
    keys: list[bytes]
    values: list[bytes]
    cells: list[int]

    def __len__(self) -> int:
        return len(self.specials) + len(self.values)

    def cut(self, number: int) -> Step:
        """The first `number` records of the step."""
        regular = max(0, number - len(self.specials))
        return Step(
            self.second,
            self.minute,
            self.specials[:number],
            self.keys[:regular],
            self.values[:regular],
            self.cells[:regular],
        )
