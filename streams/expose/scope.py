"""What a viewer looks at: France, a region, an academy or an ENT, and one service or all. It is the page's address."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from streams.access import Viewer
from streams.catalog import UNKNOWN, Catalog
from streams.errors import InputError, VigieError
from streams.expose.minutes_query import Grouping, Row
from streams.incidents import AlertRecord, Incident, fold
from streams.live import AlertBook
from streams.watch import AlertScope

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
        raise InputError(
            f"{called['service']}: {service[:60]!r} is not in config/services.yaml; allowed: {', '.join(catalog.service_codes)}"
        )
    if service and named.keys() & {"academy", "project"}:
        raise InputError(
            f"{called['service']}: academies and ENT are not counted by service; leave it out, or choose a region"
        )
    kind, code = next(iter(named.items()), ("france", ""))
    return Scope(kind, code, service or None)


def scope_name(scope: Scope, catalog: Catalog) -> str:
    """`Grand Est · Cahier de textes`, as the page's title has it; unlisted codes by themselves."""
    names = {
        "france": {"": "France entière"},
        "region": {r.code: r.name for r in catalog.regions},
        "academy": {a.code: f"Académie : {a.name}" for r in catalog.regions for a in r.academies},
        "project": {p.code: f"ENT : {p.name}" for p in catalog.projects},
    }
    place = names[scope.kind].get(scope.code, scope.code)
    service = next((s.label for s in catalog.services if s.code == scope.service), scope.service)
    return f"{place} · {service}" if service else place


def judged_scope(scope: Scope) -> AlertScope | None:
    """The detector's name of a scope, None where it is not judged: academies."""
    if scope.kind == "academy":
        return None
    if scope.kind == "project":
        return AlertScope(project=scope.code)
    return AlertScope(region=scope.code or None, service=scope.service)


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
    if (region := region_of(scope, catalog)) is None:
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
        if not self.viewer.sees(region):
            raise OutOfSight(self._instead())

    def book(self, book: AlertBook) -> AlertBook:
        """The alerts that are seen."""
        if self.is_whole:
            return book
        return replace(book, alerts=tuple(one for one in book.alerts if self.viewer.sees(self._alert_region(one))))

    def rows(self, grouping: Grouping) -> Callable[[Row], bool] | None:
        """Which rows are seen, None: all.

        Raises:
            OutOfSight: rows of this grouping are of no region.
        """
        if self.is_whole:
            return None
        seen = {
            "region": set(self.regions),
            "academy": {a.code for r in self.catalog.regions if self.viewer.sees(r.code) for a in r.academies},
            "project": {p.code for p in self.catalog.projects if p.region is not None and self.viewer.sees(p.region)},
        }
        member = next((name for name in seen if name in grouping.members), None)  # the widest tells
        if member is None:
            raise OutOfSight(f"by: {self._instead()}, by=region, academy or project")
        return lambda row: row[member] in seen[member]

    def _alert_region(self, one: AlertRecord | AlertScope) -> str | None:
        if one.region is not None:
            return one.region
        return None if one.project is None else project_regions(self.catalog).get(one.project)

    def _instead(self) -> str:
        if not self.regions:
            return "you see no region: ask who runs Vigie for one"
        return f"you see the regions {', '.join(self.regions)}: ask for one of them (region={self.regions[0]})"


def incidents_for(scope: Scope, book: AlertBook, catalog: Catalog) -> tuple[Incident, ...]:
    """The incidents that a viewer of a scope sees, in the order of `streams.incidents.fold`."""
    seen = [one for one in book.alerts if concerns(one, scope, catalog)]
    judged_ms = 0 if book.judged_minute is None else (book.judged_minute + 1) * 60_000
    return fold(seen, project_regions(catalog), judged_ms)


def incident_of(incidents: Sequence[Incident], alert_id: str) -> Incident | None:
    """The incident that an alert is in."""
    return next((one for one in incidents if alert_id in (one.id, *(part.id for part in one.explains))), None)
