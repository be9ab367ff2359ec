"""The tables of `config/` that say what other emitters' ids mean: `entcore.yaml`, `xiti.yaml`, `combined.yaml`.

Used by `vigie publish --format` only: what an ENT embeds needs no lists. Every code is held against the closed lists, every UAI against its
control letter, and every problem of a file is told at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from streams.catalog import Catalog, departement_of
from streams.errors import SettingsError
from streams.publish.combined import CombinedTables, PathRow
from streams.publish.entcore import EntcoreTables
from streams.publish.fields import host_of, path_of
from streams.publish.xiti import XitiProject, XitiTables
from streams.yaml_file import read_mapping, section_error, unknown_keys

Part = TypeVar("Part")
#: Service ids of the 2012 plan that are several services today, where no table says otherwise.
SEVERAL_TODAY = {"13": "RESSOURCE_PRODUCTION"}


class _File:
    """One table under reading: looks members up and notes what is wrong with them."""

    def __init__(self, path: Path, catalog: Catalog, members: tuple[str, ...]) -> None:
        self.path = path
        self._codes = {
            "service": set(catalog.service_codes),
            "profile": set(catalog.profile_codes),
            "project": set(catalog.project_codes),
        }
        self.problems: list[str] = []
        self.document = read_mapping(path)
        self.members("", self.document, members)

    def members(self, where: str, holder: Any, known: tuple[str, ...]) -> dict[str, Any]:
        """Return what holds these members and no others, {} where there is nothing."""
        if holder is None:
            return {}
        if not isinstance(holder, dict):
            self.problems.append(f"{where}must be a mapping of {', '.join(known)}")
            return {}
        self.problems += [f"{where}{key}: no such member ({', '.join(known)})" for key in unknown_keys(holder, known)]
        return holder

    def mapping(self, where: str, holder: dict[str, Any], name: str) -> dict[str, Any]:
        """Return the mapping `name` of `holder`, {} where it is absent."""
        return self._part(f"{where}{name}: must be a mapping", holder.get(name), dict)

    def list(self, where: str, holder: dict[str, Any], name: str) -> list[Any]:
        """Return the list `name` of `holder`, [] where it is absent."""
        found = holder.get(name)
        return self._part(f"{where}{name}: must be a list, for instance [{found}]", found, list)

    def _part(self, problem: str, found: Any, kind: type[Part]) -> Part:
        if isinstance(found, kind):
            return found
        self.problems += [] if found is None else [problem]
        return kind()

    def code(self, where: str, kind: str, value: Any) -> str:
        """Return a code of the closed lists."""
        if str(value) not in self._codes[kind]:
            self.problems.append(f"{where}: {value!r} is no {kind} of config/{kind}s.yaml")
        return str(value)

    def uai(self, where: str, value: Any) -> str:
        """Return a well-formed UAI."""
        if not isinstance(value, str) or departement_of(value) is None:
            self.problems.append(f"{where}: {value!r} is no UAI (seven digits and their control letter)")
        return str(value)

    def end(self) -> None:
        """Raise what was noted."""
        if self.problems:
            raise section_error(self.path, self.problems)


def entcore_tables(config_dir: Path, catalog: Catalog, project: str) -> EntcoreTables:
    """Read `entcore.yaml` for one project, with the values of `profil` from `profiles.yaml`.

    Raises:
        SettingsError: the file is missing or wrong; all problems at once.
    """
    file = _File(config_dir / "entcore.yaml", catalog, ("modules", "projects"))
    services = {
        module: file.code(f"modules: {module}", "service", service)
        for module, service in file.mapping("", file.document, "modules").items()
    }
    structures: dict[str, str] = {}
    for name, held in file.mapping("", file.document, "projects").items():
        file.code("projects", "project", name)
        members = file.members(f"{name}: ", held, ("structures",))
        for structure, uai in file.mapping(f"{name}: ", members, "structures").items():
            checked = file.uai(f"{name}: structure {structure}", uai)
            if name == project:
                structures[structure] = checked
    file.end()
    return EntcoreTables(services, _column(config_dir, "profiles", "entcore"), structures)


def xiti_tables(config_dir: Path, catalog: Catalog) -> XitiTables:
    """Read `xiti.yaml`, with the ids and labels of 2012 from `services.yaml` and `profiles.yaml`.

    Raises:
        SettingsError: as above.
    """
    file = _File(config_dir / "xiti.yaml", catalog, ("services", "projects"))
    ids = {project.code: project.code for project in catalog.projects}
    projects: dict[str, XitiProject] = {}
    for name, held in file.mapping("", file.document, "projects").items():
        file.code("projects", "project", name)
        members = file.members(f"{name}: ", held, ("ids", "services", "establishments"))
        for number in file.list(f"{name}: ", members, "ids"):
            if ids.get(str(number), name) != name:
                file.problems.append(f"{name}: id {number} is also that of {ids[str(number)]}")
            ids[str(number)] = name
        projects[name] = XitiProject(
            services=_services(file, f"{name}: ", members),
            establishments={
                number: file.uai(f"{name}: establishment {number}", uai)
                for number, uai in file.mapping(f"{name}: ", members, "establishments").items()
            },
        )
    services = {
        **_column(config_dir, "services", "old_id"),
        **SEVERAL_TODAY,
        **_services(file, "", file.document),
    }
    file.end()
    return XitiTables(
        ids, services, _column(config_dir, "services", "old"), _column(config_dir, "profiles", "old_id"), projects
    )


def _services(file: _File, where: str, holder: dict[str, Any]) -> dict[str, str]:
    return {
        number: file.code(f"{where}service {number}", "service", service)
        for number, service in file.mapping(where, holder, "services").items()
    }


def combined_tables(config_dir: Path, catalog: Catalog) -> CombinedTables:
    """Read `combined.yaml`.

    Raises:
        SettingsError: as above.
    """
    file = _File(config_dir / "combined.yaml", catalog, ("places", "ignored"))
    places = [
        place
        for number, row in enumerate(file.list("", file.document, "places"), 1)
        if (place := _place(file, f"places: row {number}", row)) is not None
    ]
    if not places:
        file.problems.append("needs a non-empty list under `places:`")
    keys = [(place.host, place.path) for place in places]
    file.problems += [
        f"host {host}, path {path}: listed twice" for host, path in sorted({k for k in keys if keys.count(k) > 1})
    ]
    ignored = file.list("", file.document, "ignored")
    if not all(isinstance(ending, str) and ending for ending in ignored):
        file.problems.append("ignored: must be a list of endings, for instance [.css, .js]")
        ignored = []
    file.end()
    return CombinedTables(tuple(places), tuple(ending.lower() for ending in ignored))


def _place(file: _File, where: str, row: Any) -> PathRow | None:
    host, path = (row.get("host"), row.get("path")) if isinstance(row, dict) else (None, None)
    name = host_of(host.encode()) if isinstance(host, str) else None
    if name is None or not isinstance(path, str) or not path.startswith("/") or set(path) & set("?#;"):
        file.problems.append(f"{where}: needs host, path (from /), project and service; uai may be left out")
        return None
    file.members(f"{where}: ", row, ("host", "path", "project", "uai", "service"))
    uai = row.get("uai")
    return PathRow(
        host=name,
        path=path_of(path.encode()),
        project=file.code(where, "project", row.get("project")),
        uai=None if uai is None else file.uai(where, uai),
        service=file.code(where, "service", row.get("service")),
    )


def _column(config_dir: Path, name: str, column: str) -> dict[str, str]:
    """Value of a column -> code, of one of the closed lists; where rows share a value, the first one."""
    found: dict[str, str] = {}
    for item in read_mapping(config_dir / f"{name}.yaml")[name]:
        value = item.get(column)
        if value not in (None, ""):
            found.setdefault(str(value), str(item["code"]))
    return found


def check_tables(config_dir: Path, catalog: Catalog) -> list[str]:
    """Return what is wrong with the tables that are there, one text a file; empty where all is right."""
    readers: list[tuple[str, Callable[[], object]]] = [
        ("entcore.yaml", lambda: entcore_tables(config_dir, catalog, "")),
        ("xiti.yaml", lambda: xiti_tables(config_dir, catalog)),
        ("combined.yaml", lambda: combined_tables(config_dir, catalog)),
    ]
    problems = []
    for name, read in readers:
        try:
            if (config_dir / name).exists():
                read()
        except SettingsError as error:
            problems.append(str(error))
    return problems
