"""What changed between two sides but the use: projects that joined, left or were silent. Pure.

Growth is reported like with like: without the projects that changed. By region they are taken off. Services and profiles have no figures by
project: of each the share is taken off that those projects have in a region's visits. An academy that holds one has no growth.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog
from streams.history.day_columns import CutName, Key
from streams.history.side import Extent, Side

#: On a day on which the other side has at least so many visits, none is silence and not chance.
VISITS_EXPECTED_MIN = 20
#: What has no figures by project: the share of those that changed is taken off.
BY_SHARE = ("service", "family", "group", "profile")


class ChangeKind(StrEnum):
    """How a project changed."""

    JOINED = "joined"  # only on the later side
    LEFT = "left"  # only on the earlier one
    SILENT = "silent"  # on both, but silent on days on which the other side is not


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """A project that is not compared. `days` are those on which only one side has it, of the later side."""

    project: str
    change: ChangeKind
    days: tuple[date, ...]
    visits: int
    visits_then: int


@dataclass(frozen=True, slots=True)
class Perimeter:
    """What is compared. `academies` hold a project that changed; `anywhere`: one changed that has no region of its own, so that no region
    can be told without it.

    `is_known` is False where figures by project are missing on a side.
    """

    changes: tuple[ProjectChange, ...]
    academies: frozenset[str]
    anywhere: bool
    establishments: int | None
    establishments_then: int | None
    is_known: bool

    @property
    def is_same(self) -> bool | None:
        """Whether both sides have the same projects, None where that is not known."""
        return not self.changes if self.is_known else None

    @property
    def projects(self) -> frozenset[str]:
        """The projects that changed."""
        return frozenset(change.project for change in self.changes)


def find_perimeter(now: Side, then: Side, catalog: Catalog, extents: Mapping[CutName, Extent]) -> Perimeter:
    """Compare who sends on both sides, day by day."""
    known = {project.code: project for project in catalog.projects}
    codes = sorted({*now.codes("project"), *then.codes("project")} - {UNKNOWN})
    by_project = extents[CutName.PROJECT]
    inside = np.isin(np.arange(len(now.days)), by_project.day_numbers)
    changes = [change for code in codes if (change := _change(code, now, then, inside))]
    changed = [known[change.project] for change in changes if change.project in known]
    academies = frozenset(
        academy.code
        for project in changed
        for region in catalog.regions
        if region.code == project.region
        for academy in region.academies
        if not project.departements or set(project.departements) & set(academy.departements)
    )
    tells_establishments = then.estimated or extents[CutName.REGION].is_nearly_whole
    return Perimeter(
        tuple(changes),
        academies,
        anywhere=any(project.region is None for project in changed),
        establishments=now.establishments.get(("national", "FR")),
        establishments_then=then.establishments.get(("national", "FR")) if tells_establishments else None,
        is_known=by_project.minutes == extents[CutName.REGION].minutes > 0,
    )


def _change(code: str, now: Side, then: Side, inside: NDArray[np.bool_]) -> ProjectChange | None:
    mine, other = now.sum_of("project", code).compared_by_day, then.sum_of("project", code).compared_by_day
    is_mine, is_other = (other == 0) & (mine >= VISITS_EXPECTED_MIN), (mine == 0) & (other >= VISITS_EXPECTED_MIN)
    one_sided = (is_mine | is_other) & inside
    if not one_sided.any():
        return None
    days = tuple(day for day, hit in zip(now.days, one_sided.tolist(), strict=True) if hit)
    kind = ChangeKind.JOINED if not other.any() else ChangeKind.LEFT if not mine.any() else ChangeKind.SILENT
    return ProjectChange(code, kind, days, int(mine.sum()), int(other.sum()))


@dataclass(frozen=True, slots=True)
class ComparedVisits:
    """Visits of both sides that are compared; None where nothing can be."""

    now: int
    then: int

    @property
    def growth(self) -> float | None:
        """now / then - 1; None without visits then."""
        return self.now / self.then - 1 if self.then > 0 else None


def all_projects(by: str, code: str, now: Side, then: Side) -> ComparedVisits:
    """The visits of a code in minutes that both sides measured, whatever changed; of estimated figures, in the regions that they cover."""
    is_part = then.regions is not None and by == "national"
    of_now = [("region", region) for region in then.regions or ()] if is_part else [(by, code)]
    return ComparedVisits(sum(now.sum_of(*each).compared for each in of_now), then.sum_of(by, code).compared)


def like_with_like(
    by: str, code: str, now: Side, *, then: Side, perimeter: Perimeter, catalog: Catalog
) -> ComparedVisits | None:
    """The visits of a code that can be compared, on both sides; None where nothing can."""
    if by in BY_SHARE:
        if not then.estimated and not perimeter.is_known:
            return None
        members = {code} if by == "profile" else _services(by, code, catalog)
        covered = then.regions if by == "profile" else then.service_regions
        both = []
        for side in (now, then):
            visits = side.profile_visits if by == "profile" else side.service_visits
            chosen = {
                place: n
                for place, n in visits.items()
                if place[1] in members and (covered is None or place[0] in covered)
            }
            both.append(_without_shares(chosen, side, _gone(side, perimeter, catalog)))
        return ComparedVisits(*both)
    if then.estimated or by == "project":
        # The projects that changed stand out; whether others did is of no matter to one.
        return None if by == "project" and code in perimeter.projects else all_projects(by, code, now, then)
    holds_changed = by == "academy" and code in perimeter.academies
    if not perimeter.is_known or (by != "national" and perimeter.anywhere) or holds_changed:
        return None
    if by in ("national", "region"):
        both_gone = [_gone(side, perimeter, catalog) for side in (now, then)]
        taken_off = [gone.total() if by == "national" else gone[code] for gone in both_gone]
        return ComparedVisits(
            now.sum_of(by, code).compared - taken_off[0], then.sum_of(by, code).compared - taken_off[1]
        )
    return all_projects(by, code, now, then)


def _gone(side: Side, perimeter: Perimeter, catalog: Catalog) -> Counter[str | None]:
    """Visits compared of the projects that changed, by their region; None: of those that have none of their own."""
    region_of = {project.code: project.region for project in catalog.projects}
    gone: Counter[str | None] = Counter()
    for project in perimeter.projects:
        gone[region_of.get(project)] += side.sum_of("project", project).compared
    return gone


def _services(by: str, code: str, catalog: Catalog) -> set[str]:
    if by == "family":
        return {service.code for service in catalog.services if service.family == code} or {code}
    return set(catalog.published_groups[code]) if by == "group" else {code}


def _without_shares(visits: Mapping[Key, int], side: Side, gone: Counter[str | None]) -> int:
    """What is left of visits by region and code without the share that `gone` ones have in each region's."""
    # Of a project of no region nobody knows where its visits are: everywhere alike.
    everywhere = _part(side.sum_of("national", "FR").compared, gone[None])
    parts = {code: everywhere * _part(side.sum_of("region", code).compared, gone[code]) for code, *_ in visits}
    return round(sum(number * parts[place[0]] for place, number in visits.items()))


def _part(whole: int, gone: int) -> float:
    return max(0.0, 1 - gone / whole) if whole else 1.0
