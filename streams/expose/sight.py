"""What a viewer sees of the country: everything, or some regions with their academies and ENT. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from streams.access import Viewer
from streams.catalog import Catalog
from streams.errors import VigieError
from streams.expose.minute_rows import Row
from streams.expose.minutes_query import Grouping
from streams.expose.scope import Scope, project_regions, region_of
from streams.incidents import AlertRecord
from streams.live import AlertBook
from streams.watch import AlertScope


class OutOfSight(VigieError):
    """This viewer does not see what was asked for; the message says what to ask for."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A viewer's part of the country."""

    viewer: Viewer
    catalog: Catalog

    @property
    def is_whole(self) -> bool:
        """Whether nothing is hidden."""
        return self.viewer.regions is None

    @property
    def regions(self) -> list[str]:
        """The regions seen, in the order of the lists."""
        return [code for code in self.catalog.region_codes if self.viewer.sees(code)]

    def first_region(self) -> str:
        """The one that is shown first.

        Raises:
            OutOfSight: none is seen.
        """
        if not self.regions:
            raise OutOfSight(self._instead())
        return self.regions[0]

    def sees(self, region: str | None) -> bool:
        """Whether a region is seen; None is France, and an ENT of no territory."""
        return self.viewer.sees(region)

    def hold_whole(self) -> None:
        """Hold that nothing is hidden from this viewer: the answer is of the whole country.

        Raises:
            OutOfSight: something is.
        """
        if not self.is_whole:
            raise OutOfSight(self._instead())

    def hold(self, scope: Scope | AlertScope) -> None:
        """Hold that a place is seen.

        Raises:
            OutOfSight: it is not.
        """
        region = region_of(scope, self.catalog) if isinstance(scope, Scope) else self._alert_region(scope)
        if not self.sees(region):
            raise OutOfSight(self._instead())

    def book(self, book: AlertBook) -> AlertBook:
        """The alerts that are seen."""
        if self.is_whole:
            return book
        return replace(book, alerts=tuple(one for one in book.alerts if self.sees(self._alert_region(one))))

    def rows(self, grouping: Grouping) -> Callable[[Row], bool] | None:
        """Which rows are seen, None: all.

        Raises:
            OutOfSight: rows of this grouping are of no region.
        """
        if self.is_whole:
            return None
        if "region" in grouping.members:
            return lambda row: self.sees(str(row["region"]))
        if "academy" in grouping.members:
            academies = {a.code for r in self.catalog.regions if self.sees(r.code) for a in r.academies}
            return lambda row: row["academy"] in academies
        if "project" in grouping.members:
            projects = {p.code for p in self.catalog.projects if p.region is not None and self.sees(p.region)}
            return lambda row: row["project"] in projects
        raise OutOfSight(f"by: {self._instead()}, by=region, academy or project")

    def _alert_region(self, one: AlertRecord | AlertScope) -> str | None:
        if one.region is not None:
            return one.region
        return None if one.project is None else project_regions(self.catalog).get(one.project)

    def _instead(self) -> str:
        if not self.regions:
            return "you see no region: ask who runs Vigie for one"
        return f"you see the regions {', '.join(self.regions)}: ask for one of them (region={self.regions[0]})"
