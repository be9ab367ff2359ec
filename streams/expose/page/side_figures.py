"""The figures beside the headline: of each scope those that are measured for it, and one sentence of what is not. Pure."""

from __future__ import annotations

from typing import Any

from streams.expose.page.picture import Picture
from streams.expose.scope import Scope
from streams.live import Distinct, Told

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
        schools = _of(picture.census.establishments, scope)
    establishments = _figure("Établissements, 15 min", schools, "≈")
    if scope.kind in ("academy", "project"):
        own = [users, _figure("Visites, 15 min", visits), events]
        return own if scope.kind == "academy" else [*own, establishments]
    return [users, _figure("Utilisateurs, aujourd'hui", _users(picture, scope, "day"), "≈"), events, establishments]


def _users(picture: Picture, scope: Scope, window: str) -> int | str | None:
    if picture.census is None:
        return None
    number = _of(picture.census.users[window], scope)
    return picture.census.few.french if number is None else number


def _figure(title: str, value: float | str | None, unit: str = "") -> dict[str, Any]:
    return {"title": title, "value": value, "unit": unit}


def _of(distinct: Distinct[Told], scope: Scope) -> Told | int:
    if scope.kind == "region":
        return distinct.by_region.get(scope.code, 0)
    if scope.kind == "academy":
        return distinct.by_academy.get(scope.code, 0)
    if scope.kind == "project":
        return distinct.by_project.get(scope.code, 0)
    return distinct.national
