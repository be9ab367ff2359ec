"""What the detector and the archive say of one page's scope, for its board."""

from __future__ import annotations

import logging
from typing import Any

from streams.catalog import Catalog
from streams.errors import VigieError
from streams.expose.french import Words
from streams.expose.page.board import JudgedParts
from streams.expose.page.judged import Sources, band, judged_scope
from streams.expose.page.picture import Picture
from streams.expose.page.scope import Scope, projects_of, region_of
from streams.live import AlertRecord

logger = logging.getLogger(__name__)

_NOT_HERE = {
    "academy": "L'attendu se calcule par région et par ENT, pas par académie",
    "france": "L'attendu d'un service se calcule région par région",
}


def told(sources: Sources, picture: Picture, scope: Scope, catalog: Catalog) -> JudgedParts:
    """Ask both; what cannot be had is None, with a note in French where a person would wonder."""
    grid, where = picture.grid, judged_scope(scope)
    found, note = None, None
    if where is None:
        note = _NOT_HERE[scope.kind]
    elif picture.judged_to is None:
        note = "Pas encore d'attendu : le détecteur se prépare"
    elif grid:
        found = band(sources.expected(where, grid.start, grid.stop), grid.start, grid.stop)
        note = None if found else "Pas encore d'attendu : aucun jour comparable"
    alerts = picture.alerts
    return JudgedParts(
        found,
        note,
        _rentree(sources, scope, grid.stop - 1) if grid else None,
        None
        if alerts is None
        else [_alert(one, where, sources.words, picture) for one in alerts if _concerns(one, scope, catalog)],
    )


def _rentree(sources: Sources, scope: Scope, minute: int) -> dict[str, Any] | None:
    if sources.rentree is None:
        return None
    try:
        figure = sources.rentree.figure(scope, minute)
    except VigieError as error:
        logger.warning("the last rentrée is not shown: %s", error)
        return None
    return None if figure is None else {"day": figure.day, "visits": figure.visits}


def _concerns(alert: AlertRecord, scope: Scope, catalog: Catalog) -> bool:
    """France's page shows all; others what lies in their region, and what is national."""
    if scope.kind == "france" or alert.scope == "national":
        return True
    if alert.project is not None:
        return alert.project == scope.code if scope.kind == "project" else alert.project in projects_of(scope, catalog)
    return alert.region == region_of(scope, catalog)


def _alert(alert: AlertRecord, here: object, words: Words, picture: Picture) -> dict[str, Any]:
    title, _, rest = words.sentence(alert).partition(" : ")
    now_ms = picture.settled_ms or picture.read_ms
    is_here = here is not None and (alert.region, alert.service, alert.project) == (
        getattr(here, "region", None), getattr(here, "service", None), getattr(here, "project", None))  # fmt: skip
    return {
        "id": alert.id,
        "kind": alert.kind,
        "title": title,
        "explanation": rest[:1].upper() + rest[1:],
        "startMinute": alert.start_ms // 60_000,
        "endMinute": None if alert.end_ms is None else alert.end_ms // 60_000,
        "seconds": max(0, (now_ms - alert.start_ms) // 1000),
        "planned": alert.planned,
        "learning": alert.learning,
        "region": alert.region,
        "project": alert.project,
        "here": is_here,
    }
