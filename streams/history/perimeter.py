"""What changed between two sides but the use: projects that joined, left or were silent. Pure.

Growth is reported like with like: without the projects that changed. By region they are taken off; by service and profile, of which no
figure by project exists, the regions that hold them are left out; an academy that holds one has no growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from streams.catalog import UNKNOWN, Catalog
from streams.history.side import Side

#: On a day on which the other side has at least so many visits, none is silence and not chance.
VISITS_EXPECTED_MIN = 20
#: Establishments seen may differ by this part before it is told.
ESTABLISHMENTS_SHARE = 0.05


class Change(StrEnum):
    """How a project changed."""

    JOINED = "joined"  # only on the later side
    LEFT = "left"  # only on the earlier one
    SILENT = "silent"  # on both, but silent on days on which the other side is not


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """A project that is not compared. `days` are those on which only one side has it, of the later side."""

    project: str
    change: Change
    days: tuple[date, ...]
    visits: int
    visits_then: int


@dataclass(frozen=True, slots=True)
class Perimeter:
    """What is compared. `regions` hold a project that changed; `anywhere`: one that has no region of its own changed."""

    changes: tuple[ProjectChange, ...]
    regions: frozenset[str]
    academies: frozenset[str]
    anywhere: bool
    establishments: int | None
    establishments_then: int | None

    @property
    def is_same(self) -> bool:
        """Whether both sides have the same projects."""
        return not self.changes

    @property
    def projects(self) -> frozenset[str]:
        """The projects that changed."""
        return frozenset(change.project for change in self.changes)


def find_perimeter(now: Side, then: Side, catalog: Catalog) -> Perimeter:
    """Compare who sends on both sides, day by day."""
    known = {project.code: project for project in catalog.projects}
    codes = sorted({*now.codes("project"), *then.codes("project")} - {UNKNOWN})
    changes = [] if then.estimated else [change for code in codes if (change := _change(code, now, then))]
    changed = [known[change.project] for change in changes if change.project in known]
    regions = frozenset(project.region for project in changed if project.region)
    academies = frozenset(
        academy.code
        for project in changed
        for region in catalog.regions
        if region.code == project.region
        for academy in region.academies
        if not project.departements or set(project.departements) & set(academy.departements)
    )
    return Perimeter(
        tuple(changes),
        regions,
        academies,
        anywhere=any(project.region is None for project in changed),
        establishments=now.establishments.get(("national", "FR")),
        establishments_then=then.establishments.get(("national", "FR")),
    )


def _change(code: str, now: Side, then: Side) -> ProjectChange | None:
    mine, other = now.sum_of("project", code).by_day, then.sum_of("project", code).by_day
    if len(mine) != len(other):
        return None
    one_sided = ((mine == 0) & (other >= VISITS_EXPECTED_MIN)) | ((other == 0) & (mine >= VISITS_EXPECTED_MIN))
    one_sided &= _with_data(now) & _with_data(then)
    if not one_sided.any():
        return None
    days = tuple(day for day, hit in zip(now.days, one_sided.tolist(), strict=True) if hit)
    kind = Change.JOINED if not other.any() else Change.LEFT if not mine.any() else Change.SILENT
    return ProjectChange(code, kind, days, int(mine.sum()), int(other.sum()))


def _with_data(side: Side) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    missing: Sequence[date] = side.quality.days_without_data if side.quality else ()
    return np.array([day not in missing for day in side.days], bool)


@dataclass(frozen=True, slots=True)
class Compared:
    """Visits of both sides that are compared; None where nothing can be."""

    now: int
    then: int

    @property
    def growth(self) -> float | None:
        """now / then - 1; None without visits then."""
        return self.now / self.then - 1 if self.then > 0 else None


def like_with_like(
    by: str, code: str, now: Side, then: Side, perimeter: Perimeter, catalog: Catalog
) -> Compared | None:
    """The visits of a code that can be compared, on both sides."""
    if by in ("national", "region"):
        return Compared(*(_without_projects(by, code, side, perimeter, catalog) for side in (now, then)))
    if by == "project" and code in perimeter.projects:
        return None
    if by == "academy" and code in perimeter.academies:
        return None
    if by in ("service", "family", "group"):
        members = _services(by, code, catalog)
        return Compared(*(_of_regions(side.service_visits, members, perimeter) for side in (now, then)))
    if by == "profile":
        return Compared(*(_of_regions(side.profile_visits, {code}, perimeter) for side in (now, then)))
    return Compared(now.sum_of(by, code).visits, then.sum_of(by, code).visits)


def _without_projects(by: str, code: str, side: Side, perimeter: Perimeter, catalog: Catalog) -> int:
    region_of = {project.code: project.region for project in catalog.projects}
    gone = [p for p in perimeter.projects if by == "national" or region_of.get(p) == code]
    return side.sum_of(by, code).visits - sum(side.sum_of("project", project).visits for project in gone)


def _services(by: str, code: str, catalog: Catalog) -> set[str]:
    if by == "family":
        known = {service.code for service in catalog.services if service.family == code}
        return known or {code}
    return set(catalog.published_groups[code]) if by == "group" else {code}


def _of_regions(visits: dict[tuple[str, ...], int], members: set[str], perimeter: Perimeter) -> int:
    return sum(n for (region, code), n in visits.items() if code in members and region not in perimeter.regions)
