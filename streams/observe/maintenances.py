"""`config/maintenances.yaml`: planned stops. A drop or silence within one is told as planned, and nobody is called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from streams.catalog import Catalog, read_yaml
from streams.clock import PARIS
from streams.errors import SettingsError
from streams.watch import Scope

#: After the planned end a source has so long to come back before somebody is called.
GRACE_MINUTES = 15


class Maintenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One planned stop, from `first` to `last` in Paris time; of projects, of regions, or of services (in these regions, or everywhere)."""

    first: datetime
    last: datetime
    label: str
    projects: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def minutes(self) -> tuple[int, int]:
        """First epoch minute (archive time) and the one after the last, grace included."""
        first, last = (int(time.replace(tzinfo=PARIS).timestamp()) // 60 for time in (self.first, self.last))
        return first, last + GRACE_MINUTES

    def covers(self, scope: Scope, region: str | None) -> bool:
        """Whether it stops this scope; `region` is the one that a project lies in."""
        if scope.project is not None and scope.project in self.projects:
            return True
        if self.services:
            return scope.service in self.services and (not self.regions or region in self.regions)
        return region is not None and region in self.regions


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    maintenances: tuple[Maintenance, ...] = ()


def planned_because(
    maintenances: Sequence[Maintenance], start: int, until: int, scope: Scope, region: str | None
) -> str | None:
    """The label of the stop that an alert from minute `start` to `until` lies in, None where it lies in none."""
    for one in maintenances:
        first, end = one.minutes()
        if first <= start and until <= end and one.covers(scope, region):
            return one.label
    return None


def load_maintenances(config_dir: Path, catalog: Catalog) -> tuple[Maintenance, ...]:
    """Read the file; one that is absent plans nothing.

    Raises:
        SettingsError: with every problem at once.
    """
    path = config_dir / "maintenances.yaml"
    if not path.exists():
        return ()
    try:
        read = msgspec.convert(read_yaml(path) or {}, _File, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}; the head of the file shows how an entry looks") from None
    problems = [problem for one in read.maintenances for problem in _problems(one, catalog)]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise SettingsError(f"{len(problems)} problem(s) in {path}:\n{lines}\nMend the file, then start again.")
    return read.maintenances


def _problems(one: Maintenance, catalog: Catalog) -> list[str]:
    found = []
    if one.first >= one.last:
        found.append(f"{one.label}: first ({one.first}) must lie before last ({one.last})")
    if one.first.tzinfo or one.last.tzinfo:
        found.append(f"{one.label}: times are in Paris time, write them without an offset")
    if not (one.projects or one.regions or one.services):
        found.append(f"{one.label}: name projects, regions or services")
    listed: list[tuple[str, Any, Any]] = [
        ("projects", one.projects, catalog.project_codes),
        ("regions", one.regions, catalog.region_codes),
        ("services", one.services, catalog.service_codes),
    ]
    for name, codes, known in listed:
        found += [f"{one.label}: {code!r} is not in {name}.yaml" for code in codes if code not in known]
    return found
