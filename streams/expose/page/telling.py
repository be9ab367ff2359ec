"""What the detector and the archive say of one page's scope, for its board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.expose.page.board import JudgedParts
from streams.expose.page.grid import Grid
from streams.expose.page.incident_list import incidents, spans
from streams.expose.page.judged import HOPE_AGE_MINUTES_MAX, Sources, band, compared, judged_scope
from streams.expose.page.picture import Hope, Picture
from streams.expose.scope import Scope
from streams.observe import ExpectedRow
from streams.observe.series import SERVICE_ROWS

_NOT_HERE = "L'attendu se calcule par région et par ENT, pas par académie"


def told(sources: Sources, picture: Picture, scope: Scope, grid: Grid) -> JudgedParts:
    """Ask both; what cannot be had is None, with a note in French where a person would wonder. The grid may end before now."""
    where = judged_scope(scope)
    now = picture.settled_minute
    rows: Sequence[ExpectedRow] = ()
    found, note = None, None
    if where is None:
        note = _NOT_HERE
    elif picture.judged_to is None:
        note = "Pas encore d'attendu : le détecteur se prépare"
    elif now is not None:
        found = band(
            sources.expected(where, grid.first - SERVICE_ROWS, grid.end), grid
        )  # a row may begin before the curve
        rows = sources.expected(where, now - HOPE_AGE_MINUTES_MAX, now + 1)
        note = None if found else "Pas encore d'attendu : aucun jour comparable"
    return JudgedParts(
        found,
        None if now is None else compared(rows, now),
        note,
        None if now is None else _beside(sources, scope, now),
        None if picture.book is None else incidents(picture.book, picture, scope, sources.incidents),
        () if picture.book is None else spans(picture.book, where),
        _service_hopes(sources, picture, scope),
    )


def _service_hopes(sources: Sources, picture: Picture, scope: Scope) -> Mapping[str, Hope] | None:
    if scope.service is None:
        return None
    if picture.judged_to is None:
        return {}
    return sources.region_hopes(sources.incidents.words.catalog, picture.judged_to - 1, scope.service)


def _beside(sources: Sources, scope: Scope, minute: int) -> list[dict[str, Any]] | None:
    if sources.earlier is None:
        return None
    found = sources.earlier.beside(scope, minute)
    return [{"day": one.day, "what": one.what, "visits": one.visits} for one in found]
