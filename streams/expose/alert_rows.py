"""`/api/v1/alerts` and `/api/v1/expected`, and the rows that `vigie alerts` prints."""

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
from streams.errors import InputError
from streams.expose.alert_french import Words
from streams.expose.minutes_query import read_time
from streams.expose.sight import Sight
from streams.live import AlertRecord, AlertStore
from streams.observe import ExpectedRow
from streams.watch import AlertScope

RUNNING, ENDED, ALL = STATES = ("running", "ended", "all")
#: Without `from`, expectations of the last two hours.
EXPECTED_MINUTES = 120


@dataclass(frozen=True, slots=True)
class DriverRow:
    """A part of the alert's scope that deviates most, over the same minutes."""

    scope: str
    region: str | None
    service: str | None
    project: str | None
    observed: float
    expected: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert, with its figures as judged: sums over the minutes from `start` to `end` (while it runs: to the last judged minute).

    `raised` is when it was raised. `measure` says what was counted. `lower` and `upper` are the sums of the bounds. `planned` names the
    maintenance it lies in. `normal_since`: from when on its level is learned as the new normal. `explanation` is in French.
    """

    id: str
    kind: str
    scope: str
    region: str | None
    service: str | None
    project: str | None
    measure: str
    start: str
    raised: str
    end: str | None
    observed: float
    expected: float
    lower: float
    upper: float
    ratio: float | None
    learning: bool
    planned: str | None
    normal_since: str | None
    drivers: list[DriverRow]
    explanation: str


@dataclass(frozen=True, slots=True)
class AlertsAnswer:
    """Newest start first. `judged_to` is the time up to which some observer judged, null before the first minute."""

    judged_to: str | None
    alerts: list[AlertRow]


@dataclass(frozen=True, slots=True)
class ExpectedMinute:
    """What was expected of one judged row, which is `minutes` long; null where nothing is known to compare with."""

    minute: str
    minutes: int
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    learning: bool


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """Rows in order of time."""

    rows: list[ExpectedMinute]


def alert_row(alert: AlertRecord, words: Words, *, full: bool = False) -> AlertRow:
    """One alert for a reader."""
    ratio = alert.ratio
    drivers = [
        DriverRow(_level(d), d.region, d.service, d.project, d.observed, d.expected, d.ratio) for d in alert.drivers
    ]
    return AlertRow(
        alert.id,
        alert.kind,
        alert.scope,
        alert.region,
        alert.service,
        alert.project,
        alert.measure,
        iso_utc(alert.start_ms),
        iso_utc(alert.raised_ms),
        None if alert.end_ms is None else iso_utc(alert.end_ms),
        alert.observed,
        alert.expected,
        alert.lower,
        alert.upper,
        None if ratio is None else round(ratio, 3),
        alert.learning,
        alert.planned,
        None if alert.normal_since_ms is None else iso_utc(alert.normal_since_ms),
        drivers,
        words.explanation(alert) if full else words.sentence(alert),
    )


def _level(driver: Any) -> str:
    return "project" if driver.project else "service" if driver.service else "region"


def chosen(alerts: Sequence[AlertRecord], state: str, from_ms: int | None, to_ms: int | None) -> list[AlertRecord]:
    """Those of a state that run or ran at some time in `from <= time < to`.

    Raises:
        InputError: no such state.
    """
    if state not in STATES:
        raise InputError(f"state: {state[:40]!r} is none; allowed: {', '.join(STATES)}")
    return [
        one
        for one in alerts
        if (state == ALL or (one.end_ms is None) == (state == RUNNING))
        and (to_ms is None or one.start_ms < to_ms)
        and (from_ms is None or one.end_ms is None or one.end_ms > from_ms)
    ]


def read_times(from_text: str | None, to_text: str | None, dashes: str = "") -> tuple[int | None, int | None]:
    """Two bounds in epoch ms; `dashes` stand before their names in an error.

    Raises:
        InputError: one is no time.
    """
    return (
        None if from_text is None else read_time(f"{dashes}from", from_text),
        None if to_text is None else read_time(f"{dashes}to", to_text),
    )


def read_scope(region: str | None, service: str | None, project: str | None, catalog: Catalog) -> AlertScope:
    """The scope of three parameters; without any, France.

    Raises:
        InputError: a code is not listed, or they do not go together.
    """
    listed = {
        "region": (region, catalog.region_codes),
        "service": (service, catalog.service_codes),
        "project": (project, catalog.project_codes),
    }
    for name, (code, codes) in listed.items():
        if code is not None and code not in codes:
            raise InputError(f"{name}: {code[:40]!r} is not in config/{name}s.yaml; allowed: {', '.join(codes)}")
    if project is not None and (region is not None or service is not None):
        raise InputError("project goes without region and service: ask for it alone")
    return AlertScope(region, service, project)


@dataclass(frozen=True, slots=True)
class AlertParts:
    """What the two answers need. `expected` gives rows of a scope, in minutes of the clock; `now_ms` the clock."""

    store: AlertStore
    words: Words
    expected: Callable[[AlertScope, int, int], list[ExpectedRow]]
    now_ms: Callable[[], int]


_FROM = Query(alias="from", description="ISO 8601; UTC without an offset.", json_schema_extra={"format": "date-time"})
_TO = Query(description="ISO 8601, left out.", json_schema_extra={"format": "date-time"})


def add_alerts(
    app: FastAPI, parts: AlertParts, refuse: Callable[[Request, tuple[str, ...]], None], refused: Any
) -> None:
    """Add the addresses; `refuse` refuses parameters that are not allowed, `refused` describes the answers that are none."""

    @app.get("/api/v1/alerts", response_model=AlertsAnswer, responses=refused, tags=["api"])
    def alerts(
        request: Request,
        state: Annotated[str, Query(json_schema_extra={"enum": list(STATES)})] = ALL,
        from_: Annotated[str | None, _FROM] = None,
        to: Annotated[str | None, _TO] = None,
    ) -> Response:
        """Surges, drops, silences and projects never seen: those that run, those that ended, or all that are kept."""
        refuse(request, ("state", "from", "to"))
        book = Sight(viewer_of(request), parts.words.catalog).book(parts.store.book())
        found = chosen(book.alerts, state, *read_times(from_, to))
        judged = None if book.judged_minute is None else iso_utc((book.judged_minute + 1) * 60_000)
        return _answer(AlertsAnswer(judged, [alert_row(one, parts.words) for one in found]))

    absent = {404: {**refused[422], "description": "No alert of this id is kept."}}

    @app.get("/api/v1/alerts/{alert_id}", response_model=AlertRow, responses=refused | absent, tags=["api"])
    def alert(request: Request, alert_id: str) -> Response:
        """One alert, with its whole explanation."""
        refuse(request, ())
        for one in Sight(viewer_of(request), parts.words.catalog).book(parts.store.book()).alerts:
            if one.id == alert_id:
                return _answer(alert_row(one, parts.words, full=True))
        raise HTTPException(404, f"no alert {alert_id[:120]!r} is kept: /api/v1/alerts lists them")

    @app.get("/api/v1/expected", response_model=ExpectedAnswer, responses=refused, tags=["api"])
    def expected(
        request: Request,
        from_: Annotated[str | None, _FROM] = None,
        to: Annotated[str | None, _TO] = None,
        *,
        region: str | None = None,
        service: str | None = None,
        project: str | None = None,
    ) -> Response:
        """What visits were expected of France, a region, a service, a service of a region, or a project; minutes of the last 72 hours."""
        refuse(request, ("from", "to", "region", "service", "project"))
        scope = read_scope(region, service, project, parts.words.catalog)
        Sight(viewer_of(request), parts.words.catalog).hold(scope)
        end = parts.now_ms() if to is None else read_time("to", to)
        begin = end - EXPECTED_MINUTES * 60_000 if from_ is None else read_time("from", from_)
        if begin > end:
            raise InputError("from is after to: swap them")
        rows = parts.expected(scope, -(-begin // 60_000), -(-end // 60_000))
        return _answer(ExpectedAnswer([_minute(row) for row in rows]))


def _minute(row: ExpectedRow) -> ExpectedMinute:
    return ExpectedMinute(
        iso_utc(row.minute * 60_000), row.step_minutes, row.observed, row.expected, row.lower, row.upper, row.learning
    )


def _answer(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
