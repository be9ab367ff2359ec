"""Fields from Redis brought onto the closed lists of this process.

A code in Redis that `config/` no longer lists is shown under `INCONNU`: sums stay right, and labels stay those of closed lists. The
counts in Redis are not touched; listing the code again shows it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from streams.catalog import UNKNOWN, Catalog
from streams.count import Cut, Field


@dataclass(frozen=True, slots=True)
class Codes:
    """For each cut, the codes that each further part of its fields may take, and all that they may take together."""

    known: Mapping[str, tuple[frozenset[str], ...]]
    complete: Mapping[str, frozenset[tuple[str, ...]]]
    fields: frozenset[Field]

    @classmethod
    def of(cls, catalog: Catalog) -> Codes:
        """The codes of a catalog."""
        regions = frozenset(catalog.region_codes)
        services = frozenset(catalog.service_codes)
        projects = frozenset(catalog.project_codes)
        profiles = frozenset(catalog.profile_codes)
        academies = frozenset(catalog.academy_codes)
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
        fields = frozenset((cut, *codes) for cut, lists in known.items() for codes in product(*lists))
        return cls(known, {cut: frozenset(product(*lists)) for cut, lists in known.items()}, fields)

    def on_lists(self, counts: Mapping[Field, int]) -> Mapping[Field, int]:
        """The same counts, codes that are not listed under `INCONNU`. Nearly always there are none: then nothing is copied."""
        strange = [field for field in counts.keys() - self.fields if field[0] in self.known]
        if not strange:
            return counts
        found = dict(counts)
        for field in strange:
            number = found.pop(field)
            listed = zip(field[1:], self.known[field[0]], strict=True)
            told = (field[0], *(code if code in known else UNKNOWN for code, known in listed))
            found[told] = found.get(told, 0) + number
        return found

    def listed_counts(self, cut: Cut, counts: Mapping[Field, int]) -> dict[tuple[str, ...], int]:
        """Return the counts of one cut by its codes (without the cut), codes that are not listed under `INCONNU`."""
        known, complete = self.known[cut.value], self.complete[cut.value]
        mark = cut.value
        found: dict[tuple[str, ...], int] = {}
        for field, number in counts.items():
            if field[0] != mark:
                continue
            codes = field[1:]
            if codes not in complete:
                codes = tuple(code if code in listed else UNKNOWN for code, listed in zip(codes, known, strict=True))
            found[codes] = found.get(codes, 0) + number
        return found
