"""`/api/v1/incidents`: what alerts come to, the same as on the page, in `vigie alerts`, in e-mails and on boards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from starlette.exceptions import HTTPException

from streams.access import viewer_of
from streams.catalog import Catalog
from streams.clock import iso_utc
from streams.expose.alert_french import Words
from streams.expose.alert_rows import ALL, STATES, AlertRow, alert_row, chosen, read_times
from streams.expose.links import Links, links_of
from streams.expose.scope import ENGLISH, FRANCE, Scope, concerns, project_regions, read_scope
from streams.expose.sight import Sight
from streams.incidents import LEVELS, Acknowledgement, AlertBook, Incident, acknowledged, fold
from streams.live import AlertStore


@dataclass(frozen=True, slots=True)
class AcknowledgedRow:
    """Who has taken it in charge, until when, and what was said."""

    who: str
    until: str
    comment: str


@dataclass(frozen=True, slots=True)
class ExplainedRow:
    """How many other alerts an incident explains (`alerts`), by what they are of: those that run while it runs, then all."""

    alerts: int
    national: int
    regions: int
    projects: int
    services: int


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident. `alert` is the one that explains the others, with its figures; `id` is its id.

    `called`: somebody is called for it; where nobody is, `quiet` says why (`planned`, `learning`, `small`, `held`). `severity` is
    `critical` or `warning`. `apart` are ids of incidents that run inside its scope and that it does not explain. `alerts` are those that
    it explains; null in the list of incidents. `title` and `explanation` are in French.
    """

    id: str
    title: str
    explanation: str
    severity: str
    called: bool
    quiet: str | None
    acknowledged: AcknowledgedRow | None
    alert: AlertRow
    explains: ExplainedRow
    apart: list[str]
    links: Links
    alerts: list[AlertRow] | None


@dataclass(frozen=True, slots=True)
class IncidentsAnswer:
    """Running ones first, of them those that somebody is called for, the widest first; then those that are over, the newest first.

    `judged_to` is the time up to which some observer judged, null before the first minute. `alerts` is how many alerts were folded.
    `acknowledgements` is `known`, or `unknown` where Alertmanager does not answer: then nothing is said of who took what in charge.
    """

    judged_to: str | None
    alerts: int
    acknowledgements: str
    incidents: list[IncidentRow]


def incidents_for(scope: Scope, book: AlertBook, catalog: Catalog) -> tuple[Incident, ...]:
    """The incidents that a viewer of a scope sees, in the order of `streams.incidents.fold`."""
    seen = [one for one in book.alerts if concerns(one, scope, catalog)]
    judged_ms = 0 if book.judged_minute is None else (book.judged_minute + 1) * 60_000
    return fold(seen, project_regions(catalog), judged_ms)


@dataclass(frozen=True, slots=True)
class Telling:
    """What it takes to tell incidents: words, acknowledgements as they are known (None: Alertmanager does not answer), the clock, and where
    Grafana is.
    """

    words: Words
    acknowledgements: Sequence[Acknowledgement] | None
    now_ms: int
    grafana_url: str | None = None

    def acknowledged(self, incident: Incident) -> Acknowledgement | None:
        """Who has taken it in charge."""
        return acknowledged(incident, self.acknowledgements or (), project_regions(self.words.catalog))

    def row(self, incident: Incident, *, full: bool = False) -> IncidentRow:
        """One incident for a reader."""
        words, known = self.words, self.acknowledged(incident)
        told = [
            words.explanation(incident.alert) if full else words.sentence(incident.alert),
            words.explained(incident),
        ]
        told.append(words.acknowledged(known))
        counts = incident.counts
        return IncidentRow(
            id=incident.id,
            title=words.title(incident.alert),
            explanation=("\n" if full else " ").join(text for text in told if text),
            severity=incident.severity,
            called=incident.is_running and incident.quiet is None,
            quiet=incident.quiet,
            acknowledged=None if known is None else AcknowledgedRow(known.by, iso_utc(known.until_ms), known.comment),
            alert=alert_row(incident.alert, words),
            explains=ExplainedRow(sum(counts.values()), *(counts[level] for level in LEVELS)),
            apart=list(incident.apart),
            links=links_of(incident.alert, project_regions(words.catalog), self.now_ms, self.grafana_url),
            alerts=[alert_row(one, words) for one in incident.explains] if full else None,
        )


@dataclass(frozen=True, slots=True)
class IncidentParts:
    """What the two answers need; `acknowledgements` are those last read, `now_ms` is the clock."""

    store: AlertStore
    words: Words
    acknowledgements: Callable[[], Sequence[Acknowledgement] | None]
    now_ms: Callable[[], int]
    grafana_url: str | None = None

    def telling(self) -> Telling:
        """With what is known now."""
        return Telling(self.words, self.acknowledgements(), self.now_ms(), self.grafana_url)


_FROM = Query(alias="from", description="ISO 8601; UTC without an offset.", json_schema_extra={"format": "date-time"})
_TO = Query(description="ISO 8601, left out.", json_schema_extra={"format": "date-time"})


def add_incidents(
    app: FastAPI, parts: IncidentParts, refuse: Callable[[Request, tuple[str, ...]], None], refused: Any
) -> None:
    """Add the addresses; `refuse` refuses parameters that are not allowed, `refused` describes the answers that are none."""

    @app.get("/api/v1/incidents", response_model=IncidentsAnswer, responses=refused, tags=["api"])
    def incidents(
        request: Request,
        state: Annotated[str, Query(json_schema_extra={"enum": list(STATES)})] = ALL,
        from_: Annotated[str | None, _FROM] = None,
        *,
        to: Annotated[str | None, _TO] = None,
        region: str | None = None,
        academy: str | None = None,
        project: str | None = None,
        service: str | None = None,
    ) -> Response:
        """Alerts folded into incidents: each with what it explains, whether somebody is called, and who has taken it in charge."""
        refuse(request, ("state", "from", "to", *ENGLISH))
        scope = read_scope(parts.words.catalog, region, academy, project, service, names=ENGLISH)
        book, telling = Sight(viewer_of(request), parts.words.catalog).book(parts.store.book()), parts.telling()
        found = incidents_for(scope, book, parts.words.catalog)
        kept = {one.id for one in chosen([one.alert for one in found], state, *read_times(from_, to))}
        rows = [telling.row(one) for one in found if one.id in kept]
        return _answer(
            IncidentsAnswer(
                judged_to=None if book.judged_minute is None else iso_utc((book.judged_minute + 1) * 60_000),
                alerts=sum(1 + len(one.explains) for one in found if one.id in kept),
                acknowledgements="unknown" if telling.acknowledgements is None else "known",
                incidents=rows,
            )
        )

    absent = {404: {**refused[422], "description": "No incident of this id is kept."}}

    @app.get("/api/v1/incidents/{incident_id}", response_model=IncidentRow, responses=refused | absent, tags=["api"])
    def incident(request: Request, incident_id: str) -> Response:
        """One incident in full, with the alerts that it explains; the id of one of these leads to it, too."""
        refuse(request, ())
        telling = parts.telling()
        book = Sight(viewer_of(request), parts.words.catalog).book(parts.store.book())
        found = incident_of(incidents_for(FRANCE, book, parts.words.catalog), incident_id)
        if found is None:
            raise HTTPException(404, f"no incident {incident_id[:120]!r} is kept: /api/v1/incidents lists them")
        return _answer(telling.row(found, full=True))


def incident_of(incidents: Sequence[Incident], alert_id: str) -> Incident | None:
    """The incident that an alert is in."""
    return next((one for one in incidents if alert_id in (one.id, *(part.id for part in one.explains))), None)


def _answer(value: IncidentsAnswer | IncidentRow) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
