"""What a viewer looks at: France, a region, an academy or an ENT, and one service or all. It is the page's address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streams.catalog import UNKNOWN, Catalog
from streams.errors import InputError
from streams.incidents import AlertRecord

Kind = Literal["france", "region", "academy", "project"]
_PLACES: tuple[Kind, ...] = ("region", "academy", "project")
#: Parameters of an address for region, academy, ENT and service: the page's are in French, as operators read them.
FRENCH = ("region", "academie", "ent", "service")
ENGLISH = ("region", "academy", "project", "service")


@dataclass(frozen=True, slots=True)
class Scope:
    """`code` is "" for France; `service` is None for all. Academies and ENT are not counted by service."""

    kind: Kind
    code: str
    service: str | None = None


FRANCE = Scope("france", "")


def read_scope(
    catalog: Catalog,
    region: str | None,
    academy: str | None,
    project: str | None,
    service: str | None,
    *,
    names: tuple[str, str, str, str] = FRENCH,
) -> Scope:
    """Read the parameters of an address; empty ones are absent. `names` are what they are called there.

    Raises:
        InputError: a code is in no list, or two places are named at once; the message says what is allowed.
    """
    named = {kind: code for kind, code in zip(_PLACES, (region, academy, project), strict=True) if code}
    called = dict(zip((*_PLACES, "service"), names, strict=True))
    if len(named) > 1:
        raise InputError(f"{' and '.join(called[kind] for kind in named)} exclude each other: name one of them")
    listed = dict(zip(_PLACES, (catalog.region_codes, catalog.academy_codes, catalog.project_codes), strict=True))
    for kind, code in named.items():
        if code not in listed[kind]:
            raise InputError(
                f"{called[kind]}: {code[:60]!r} is not in the lists of config/; allowed: {', '.join(listed[kind])}"
            )
    if service and service not in catalog.service_codes:
        raise InputError(f"{called['service']}: {service[:60]!r} is not in config/services.yaml")
    if service and named.keys() & {"academy", "project"}:
        raise InputError(
            f"{called['service']}: academies and ENT are not counted by service; leave it out, or choose a region"
        )
    for kind, code in named.items():
        return Scope(kind, code, service or None)
    return Scope("france", "", service or None)


def scope_name(scope: Scope, catalog: Catalog) -> str:
    """`Grand Est · Cahier de textes`, as the page's title has it; unlisted codes by themselves."""
    academies = {a.code: a.name for r in catalog.regions for a in r.academies}
    names = {
        "france": {"": "France entière"},
        "region": {r.code: r.name for r in catalog.regions},
        "academy": {code: f"Académie : {name}" for code, name in academies.items()},
        "project": {p.code: f"ENT : {p.name}" for p in catalog.projects},
    }
    place = names[scope.kind].get(scope.code, scope.code)
    service = next((s.label for s in catalog.services if s.code == scope.service), scope.service)
    return f"{place} · {service}" if service else place


def region_of(scope: Scope, catalog: Catalog) -> str | None:
    """The region that a scope lies in, None for France and for an ENT of no territory."""
    if scope.kind == "region":
        return scope.code
    if scope.kind == "academy":
        return next((r.code for r in catalog.regions for a in r.academies if a.code == scope.code), UNKNOWN)
    if scope.kind == "project":
        return next((p.region for p in catalog.projects if p.code == scope.code), None)
    return None


def projects_of(scope: Scope, catalog: Catalog) -> tuple[str, ...]:
    """The ENT that concern a scope: of its region, or of departements of its academy; all for France."""
    region = region_of(scope, catalog)
    if region is None:
        return catalog.project_codes
    held = {d for r in catalog.regions for a in r.academies if a.code == scope.code for d in a.departements}
    return tuple(
        project.code
        for project in catalog.projects
        if project.region == region
        and (scope.kind != "academy" or not project.departements or held & set(project.departements))
    )


def project_regions(catalog: Catalog) -> dict[str, str | None]:
    """ENT -> the region it lies in, None where in none."""
    return {project.code: project.region for project in catalog.projects}


def concerns(alert: AlertRecord, scope: Scope, catalog: Catalog) -> bool:
    """France's viewer sees all; others what lies in their region, and what is national. A service leaves other services out."""
    if scope.service and alert.service not in (None, scope.service):
        return False
    if scope.kind == "france" or alert.scope == "national":
        return True
    if alert.project is not None:
        return alert.project == scope.code if scope.kind == "project" else alert.project in projects_of(scope, catalog)
    return alert.region == region_of(scope, catalog)
