"""Which establishments send events on a day, and what part of their region's use each project and academy has. Pure."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog
from streams.simulate.levels import Levels
from streams.simulate.population import Establishment, make_establishments, make_seats
from streams.simulate.scenario import ScenarioTraffic


@dataclass(frozen=True, slots=True)
class EstablishmentGroup:
    """Establishments (by number) of one region that share a project and an academy; `share` of the region's use."""

    project: str
    academy: str
    share: float
    establishments: NDArray[np.uint64]


class Establishments:
    """All establishments of a seed, by region, and the seats of their visitors."""

    def __init__(self, catalog: Catalog, traffic: ScenarioTraffic, seed: int) -> None:
        self.establishments: dict[str, list[Establishment]] = make_establishments(catalog, traffic, seed)
        self.seats = {code: make_seats(code, found, seed) for code, found in self.establishments.items()}
        self.parts: dict[str, list[EstablishmentGroup]] = {}
        number = 0
        for code, found in self.establishments.items():
            places = [(each.place.project, each.place.academy) for each in found]
            seats = Counter(places[index] for index in self.seats[code])
            self.parts[code] = []
            for place, size in sorted(Counter(places).items()):
                ids = np.arange(number, number + size, dtype=np.uint64)
                number += size
                project, academy = place
                share = seats[place] / len(self.seats[code])
                self.parts[code].append(EstablishmentGroup(project, academy or UNKNOWN, share, ids))

    def active(self, levels: Levels, region: str, day: datetime.date) -> Iterator[tuple[EstablishmentGroup, float]]:
        """The parts of a region that send on a day, and their use against that of the whole region on an ordinary day."""
        for part in self.parts[region]:
            if levels.is_active(day, part.project):
                yield part, part.share * levels.project_factor(day, part.project, region)

    def active_seats(self, levels: Levels, region: str, day: datetime.date) -> list[int]:
        """The seats of the establishments that send on a day."""
        places = self.establishments[region]
        return [index for index in self.seats[region] if levels.is_active(day, places[index].place.project)]
