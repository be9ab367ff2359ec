"""Cells: where an event counts, as one integer, so that counting a second of traffic is one `Counter.update` of integers."""

from __future__ import annotations

from dataclasses import dataclass

from streams.catalog import UNKNOWN


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
