"""Planned stops: a drop or silence within one is told as planned, and nobody is called. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.watch.alert_types import AlertKind, AlertScope

#: After the planned end a source has so long to come back before somebody is called.
GRACE_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One planned stop of the epoch minutes `first` to `end` (left out, archive time).

    It is of projects, of regions, or of services (in these regions, or everywhere).
    """

    first: int
    end: int
    label: str
    projects: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def covers(self, scope: AlertScope, region: str | None) -> bool:
        """Whether it stops this scope; `region` is the one that it lies in, a project's too."""
        if scope.project is not None and scope.project in self.projects:
            return True
        if self.services:
            return scope.service in self.services and (not self.regions or region in self.regions)
        return region is not None and region in self.regions


def planned_because(
    maintenances: Sequence[Maintenance],
    kind: AlertKind,
    start: int,
    *,
    until: int,
    scope: AlertScope,
    region: str | None,
) -> str | None:
    """The label of the stop that a drop or silence from minute `start` to `until` lies in, None where it lies in none."""
    for one in maintenances:
        inside = one.first <= start and until <= one.end + GRACE_MINUTES
        if kind is not AlertKind.SURGE and inside and one.covers(scope, region):
            return one.label
    return None
