"""A part of France: some regions, with their academies and projects. A past day cut down to it is summed up like any other. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from streams.catalog import Catalog
from streams.errors import InputError
from streams.history.day_columns import CutName, CutRows, Key, Sketches
from streams.history.reading import PastDay

#: Where the code that decides stands in the keys of each cut, and of which list it is.
_DECIDING = {
    CutName.REGION: (0, "region"),
    CutName.REGION_SERVICE: (0, "region"),
    CutName.PROFILE_REGION: (1, "region"),
    CutName.PROJECT: (0, "project"),
    CutName.ACADEMY: (0, "academy"),
}


@dataclass(frozen=True, slots=True)
class PartOfFrance:
    """`codes` by list (region, academy, project); `code` and `label` name it. A project of no region belongs to none."""

    code: str
    label: str
    codes: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, catalog: Catalog, regions: Collection[str]) -> PartOfFrance:
        """These regions.

        Raises:
            InputError: one of them does not exist.
        """
        known = {region.code: region for region in catalog.regions}
        if unknown := sorted(set(regions) - set(known)):
            raise InputError(f"--region {unknown[0]!r} is no region: give one of {', '.join(sorted(known))}")
        chosen = [known[code] for code in sorted(set(regions))]
        codes = {
            "region": frozenset(region.code for region in chosen),
            "academy": frozenset(academy.code for region in chosen for academy in region.academies),
            "project": frozenset(project.code for project in catalog.projects if project.region in regions),
        }
        names = [region.name for region in chosen]
        return cls(",".join(region.code for region in chosen), ", ".join(names), codes)

    def day(self, day: PastDay) -> PastDay:
        """What belongs to it of a day."""
        rows = {cut: self._rows(cut, found) for cut, found in day.rows.items()}
        sketches = Sketches(self._sketches(day.sketches.users), self._sketches(day.sketches.establishments))
        return replace(day, rows=rows, sketches=sketches)

    def _rows(self, cut: CutName, rows: CutRows) -> CutRows:
        place, name = _DECIDING[cut]
        mine = np.array([key[place] in self.codes[name] for key in rows.keys], bool)
        return rows.where(mine[rows.series]) if len(rows.series) else rows

    def _sketches(self, sketches: Mapping[Key, bytes]) -> dict[Key, bytes]:
        return {
            (scope, code): sketch
            for (scope, code), sketch in sketches.items()
            if code in self.codes["project" if scope == "project" else "region"]
        }
