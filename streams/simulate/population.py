"""Who makes the traffic: establishments with valid UAI in the right departements, their projects, the visitors attached to them, and
which of all these send events on a day. Pure.

Visitors are not stored. A visitor of a region is two numbers; a keyed hash of them gives its establishment, profile and pseudonym.
Millions of visitors cost no memory, and all processes of one seed know the same people.
"""

import datetime
import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog, Profile, Region, make_uai
from streams.errors import SettingsError
from streams.simulate.levels import Levels
from streams.simulate.scenario import ScenarioTraffic
from streams.simulate.step import Cells, CountedPlace

#: Establishments are of 1 to this many sizes: the largest has that many times the visitors of the smallest.
SIZES = 6
#: Length of the table by which profiles are drawn: a share of 0.001 still has an entry.
_PROFILE_TABLE = 1000
#: A departement's establishments are numbered with four digits.
NUMBERS = 10_000


@dataclass(frozen=True, slots=True)
class Establishment:
    """A school: its number and where its events count."""

    uai: str
    departement: str
    place: CountedPlace


class SimulatedVisit(NamedTuple):
    """What the events of one visit have in common, as bytes ready to be sent; `cell` is that of the first service."""

    place: bytes
    profile: bytes
    visitor: bytes
    cell: int


class RegionPopulation:
    """The visitors of one region, at the establishments of those `seats` (see `make_seats`)."""

    def __init__(
        self,
        region: Region,
        establishments: list[Establishment],
        seats: list[int],
        *,
        profiles: list[str],
        cells: Cells,
        secret: bytes,
    ) -> None:
        self.region = region
        self.establishments = establishments
        self._seats = seats
        self._profiles = profiles
        self._secret = secret
        self._place_bytes = [f'"project":"{item.place.project}","uai":"{item.uai}"'.encode() for item in establishments]
        self._profile_bytes = {code: f'"profile":"{code}"'.encode() for code in set(profiles)}
        self._cells = [
            {code: cells.number(item.place, code) for code in self._profile_bytes} for item in establishments
        ]

    def visit(self, slot: int, number: int) -> SimulatedVisit:
        """A visit of visitor `number` of a `slot`: the same two numbers are the same person."""
        name = b"%s/%d/%d" % (self.region.code.encode(), slot, number)
        digest = hashlib.blake2b(name, digest_size=20, key=self._secret).digest()
        index = self._seats[int.from_bytes(digest[12:16], "little") % len(self._seats)]
        profile = self._profiles[int.from_bytes(digest[16:], "little") % _PROFILE_TABLE]
        return SimulatedVisit(
            self._place_bytes[index],
            self._profile_bytes[profile],
            digest[:12].hex().encode(),
            self._cells[index][profile],
        )


def make_seats(region: str, establishments: list[Establishment], seed: int) -> list[int]:
    """One entry a seat, the place of its establishment in the list: one of size 3 has three, so it has three times the visitors."""
    rng = random.Random(f"seats/{seed}/{region}")
    return [index for index in range(len(establishments)) for _ in range(rng.randint(1, SIZES))]


def make_establishments(catalog: Catalog, traffic: ScenarioTraffic, seed: int) -> dict[str, list[Establishment]]:
    """Region code -> its establishments, by the regions' weights. Deterministic.

    Raises:
        SettingsError: a region has more establishments than its departements have numbers, or lacks a project.
    """
    rng = random.Random(f"establishments/{seed}")
    regions = [region for region in catalog.regions if region.weight > 0]
    total = sum(region.weight for region in regions)
    national = [project.code for project in catalog.projects if project.region is None]
    found: dict[str, list[Establishment]] = {}
    for region in regions:
        count = max(traffic.establishments_per_region_min, round(traffic.establishments * region.weight / total))
        held = [(departement, academy.code) for academy in region.academies for departement in academy.departements]
        if not held or count > len(held) * NUMBERS:
            raise SettingsError(f"region {region.code} cannot hold {count} establishments: lower `establishments`")
        made = found[region.code] = []
        for index, (departement, academy) in enumerate(held):
            share = (count - index + len(held) - 1) // len(held)  # the shares of all departements add up to `count`
            for number in rng.sample(range(NUMBERS), share):
                project = _project(catalog, traffic, region.code, departement=departement, national=national, rng=rng)
                made.append(
                    Establishment(
                        make_uai(departement, number), departement, CountedPlace(region.code, academy, project)
                    )
                )
    return found


def _project(
    catalog: Catalog,
    traffic: ScenarioTraffic,
    region: str,
    *,
    departement: str,
    national: list[str],
    rng: random.Random,
) -> str:
    local = [p.code for p in catalog.projects if p.region == region and departement in p.departements]
    regional = [p.code for p in catalog.projects if p.region == region and not p.departements]
    draw = rng.random()
    if national and (draw < traffic.national_project_share or not (local or regional)):
        return rng.choice(national)
    if not (local or regional):
        raise SettingsError(
            f"projects.yaml: no project for departement {departement} of region {region}, and none without a region"
        )
    if local and regional:
        return rng.choice(local if rng.random() < traffic.departement_project_share else regional)
    return rng.choice(local or regional)


def profile_table(profiles: tuple[Profile, ...], seed: int) -> list[str]:
    """`_PROFILE_TABLE` profile codes by their shares, shuffled."""
    total = sum(profile.share for profile in profiles)
    counts = [round(profile.share / total * _PROFILE_TABLE) for profile in profiles]
    counts[counts.index(max(counts))] += _PROFILE_TABLE - sum(counts)
    entries = [profile.code for profile, count in zip(profiles, counts, strict=True) for _ in range(count)]
    random.Random(f"profiles/{seed}").shuffle(entries)
    return entries


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
            for (project, academy), size in sorted(Counter(places).items()):
                ids = np.arange(number, number + size, dtype=np.uint64)
                number += size
                share = seats[project, academy] / len(self.seats[code])
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
