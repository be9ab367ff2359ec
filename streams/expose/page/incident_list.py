"""The page's list of incidents, folded from all alerts of its scope and cut afterwards, and when alerts of the scope itself ran. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from streams.expose.alert_french import Words
from streams.expose.incidents import IncidentParts, Telling, incidents_for
from streams.expose.page.picture import Picture
from streams.expose.scope import Scope
from streams.incidents import AlertBook, AlertRecord, Incident
from streams.watch import AlertScope

#: Shown at most: running incidents, ended ones, and parts of each. How many there are is told beside them.
INCIDENTS_MAX, PARTS_MAX = 40, 20


def incidents(book: AlertBook, picture: Picture, scope: Scope, parts: IncidentParts) -> dict[str, Any]:
    """As JSON: how many run, how many ended, from how many alerts; of each the first ones."""
    telling = Telling(parts.words, picture.acknowledgements, picture.read_ms, parts.grafana_url)
    found = incidents_for(scope, book, parts.words.catalog)
    running, ended = ([one for one in found if one.is_running == wanted] for wanted in (True, False))
    now_ms = picture.settled_ms or picture.read_ms
    return {
        "running": len(running),
        "ended": len(ended),
        "alerts": sum(1 + sum(one.counts.values()) for one in running),
        "acknowledgementsKnown": picture.acknowledgements is not None,
        "list": [_shown(one, telling, now_ms) for one in (*running[:INCIDENTS_MAX], *ended[:INCIDENTS_MAX])],
    }


def _shown(incident: Incident, telling: Telling, now_ms: int) -> dict[str, Any]:
    row, alert = telling.row(incident), incident.alert
    known = telling.acknowledged(incident)
    explanation = telling.words.sentence(alert).partition(" : ")[2]
    return {
        "id": row.id,
        "kind": alert.kind,
        "title": row.title,
        "explanation": explanation[:1].upper() + explanation[1:],
        "severity": row.severity,
        "called": row.called,
        "quiet": row.quiet,
        "planned": alert.planned,
        "learning": alert.learning,
        **_times(alert),
        "seconds": max(0, (now_ms - alert.start_ms) // 1000),
        "region": alert.region,
        "service": alert.service,
        "project": alert.project,
        "ratio": alert.ratio,
        "ratioNow": alert.ratio_now,
        "explained": telling.words.explained(incident),
        "explains": asdict(row.explains),
        "parts": [_part(one, telling.words) for one in _of_its_time(incident)[:PARTS_MAX]],
        "apart": len(incident.apart),
        "acknowledged": None
        if known is None
        else {"by": known.by, "untilMs": known.until_ms, "comment": known.comment},
        "links": asdict(row.links),
    }


def _of_its_time(incident: Incident) -> list[AlertRecord]:
    """What `explains` counts."""
    return [one for one in incident.explains if one.end_ms is None or not incident.is_running]


def _part(alert: AlertRecord, words: Words) -> dict[str, Any]:
    return {"id": alert.id, "title": words.title(alert), "kind": alert.kind, "ratio": alert.ratio, **_times(alert)}


def _times(alert: AlertRecord) -> dict[str, int | None]:
    end = None if alert.end_ms is None else alert.end_ms // 60_000
    return {"startMinute": alert.start_ms // 60_000, "endMinute": end}


def spans(book: AlertBook, here: AlertScope | None) -> Sequence[Sequence[int | None]]:
    """First minute and the one after the last (None: it runs) of all alerts of a scope itself, part of a wider incident or not."""
    if here is None:
        return ()
    own = [
        one
        for one in book.alerts
        if (one.region, one.service, one.project) == (here.region, here.service, here.project)
    ]
    return [(one.start_ms // 60_000, None if one.end_ms is None else one.end_ms // 60_000) for one in own]
