"""What a page looks at: France, a region, an academy or an ENT, and one service or all. It is the page's address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streams.catalog import UNKNOWN, Catalog
from streams.errors import InputError

Kind = Literal["france", "region", "academy", "project"]
#: Parameter of the address -> kind. In French, as operators read it.
PARAMETERS: dict[str, Kind] = {"region": "region", "academie": "academy", "ent": "project"}


@dataclass(frozen=True, slots=True)
class Scope:
    """`code` is "" for France; `service` is None for all. Academies and ENT are not counted by service."""

    kind: Kind
    code: str
    service: str | None = None


def read_scope(
    catalog: Catalog, region: str | None, academie: str | None, ent: str | None, service: str | None
) -> Scope:
    """Read the parameters of an address; empty ones are absent.

    Raises:
        InputError: a code is in no list, or two places are named at once; the message says what is allowed.
    """
    named = {name: code for name, code in (("region", region), ("academie", academie), ("ent", ent)) if code}
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} exclude each other: name one of them")
    listed = {"region": catalog.region_codes, "academie": catalog.academy_codes, "ent": catalog.project_codes}
    for name, code in named.items():
        if code not in listed[name]:
            raise InputError(
                f"{name}: {code[:60]!r} is not in the lists of config/; allowed: {', '.join(listed[name])}"
            )
    if service and service not in catalog.service_codes:
        raise InputError(f"service: {service[:60]!r} is not in config/services.yaml")
    if service and ("academie" in named or "ent" in named):
        raise InputError("service: academies and ENT are not counted by service; leave it out, or choose a region")
    for name, code in named.items():
        return Scope(PARAMETERS[name], code, service or None)
    return Scope("france", "", service or None)


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
