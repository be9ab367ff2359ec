"""`config/maintenances.yaml`: the planned stops, read."""

from datetime import datetime
from pathlib import Path

import msgspec

from streams.catalog import Catalog
from streams.clock import PARIS
from streams.decoded_types import known
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
        read = msgspec.convert(read_mapping(path), known(_File))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}; the head of the file shows how an entry looks") from None
    if problems := [problem for one in read.maintenances for problem in _problems(one, catalog)]:
        raise section_error(path, problems)
    return tuple(one.planned() for one in read.maintenances)


def _problems(one: _Entry, catalog: Catalog) -> list[str]:
    listed = (
        ("projects", one.projects, catalog.project_codes),
        ("regions", one.regions, catalog.region_codes),
        ("services", one.services, catalog.service_codes),
    )
    told = (
        (
            one.first.replace(tzinfo=None) >= one.last.replace(tzinfo=None),
            f"first ({one.first}) must lie before last ({one.last})",
        ),
        (one.first.tzinfo or one.last.tzinfo, "times are in Paris time, write them without an offset"),
        (not (one.projects or one.regions or one.services), "name projects, regions or services"),
        *((code not in known, f"{code!r} is not in {name}.yaml") for name, codes, known in listed for code in codes),
    )
    return [f"{one.label}: {text}" for is_wrong, text in told if is_wrong]
