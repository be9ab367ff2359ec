"""The closed lists of `config/`: regions, services, profiles, projects; and the region of an establishment.

A code that is not listed is counted under `INCONNU`, never dropped, so that a total is always the sum of its parts. The region and the
academy of an event come from its UAI (the ministry's number of the establishment), never from what the sender says.
"""

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from streams import values
from streams.errors import SettingsError
from streams.yaml_file import read_mapping, unknown_keys

UNKNOWN = "INCONNU"
#: Control letter of a UAI: CONTROL[first seven digits % 23] (source: the ministry's directory of establishments).
CONTROL_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
#: The two Corsican departements have letters; their UAI prefixes are numbers.
CORSICAN_PREFIXES = {"620": "2A", "720": "2B"}
#: Bound of the memo of UAI seen: about 70,000 exist, the rest is malformed input and must not grow the memory.
UAI_MEMO_ENTRIES_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Academy:
    """An academy (education authority); `departements` are those it holds within its region."""

    code: str
    name: str
    departements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """One of the 18 regions, or `99` for what lies in none; `zone` is its school-holiday zone."""

    code: str
    name: str
    timezone: str
    zone: str | None
    weight: float
    academies: tuple[Academy, ...]
    other_departements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the ministry's marking plan; `weight` is its share of synthetic traffic, `column` its name in the weekly open data."""

    code: str
    label: str
    family: str
    weight: float
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of visitor; `share` is its part of the visits of the school year 2025-26, `column` its name in the weekly open data."""

    code: str
    share: float
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """An ENT project; `region` is None for those that belong to no territory. `expected_since`: from then on it is missed if never seen."""

    code: str
    name: str
    region: str | None
    departements: tuple[str, ...]
    expected_since: date | None = None


class UaiIndex(dict[str | None, tuple[str, str]]):
    """UAI -> (region code, academy code); (`INCONNU`, `INCONNU`) for one that is absent, malformed or of no known departement.

    A dictionary that fills itself: the hot path pays one look-up. Bounded: it is emptied when it holds `UAI_MEMO_ENTRIES_MAX` entries.
    """

    def __init__(self, places: dict[str, tuple[str, str]]) -> None:
        super().__init__()
        self._places = places

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Every place that a UAI can lie in."""
        return tuple(dict.fromkeys((*self._places.values(), (UNKNOWN, UNKNOWN))))

    def __missing__(self, uai: str | None) -> tuple[str, str]:
        if len(self) >= UAI_MEMO_ENTRIES_MAX:
            self.clear()
        place = self[uai] = self._places.get(departement_of(uai) or "", (UNKNOWN, UNKNOWN))
        return place


@dataclass(frozen=True, slots=True)
class Catalog:
    """All closed lists of one configuration directory. `digest` changes when any code or place changes."""

    regions: tuple[Region, ...]
    services: tuple[Service, ...]
    profiles: tuple[Profile, ...]
    projects: tuple[Project, ...]
    digest: str
    uai_index: UaiIndex
    #: Groups of services of the published report: name -> codes. They overlap, so they never add up.
    published_groups: dict[str, tuple[str, ...]]

    @property
    def region_codes(self) -> tuple[str, ...]:
        """The listed regions (18 and `99`) and `INCONNU`."""
        return (*(region.code for region in self.regions), UNKNOWN)

    @property
    def service_codes(self) -> tuple[str, ...]:
        """The listed services and `INCONNU`."""
        return (*(service.code for service in self.services), UNKNOWN)

    @property
    def profile_codes(self) -> tuple[str, ...]:
        """The listed profiles and `INCONNU`."""
        return (*(profile.code for profile in self.profiles), UNKNOWN)

    @property
    def project_codes(self) -> tuple[str, ...]:
        """The listed projects and `INCONNU`."""
        return (*(project.code for project in self.projects), UNKNOWN)

    @property
    def academy_codes(self) -> tuple[str, ...]:
        """The listed academies and `INCONNU`."""
        return (*(academy.code for region in self.regions for academy in region.academies), UNKNOWN)

    def region_name(self, code: str) -> str:
        """French name of a region, `Inconnue` for `INCONNU`."""
        return next((region.name for region in self.regions if region.code == code), "Inconnue")

    def project_name(self, code: str) -> str:
        """Name of a project, `Inconnu` for `INCONNU`."""
        return next((project.name for project in self.projects if project.code == code), "Inconnu")

    def project_like(self, code: str) -> str | None:
        """The listed project that one which is not listed was probably meant to be."""
        codes = [project.code for project in self.projects]
        return next(iter(difflib.get_close_matches(code.strip().lower(), codes, 1)), None)

    def service_label(self, code: str) -> str:
        """French label of a service, `Inconnu` for `INCONNU`."""
        return next((service.label for service in self.services if service.code == code), "Inconnu")


def control_letter(digits: str) -> str:
    """Return the control letter of the seven digits of a UAI."""
    return CONTROL_LETTERS[int(digits) % 23]


def make_uai(departement: str, number: int) -> str:
    """The valid UAI of a departement's establishment `number` (0 to 9999): `54`, 1234 -> `0541234` and its letter."""
    prefixes = {code: prefix for prefix, code in CORSICAN_PREFIXES.items()}
    digits = f"{prefixes.get(departement, departement.rjust(3, '0'))}{number:04d}"
    return digits + control_letter(digits)


def departement_of(uai: str | None) -> str | None:
    """Return the departement of a well-formed UAI (`0541234Y` -> `54`, `6200001T` -> `2A`, `9710001A` -> `971`), else None.

    Well-formed is seven ASCII digits and their control letter. The departement may still be one that no region lists.
    """
    if uai is None or len(uai) != 8 or not uai.isascii() or not uai[:7].isdigit() or uai[7] != control_letter(uai[:7]):
        return None
    prefix = uai[:3]
    return CORSICAN_PREFIXES.get(prefix) or (prefix[1:] if prefix[0] == "0" else prefix)


def load_catalog(config_dir: Path) -> Catalog:
    """Read the four lists of `config_dir`.

    Raises:
        SettingsError: with every problem of every file at once.
    """
    problems: list[str] = []
    raw = {
        name: _read(config_dir / f"{name}.yaml", name, problems)
        for name in ("regions", "services", "profiles", "projects")
    }
    makers = {"regions": _region, "services": _service, "profiles": _profile, "projects": _project}
    regions, services, profiles, projects = lists = [
        tuple(_build(raw[name], make, f"{name}.yaml", problems)) for name, make in makers.items()
    ]
    places = _places(regions, problems)
    known_regions = {region.code for region in regions}
    problems += [
        f"projects.yaml: project {project.code}: region {project.region!r} is not in regions.yaml"
        for project in projects
        if project.region is not None and project.region not in known_regions
    ]
    groups = _groups(config_dir / "services.yaml", {service.code for service in services}, problems)
    for name, listed in zip(makers, lists, strict=True):
        problems += _code_problems(f"{name}.yaml", [item.code for item in listed])
    columns = [item.column for item in (*profiles, *services) if item.column]
    problems += [
        f"services.yaml or profiles.yaml: column {c} is listed twice"
        for c in sorted(set(columns))
        if columns.count(c) > 1
    ]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise SettingsError(
            f"{len(problems)} problem(s) in the lists of {config_dir}:\n{lines}\nMend these files, then start again."
        )
    digest = _digest(places, services, profiles, projects)
    return Catalog(regions, services, profiles, projects, digest, UaiIndex(places), groups)


def _read(path: Path, name: str, problems: list[str]) -> list[Any]:
    try:
        document = read_mapping(path)
        items = document.get(name)
        problems += [
            f"{path.name}: {key}: no such list" for key in unknown_keys(document, (name, *_BESIDE.get(name, ())))
        ]
    except SettingsError as error:
        problems.append(str(error))
        return []
    if not isinstance(items, list) or not items:
        problems.append(f"{path.name}: needs a non-empty list under `{name}:`")
        return []
    return items


def _build(items: list[Any], make: Any, where: str, problems: list[str]) -> Iterator[Any]:
    for number, item in enumerate(items, 1):
        try:
            yield make(item)
        except KeyError as error:
            problems.append(f"{where}: entry {number} ({_name(item)}): {error.args[0]} is missing")
        except (TypeError, ValueError, AttributeError) as error:
            problems.append(f"{where}: entry {number} ({_name(item)}): {error}")


def _name(item: Any) -> str:
    return str(item.get("code") or item.get("id") or "without a code") if isinstance(item, dict) else "not a mapping"


#: What else than the list a file may hold.
_BESIDE = {"services": ("published_groups",)}
#: Members of an entry; those that no code here reads are said of it for other readers, or for people.
_REGION = ("code", "iso", "name", "zone", "tz", "colleges", "weight", "departements", "academies")
_ACADEMY = ("code", "name", "departements")
_SERVICE = ("code", "column", "label", "family", "old", "old_id", "conf", "weight", "visits_2526")
_PROFILE = ("code", "old_id", "entcore", "column", "ldap", "share_2526", "share_2425")
_LISTS = ("departements", "academies")
_PROJECT = ("id", "name", "region", "departements", "expected_since", "scope", "vendor", "url")


def _region(item: dict[str, Any]) -> Region:
    _known(item, _REGION)
    for academy in item["academies"]:
        _known(academy, _ACADEMY)
    academies = tuple(
        Academy(_text(a, "code"), _text(a, "name"), _strings(a["departements"])) for a in item["academies"]
    )
    others = _strings(item.get("departements") or [])
    timezone, zone = _text(item, "tz"), item.get("zone")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"tz: {timezone!r} is no time zone") from None
    weight = _weight(item, "weight")
    return Region(_text(item, "code"), _text(item, "name"), timezone, zone and str(zone), weight, academies, others)


def _service(item: dict[str, Any]) -> Service:
    _known(item, _SERVICE)
    code, label, family = (_text(item, member) for member in ("code", "label", "family"))
    return Service(code, label, family, _weight(item, "weight"), _column(item))


def _profile(item: dict[str, Any]) -> Profile:
    _known(item, _PROFILE)
    return Profile(_text(item, "code"), _weight(item, "share_2526"), _column(item))


def _project(item: dict[str, Any]) -> Project:
    _known(item, _PROJECT)
    region = item["region"]
    return Project(
        _text(item, "id"),
        _text(item, "name"),
        None if region is None else str(region),
        _strings(item.get("departements") or []),
        _date(item.get("expected_since")),
    )


def _known(item: Any, members: tuple[str, ...]) -> None:
    if not isinstance(item, dict):
        raise ValueError(f"{item!r} is no entry: write {{{members[0]}: ..., ...}}")
    if unknown := unknown_keys(item, members):
        raise ValueError(f"{', '.join(unknown)}: no such member (there are {', '.join(members)})")
    for member, value in item.items():
        if isinstance(value, list | dict) and member not in _LISTS:
            raise ValueError(f"{member}: {value!r} is no single value")


def _text(item: dict[str, Any], member: str) -> str:
    found = item[member]
    if not isinstance(found, str | int) or not str(found).strip():
        raise ValueError(f"{member}: {found!r} is no text")
    return str(found)


def _column(item: dict[str, Any]) -> str | None:
    return _text(item, "column") if item.get("column") is not None else None


def _weight(item: dict[str, Any], member: str) -> float:
    found = item[member]
    if not isinstance(found, int | float) or found < 0:
        raise ValueError(f"{member}: {found!r} is no number from 0 on")
    return float(found)


def _date(value: Any) -> date | None:
    if value is None:
        return None
    try:
        return values.day(str(value))
    except ValueError:
        raise ValueError(f"expected_since: {value!r} is not a date (write 2026-09-01)") from None


def _groups(path: Path, known: set[str], problems: list[str]) -> dict[str, tuple[str, ...]]:
    try:
        found = read_mapping(path).get("published_groups") or {}
        groups = {str(name): _strings(codes) for name, codes in found.items()}
    except (SettingsError, ValueError, AttributeError) as error:
        problems += [] if isinstance(error, SettingsError) else [f"services.yaml: published_groups: {error}"]
        return {}
    problems += [
        f"services.yaml: published_groups: {name}: {code} is not among the services"
        for name, codes in groups.items()
        for code in codes
        if code not in known
    ]
    return groups


def _strings(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"expected a list of quoted codes, found {values!r} (01 without quotes is a number in YAML)")
    return tuple(values)


def _places(regions: tuple[Region, ...], problems: list[str]) -> dict[str, tuple[str, str]]:
    places: dict[str, tuple[str, str]] = {}
    for region in regions:
        held = [(departement, academy.code) for academy in region.academies for departement in academy.departements]
        held += [(departement, UNKNOWN) for departement in region.other_departements]
        for departement, academy_code in held:
            if departement in places:
                problems.append(f"regions.yaml: departement {departement} is listed twice")
            places[departement] = (region.code, academy_code)
    problems += _code_problems("regions.yaml: academies", [a.code for region in regions for a in region.academies])
    return places


def _code_problems(where: str, codes: list[str]) -> list[str]:
    problems = [f"{where}: code {code} is listed twice" for code in sorted({c for c in codes if codes.count(c) > 1})]
    for code in codes:
        if code == UNKNOWN:
            problems.append(f"{where}: {UNKNOWN} always exists and must not be listed")
        elif not code or len(code) > 64 or not code.isascii() or not code.replace("_", "").replace("-", "").isalnum():
            problems.append(f"{where}: {code!r} is not a code (ASCII letters, digits, - and _)")
    return problems


def _digest(places: dict[str, tuple[str, str]], *lists: tuple[Any, ...]) -> str:
    content = [sorted(places.items()), *([item.code for item in items] for items in lists)]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:16]
