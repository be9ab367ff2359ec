"""Fields from Redis brought onto the closed lists of this process.

A code in Redis that `config/` no longer lists is shown under `INCONNU`: sums stay right, and labels stay those of closed lists. The
counts in Redis are not touched; listing the code again shows it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from streams.catalog import UNKNOWN, Catalog
from streams.count import Cut, Field


@dataclass(frozen=True, slots=True)
class Codes:
    """For each cut, the codes that each further part of its fields may take; and all fields that follow from them."""

    known: Mapping[str, tuple[frozenset[str], ...]]
    fields: frozenset[Field]

    @classmethod
    def of(cls, catalog: Catalog) -> "Codes":
        """The codes of a catalog."""
        regions, services, projects = map(
            frozenset, (catalog.region_codes, catalog.service_codes, catalog.project_codes)
        )
        profiles, academies = frozenset(catalog.profile_codes), frozenset(catalog.academy_codes)
        known: dict[str, tuple[frozenset[str], ...]] = {
            Cut.EVENTS.value: (regions, services),
            Cut.PROJECT.value: (projects,),
            Cut.PROFILE.value: (profiles, regions),
            Cut.ACADEMY.value: (academies,),
            Cut.LATE.value: (regions,),
            Cut.VISITS.value: (regions,),
            Cut.VISIT_PROJECT.value: (projects,),
            Cut.VISIT_PROFILE.value: (profiles, regions),
            Cut.VISIT_ACADEMY.value: (academies,),
            Cut.SERVICE_VISITS.value: (regions, services),
        }
        return cls(known, frozenset((cut, *codes) for cut, lists in known.items() for codes in product(*lists)))

    def on_lists(self, counts: Mapping[Field, int]) -> Mapping[Field, int]:
        """The same counts, codes that are not listed under `INCONNU`. Nearly always there are none: then nothing is copied."""
        strange = [field for field in counts.keys() - self.fields if field[0] in self.known]
        if not strange:
            return counts
        found = dict(counts)
        for field in strange:
            number, told = found.pop(field), self._listed(field)
            found[told] = found.get(told, 0) + number
        return found

    def listed_counts(self, cut: Cut, counts: Mapping[Field, int]) -> dict[tuple[str, ...], int]:
        """Return the counts of one cut by its codes (without the cut), codes that are not listed under `INCONNU`."""
        found: dict[tuple[str, ...], int] = {}
        for field, number in counts.items():
            if field[0] == cut.value:
                codes = (field if field in self.fields else self._listed(field))[1:]
                found[codes] = found.get(codes, 0) + number
        return found

    def _listed(self, field: Field) -> Field:
        """The field, codes that are not listed as `INCONNU`."""
        known = zip(field[1:], self.known[field[0]], strict=True)
        return (field[0], *(code if code in listed else UNKNOWN for code, listed in known))


def signs_of(catalog: Catalog) -> list[Field]:
    """Counts of a minute that tell whether anything of it moved: every event adds to exactly one academy and one project."""
    academies = [(Cut.ACADEMY.value, code) for code in catalog.academy_codes]
    return [*academies, *((Cut.PROJECT.value, code) for code in catalog.project_codes)]


def written_labels(names: Sequence[str], codes: Sequence[str]) -> str:
    """`{region="44",service="NOTES"}`. Codes of closed lists hold nothing that would have to be escaped."""
    return "{" + ",".join(f'{name}="{code}"' for name, code in zip(names, codes, strict=True)) + "}"


@dataclass(frozen=True, slots=True)
class Lists:
    """The closed lists as labels: made once a process. `regions` and `pairs` (region, service) come with their written labels.

    `metrics_all`: metrics that no shipped board or rule reads are exposed, too.
    """

    catalog: Catalog
    codes: Codes
    regions: Mapping[tuple[str, ...], str]
    pairs: Mapping[tuple[str, ...], str]
    metrics_all: bool

    @classmethod
    def of(cls, catalog: Catalog, *, metrics_all: bool = False) -> "Lists":
        """The lists of a catalog."""
        pairs = product(catalog.region_codes, catalog.service_codes)
        return cls(
            catalog,
            Codes.of(catalog),
            {(region,): written_labels(("region",), (region,)) for region in catalog.region_codes},
            {pair: written_labels(("region", "service"), pair) for pair in pairs},
            metrics_all,
        )
