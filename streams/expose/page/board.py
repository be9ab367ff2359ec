"""What one page shows, as one object: `board` once a settled minute, `pulse` once a second. Pure: a function of a `Picture` and a scope."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from streams.catalog import UNKNOWN, Catalog
from streams.count import Cut
from streams.expose.page.curves import NO_CURVE, Curve
from streams.expose.page.minutes_read import added
from streams.expose.page.picture import TABLE_MINUTES, Hope, Picture, of_scope
from streams.expose.page.verdict import chain, trust
from streams.expose.scope import Scope, projects_of, region_of

#: Sums are of so many settled minutes.
FIGURE_MINUTES = 15

_UNMEASURED = {
    "academy": "Utilisateurs du jour, établissements et services ne sont pas mesurés par académie.",
    "project": "Utilisateurs du jour et services ne sont pas mesurés par ENT.",
}


def unmeasured(scope: Scope) -> str | None:
    """What this scope has no figure of, said once."""
    if scope.service:
        return "Utilisateurs, établissements et ENT ne sont pas mesurés par service."
    return _UNMEASURED.get(scope.kind)


def figures(picture: Picture, scope: Scope) -> list[dict[str, Any]]:
    """Title and value of each, in order; `unit` is `≈` (approximate), `%` or nothing. A value is None until it is measured, and text where
    it is too small to be told.
    """
    last = picture.settled_minute
    whole = [m for m in picture.grid if last is not None and m > last - FIGURE_MINUTES]
    pairs = [picture.minutes[m].of_scope(scope) if m in picture.minutes else (0, 0) for m in whole]
    events = _figure("Événements par minute", pairs[-1][0] if pairs else None)
    visits = sum(one for _events, one in pairs) if pairs else None
    if scope.service:
        place = Scope(scope.kind, scope.code)
        all_events = sum(picture.minutes[m].of_scope(place)[0] for m in whole if m in picture.minutes)
        part = round(100 * sum(one for one, _visits in pairs) / all_events, 1) if all_events else None
        return [events, _figure("Utilisations, 15 min", visits), _figure("Part des événements, 15 min", part, "%")]
    users = _figure("Utilisateurs, 15 min", _users(picture, scope, "15m"), "≈")
    schools: int | None = None
    if picture.census is not None:
        schools = of_scope(picture.census.establishments, scope)
    establishments = _figure("Établissements, 15 min", schools, "≈")
    if scope.kind in ("academy", "project"):
        own = [users, _figure("Visites, 15 min", visits), events]
        return own if scope.kind == "academy" else [*own, establishments]
    return [users, _figure("Utilisateurs, aujourd'hui", _users(picture, scope, "day"), "≈"), events, establishments]


def _users(picture: Picture, scope: Scope, window: str) -> int | str | None:
    if picture.census is None:
        return None
    number = of_scope(picture.census.users[window], scope)
    return picture.census.few.french if number is None else number


def _figure(title: str, value: float | str | None, unit: str = "") -> dict[str, Any]:
    return {"title": title, "value": value, "unit": unit}


#: An ENT without any event for so many settled minutes is silent.
SILENT_MINUTES = 15
#: Fewer visits than this expected in the tables' minutes: nothing seen is nothing to worry about.
CALM_VISITS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class JudgedParts:
    """What the judges add to a scope's board, as JSON.

    `band` is of the curve. `compared` is what the last minute is held against, or `note` says why there is nothing; `beside` is its figure
    on earlier days. `incidents` are None while nobody has judged; `spans` are when alerts of the scope itself ran; `region_hopes` is what
    was expected of a service region by region.
    """

    band: dict[str, Any] | None = None
    compared: dict[str, Any] | None = None
    note: str | None = None
    beside: list[dict[str, Any]] | None = None
    incidents: dict[str, Any] | None = None
    spans: Sequence[Sequence[int | None]] = ()
    region_hopes: Mapping[str, Hope] | None = None


NOT_JUDGED = JudgedParts()


def lists(catalog: Catalog) -> dict[str, Any]:
    """Names of all codes: what the selector offers."""
    return {
        "regions": [
            {
                "code": r.code,
                "name": r.name,
                "timezone": r.timezone,
                "academies": [{"code": a.code, "name": a.name} for a in r.academies],
            }
            for r in catalog.regions
        ],
        "services": [{"code": s.code, "name": s.label} for s in catalog.services]
        + [{"code": UNKNOWN, "name": "Service inconnu"}],
        "projects": [{"code": p.code, "name": p.name, "region": p.region} for p in catalog.projects],
        "tableMinutes": TABLE_MINUTES,
    }


def pulse(picture: Picture, scope: Scope, lateness_ms: int) -> dict[str, Any]:
    """Where time stands, the minutes that run, whether to believe, the state of the chain."""
    settled = picture.settled_minute
    running = sorted(m for m in picture.minutes if settled is None or m > settled)
    return {
        "readMs": picture.read_ms,
        "settledMs": picture.settled_ms,
        "redisUp": picture.snapshot is not None,
        "running": [[minute, *picture.minutes[minute].of_scope(scope)] for minute in running],
        "trust": trust(picture, scope),
        "chain": chain(picture, lateness_ms),
    }


def board(
    picture: Picture, scope: Scope, catalog: Catalog, curve: Curve = NO_CURVE, judged: JudgedParts = NOT_JUDGED
) -> dict[str, Any]:
    """The curve, the figures of now, the tables. `judged` is what the detector and the archive say of this scope."""
    return {
        "scope": {
            "kind": scope.kind,
            "code": scope.code,
            "service": scope.service,
            "region": region_of(scope, catalog),
        },
        "now": _now(picture, scope),
        "first": curve.grid.first,
        "step": curve.grid.step_minutes,
        "isPast": picture.settled_minute is not None and curve.grid.end <= picture.settled_minute,
        "visits": curve.visits,
        "week": curve.week and {"day": curve.week.day, "visits": curve.week.visits},
        "lastYear": curve.rentree and {"day": curve.rentree.day, "visits": curve.rentree.visits},
        "figures": figures(picture, scope),
        "unmeasured": unmeasured(scope),
        "expected": judged.band,
        "compared": judged.compared,
        "expectedNote": judged.note,
        "beside": judged.beside,
        "incidents": judged.incidents,
        "spans": list(judged.spans),
        "regions": _regions(
            picture,
            scope,
            catalog,
            _of_table(picture, picture.region_hopes) if judged.region_hopes is None else judged.region_hopes,
        ),
        "projects": _projects(picture, scope, catalog),
    }


def _now(picture: Picture, scope: Scope) -> dict[str, int] | None:
    """The last settled minute; None where none is whole."""
    if not picture.grid:
        return None
    minute = picture.grid[-1]
    events, visits = picture.minutes[minute].of_scope(scope) if minute in picture.minutes else (0, 0)
    return {"minute": minute, "events": events, "visits": visits}


def _regions(picture: Picture, scope: Scope, catalog: Catalog, hopes: Mapping[str, Hope]) -> list[dict[str, Any]]:
    """One row a region: visits in the last settled minutes, of the scope's service where it has one, and visits of each service."""
    lately = picture.settled_figures()
    visits, used = added(lately, Cut.VISITS), added(lately, Cut.SERVICE_VISITS)
    return [
        {
            "code": code,
            "visits": used.get((code, scope.service), 0) if scope.service else visits.get((code,), 0),
            **_hope(hopes.get(code)),
            "services": {s: n for s in catalog.service_codes if (n := used.get((code, s), 0))},
        }
        for code in catalog.region_codes
    ]


def _projects(picture: Picture, scope: Scope, catalog: Catalog) -> list[dict[str, Any]]:
    lately = picture.settled_figures()
    events, visits = added(lately, Cut.PROJECT), added(lately, Cut.VISIT_PROJECT)
    census = picture.census
    reporting = census.establishments.by_project if census else {}
    hopes = _of_table(picture, picture.project_hopes)
    return [
        {
            "code": code,
            "state": _state(picture, code),
            "lastMinute": picture.last_seen.get(code),
            "events": events.get((code,), 0),
            "visits": visits.get((code,), 0),
            **_hope(hopes.get(code)),
            "establishments": reporting.get(code, 0) if census else None,
        }
        for code in projects_of(scope, catalog)
        if code != UNKNOWN
    ]


def _of_table(picture: Picture, hopes: Mapping[str, Hope]) -> Mapping[str, Hope]:
    """What was expected of the tables' minutes; nothing where others were judged last."""
    return hopes if picture.judged_to == picture.table_end else {}


def _hope(hope: Hope | None) -> dict[str, float | bool | None]:
    return asdict(hope) if hope else {"expected": None, "ratio": None, "learning": False}


def _state(picture: Picture, code: str) -> str:
    """`normal`, `hausse` and `baisse` (an alert runs), `muet` (nothing for a while), `calme` (nothing, and nothing expected), `prevu`
    (a planned stop), `jamais-vu`, `inconnu`.
    """
    settled, last = picture.settled_minute, picture.last_seen.get(code)
    running = [one for one in (picture.book.running if picture.book else ()) if one.project == code]
    if last is None:
        return "jamais-vu"
    if settled is None:
        return "inconnu"
    if last > settled - SILENT_MINUTES:
        told = {one.kind for one in running if one.planned is None}
        named = {"silence": "muet", "surge": "hausse", "drop": "baisse"}
        return next((word for kind, word in named.items() if kind in told), "normal")
    if any(one.planned for one in running):
        return "prevu"
    hope = picture.project_hopes.get(code)
    is_told = any(one.kind == "silence" for one in running)
    return "calme" if hope is not None and hope.expected < CALM_VISITS_MAX and not is_told else "muet"
