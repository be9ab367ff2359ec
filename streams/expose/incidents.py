"""`/api/v1/incidents`: what alerts come to, the same as on the page, in `vigie alerts`, in e-mails and on boards. Beside them
`/api/v1/alerts` and `/api/v1/expected`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from streams.access import viewer_of
from streams.clock import iso_utc
from streams.errors import InputError
from streams.expose.alert_french import Words
from streams.expose.alert_rows import (
    ALL,
    EXPECTED_MINUTES,
    AcknowledgedRow,
    AlertRow,
    AlertsAnswer,
    ExplainedRow,
    Links,
    alert_row,
    chosen,
    judged_to,
    links_of,
    read_times,
)
from streams.expose.answers import (
    API,
    REFUSED,
    Academy,
    ExpectedAnswer,
    From,
    Project,
    Region,
    Service,
    State,
    To,
    absent,
    answer,
    expected_minute,
)
from streams.expose.minutes_query import read_time
from streams.expose.scope import (
    ENGLISH,
    FRANCE,
    Sight,
    incident_of,
    incidents_for,
    judged_scope,
    project_regions,
    read_scope,
)
from streams.incidents import LEVELS, Acknowledgement, AlertBook, Incident, acknowledged
from streams.live import AlertStore
from streams.observe import ExpectedRow
from streams.watch import AlertScope


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
        words = self.words
        known = self.acknowledged(incident)
        counts = incident.counts
        told = (
            words.explanation(incident.alert) if full else words.sentence(incident.alert),
            words.explained(incident),
            words.acknowledged(known),
        )
        return IncidentRow(
            id=incident.id,
            title=words.title(incident.alert),
            explanation=("\n" if full else " ").join(filter(None, told)),
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
    """What the answers need; `acknowledgements` are those last read, `now_ms` is the clock."""

    store: AlertStore
    words: Words
    acknowledgements: Callable[[], Sequence[Acknowledgement] | None]
    now_ms: Callable[[], int]
    grafana_url: str | None = None

    def book(self, request: Request) -> AlertBook:
        """The alerts that are kept, as far as a request's viewer sees them."""
        return Sight(viewer_of(request), self.words.catalog).book(self.store.book())

    def telling(self) -> Telling:
        """With what is known now."""
        return Telling(self.words, self.acknowledgements(), self.now_ms(), self.grafana_url)


#: Rows of a scope, between two epoch minutes of the clock.
Expected = Callable[[AlertScope, int, int], list[ExpectedRow]]


def add_alerts(app: FastAPI, parts: IncidentParts, expected_rows: Expected) -> None:
    """Add the addresses."""

    @app.get("/api/v1/alerts", response_model=AlertsAnswer, responses=REFUSED, **API)
    def alerts(
        request: Request,
        state: State = ALL,
        from_: From = None,
        to: To = None,
    ) -> Response:
        """Surges, drops, silences and projects never seen: those that run, those that ended, or all that are kept."""
        book = parts.book(request)
        found = chosen(book.alerts, state, *read_times(from_, to))
        return answer(AlertsAnswer(judged_to(book), [alert_row(one, parts.words) for one in found]))

    @app.get(
        "/api/v1/alerts/{alert_id}", response_model=AlertRow, responses=absent("No alert of this id is kept."), **API
    )
    def alert(request: Request, alert_id: str) -> Response:
        """One alert, with its whole explanation."""
        if (found := next((one for one in parts.book(request).alerts if one.id == alert_id), None)) is None:
            raise HTTPException(404, f"no alert {alert_id[:120]!r} is kept: /api/v1/alerts lists them")
        return answer(alert_row(found, parts.words, full=True))

    @app.get("/api/v1/expected", response_model=ExpectedAnswer, responses=REFUSED, **API)
    def expected(
        request: Request,
        from_: From = None,
        to: To = None,
        *,
        region: Region = None,
        service: Service = None,
        project: Project = None,
    ) -> Response:
        """What visits were expected of France, a region, a service, a service of a region, or a project; minutes of the last 72 hours."""
        scope = read_scope(parts.words.catalog, region, None, project, service, names=ENGLISH)
        Sight(viewer_of(request), parts.words.catalog).hold(scope)
        end = parts.now_ms() if to is None else read_time("to", to)
        begin = end - EXPECTED_MINUTES * 60_000 if from_ is None else read_time("from", from_)
        if begin > end:
            raise InputError("from is after to: swap them")
        where = judged_scope(scope)
        rows = expected_rows(where, -(-begin // 60_000), -(-end // 60_000)) if where else []
        return answer(ExpectedAnswer([expected_minute(row) for row in rows]))


def add_incidents(app: FastAPI, parts: IncidentParts) -> None:
    """Add the addresses of incidents."""

    @app.get("/api/v1/incidents", response_model=IncidentsAnswer, responses=REFUSED, **API)
    def incidents(
        request: Request,
        state: State = ALL,
        from_: From = None,
        *,
        to: To = None,
        region: Region = None,
        academy: Academy = None,
        project: Project = None,
        service: Service = None,
    ) -> Response:
        """Alerts folded into incidents: each with what it explains, whether somebody is called, and who has taken it in charge."""
        scope = read_scope(parts.words.catalog, region, academy, project, service, names=ENGLISH)
        book, telling = parts.book(request), parts.telling()
        found = incidents_for(scope, book, parts.words.catalog)
        kept = {one.id for one in chosen([one.alert for one in found], state, *read_times(from_, to))}
        return answer(
            IncidentsAnswer(
                judged_to=judged_to(book),
                alerts=sum(1 + len(one.explains) for one in found if one.id in kept),
                acknowledgements="unknown" if telling.acknowledgements is None else "known",
                incidents=[telling.row(one) for one in found if one.id in kept],
            )
        )

    @app.get(
        "/api/v1/incidents/{incident_id}",
        response_model=IncidentRow,
        responses=absent("No incident of this id is kept."),
        **API,
    )
    def incident(request: Request, incident_id: str) -> Response:
        """One incident in full, with the alerts that it explains; the id of one of these leads to it, too."""
        kept = incidents_for(FRANCE, parts.book(request), parts.words.catalog)
        if (found := incident_of(kept, incident_id)) is None:
            raise HTTPException(404, f"no incident {incident_id[:120]!r} is kept: /api/v1/incidents lists them")
        return answer(parts.telling().row(found, full=True))
