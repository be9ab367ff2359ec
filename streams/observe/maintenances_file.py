"""`config/maintenances.yaml`: the planned stops, read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from streams.catalog import Catalog
from streams.clock import PARIS
from streams.errors import SettingsError
from streams.watch import Maintenance
from streams.yaml_file import read_mapping, section_error


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As the file has it: from `first` to `last` in Paris time."""

    first: datetime
    last: datetime
    label: str
    projects: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def planned(self) -> Maintenance:
        """In epoch minutes of archive time."""
        first, end = (int(time.replace(tzinfo=PARIS).timestamp()) // 60 for time in (self.first, self.last))
        return Maintenance(first, end, self.label, self.projects, self.regions, self.services)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    maintenances: tuple[_Entry, ...] = ()


def load_maintenances(config_dir: Path, catalog: Catalog) -> tuple[Maintenance, ...]:
    """Read the file; one that is absent plans nothing.

    Raises:
        SettingsError: with every problem at once.
    """
    path = config_dir / "maintenances.yaml"
    if not path.exists():
        return ()
    try:
        read = msgspec.convert(read_mapping(path), _File)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}; the head of the file shows how an entry looks") from None
    problems = [problem for one in read.maintenances for problem in _problems(one, catalog)]
    if problems:
        raise section_error(path, problems)
    return tuple(one.planned() for one in read.maintenances)


def _problems(one: _Entry, catalog: Catalog) -> list[str]:
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
