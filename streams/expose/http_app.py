"""The HTTP side of an observer: `/metrics`, `/api/v1`, `/healthz`, `/readyz`, OpenAPI. Every answer that is JSON is written by orjson."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from streams import __version__
from streams.access import AccessScope, viewer_of
from streams.catalog import Catalog
from streams.clock import iso_utc
from streams.errors import InputError, VigieError
from streams.expose.alert_rows import AlertParts, add_alerts
from streams.expose.codes import Codes
from streams.expose.collector import Scraper, render
from streams.expose.incidents import IncidentParts, add_incidents
from streams.expose.minute_rows import Row, read_rows
from streams.expose.minutes_query import DEFAULT_BY, GROUPINGS, MEASURES, read_question
from streams.expose.page import Feed, add_accessibility, add_page, add_runbooks
from streams.expose.prevision_page import add_forecast
from streams.expose.sight import OutOfSight, Sight
from streams.expose.status import Status
from streams.expose.unseen_rows import UnseenAnswer, shaped, unseen_rows
from streams.forecast.kept import KeptForecast
from streams.live import LiveReader, SketchReader
from streams.observe import Observer, not_ready_because
from streams.observe.herald import Herald, ObserverLoops
from streams.web import exposed

JSON = "application/json"
_VISITS = (
    "Visits by the ministry's rule (a gap of 30 minutes or more starts another), in the minute and under the codes of the event that "
    "starts them. By service: visits of that service, which added up over services are no number of visits."
)
_USERS = (
    "Distinct visitors of this minute, approximate (HyperLogLog, 0.81 % standard error); they never add up. Only by region, project, "
    "academy or none, and only for minutes younger than 20 settled minutes: absent otherwise. Null where they are fewer than the setting "
    "users_shown_min (5), but some."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Every answer that is not the one asked for: what is wrong and what to do."""

    error: str


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """One minute and the codes of its grouping; the members that `by` does not name, and the measures that are not asked, are absent."""

    minute: str
    settled: bool
    region: str | None = None
    service: str | None = None
    project: str | None = None
    profile: str | None = None
    academy: str | None = None
    events: Annotated[int | None, Field(description="Accepted events, repeats of an id removed.")] = None
    visits: Annotated[int | None, Field(description=_VISITS)] = None
    users: Annotated[int | None, Field(description=_USERS)] = None


@dataclass(frozen=True, slots=True)
class MinutesAnswer:
    """Rows by minute, then codes; rows of zero are left out. `settled_to` is the time up to which they are settled."""

    by: str
    measure: Annotated[str | None, Field(description="The only measure of the rows; null: all that the grouping has.")]
    settled_to: str | None
    rows: list[MinuteRow]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the process lives; `reason` says why a supervisor should start it again."""

    status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the observer reads Redis and settles, and no part of it has a defect; `reason` says why not. `problems`: what keeps any of
    its parts from their work, such as an archive that cannot be written; the observer may be ready all the same.
    """

    ready: bool
    reason: str | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of; `status` looks at the servers anew."""

    reader: LiveReader
    sketches: SketchReader
    observer: Observer
    loops: ObserverLoops
    herald: Herald
    scraper: Scraper
    codes: Codes
    catalog: Catalog
    status: Callable[[], Status]
    alerts: AlertParts
    incidents: IncidentParts
    feed: Feed
    shift_seconds: int
    runbooks: Path
    #: The forecast that a command kept.
    forecast: Callable[[], KeptForecast | None] = lambda: None
    #: Why a supervisor should start this observer again, None where it should not.
    dead: Callable[[], str | None] = lambda: None


_REFUSED: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter is not allowed; the message says what is."},
    503: {"model": Problem, "description": "Redis does not answer as needed."},
}
_TIME = {"format": "date-time"}


def answer(value: object, status: int = 200) -> Response:
    """One JSON answer."""
    return Response(orjson.dumps(value), status_code=status, media_type=JSON)


def create_app(parts: Parts, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None) -> FastAPI:
    """Build the application; `lifespan` starts and stops what runs beside it."""
    app = FastAPI(
        title="Vigie",
        version=__version__,
        description="Live audience measurement of France's school portals: counts by minute, and the state of the chain.",
        lifespan=lifespan,
        redirect_slashes=False,
        servers=[{"url": "."}],  # relative to this description: a proxy may serve it below any prefix
        # FastAPI's pages load their scripts from a third party: not in the browsers of a public administration.
        docs_url=None,
        redoc_url=None,
    )
    _add_errors(app)
    _add_health(app, parts.observer, parts.loops, parts.dead)
    _add_metrics(app, parts.scraper)
    _add_api(app, parts)
    _add_unseen(app, parts)
    add_alerts(app, parts.alerts, _refuse_unknown, _REFUSED)
    add_incidents(app, parts.incidents, _refuse_unknown, _REFUSED)
    add_forecast(app, parts.forecast, parts.catalog, _refuse_unknown, _REFUSED)
    add_page(app, parts.feed, parts.shift_seconds)
    add_runbooks(app, parts.runbooks)
    add_accessibility(app, parts.runbooks.parent / "accessibilite.md")
    return app


def _add_errors(app: FastAPI) -> None:
    async def refused(_request: Request, error: Exception) -> Response:
        return answer(Problem(str(error)), 422)

    async def unseen(_request: Request, error: Exception) -> Response:
        return answer(Problem(str(error)), 403)

    async def unavailable(_request: Request, error: Exception) -> Response:
        return answer(Problem(str(error)), 503)

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = answer(Problem(f"{error.detail}; /openapi.json lists what exists"), error.status_code)
        response.headers.update(error.headers or {})
        return response

    app.add_exception_handler(InputError, refused)
    app.add_exception_handler(OutOfSight, unseen)
    app.add_exception_handler(VigieError, unavailable)
    app.add_exception_handler(HTTPException, http)


def _add_health(app: FastAPI, observer: Observer, loops: ObserverLoops, dead: Callable[[], str | None]) -> None:
    # Both answer from memory, on the event loop: no slow Redis and no busy thread can delay them.
    @app.get(
        "/healthz",
        response_model=Health,
        responses={503: {"model": Health, "description": "To be started again; `reason` says why."}},
        tags=["health"],
    )
    async def healthz(request: Request) -> Response:
        """200; 503 once Redis did not answer for `alive_without_redis_seconds`: then a supervisor may start the observer again."""
        why = dead()
        if why is None:
            return answer(Health("alive"))
        return answer(Health("not alive", why if viewer_of(request).may(AccessScope.READ) else None), 503)

    @app.get(
        "/readyz",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Not ready; `reason` says why."}},
        tags=["health"],
    )
    async def readyz(request: Request) -> Response:
        """200 once Redis answers and the observer's loop ran, before any event; else, or where a part has a defect, 503 and the reason."""
        reason = next(iter(loops.defects()), None) or not_ready_because(observer.loop.state, time.monotonic())
        if not viewer_of(request).may(AccessScope.READ):
            return answer(Readiness(reason is None, None), 200 if reason is None else 503)
        return answer(Readiness(reason is None, reason, loops.problems()), 200 if reason is None else 503)


def _add_metrics(app: FastAPI, scraper: Scraper) -> None:
    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        return exposed(request, *render(scraper.scrape(), request.headers.get("accept", "")))


def _add_api(app: FastAPI, parts: Parts) -> None:
    @app.get("/api/v1/minutes", response_model=MinutesAnswer, responses=_REFUSED, tags=["api"])
    def minutes(
        request: Request,
        from_: Annotated[
            str | None,
            Query(
                alias="from",
                description="First start of a minute, ISO 8601; UTC without an offset.",
                json_schema_extra=_TIME,
            ),
        ] = None,
        to: Annotated[
            str | None, Query(description="Start of a minute that is left out, ISO 8601.", json_schema_extra=_TIME)
        ] = None,
        by: Annotated[
            str, Query(description="What is counted together.", json_schema_extra={"enum": list(GROUPINGS)})
        ] = DEFAULT_BY,
        measure: Annotated[
            str | None,
            Query(
                description="The only measure wanted; without it all that the grouping has. Users: by region, project, academy or none.",
                json_schema_extra={"enum": list(MEASURES)},
            ),
        ] = None,
    ) -> Response:
        """Counts by minute, all that Redis holds unless bounded; running minutes have `settled` false."""
        _refuse_unknown(request, ("from", "to", "by", "measure"))
        question = read_question(from_, to, by, measure)
        is_seen = Sight(viewer_of(request), parts.catalog).rows(question.grouping)
        snapshot = parts.reader.snapshot()
        pages = read_rows(parts.reader, parts.sketches, snapshot, question, parts.codes)
        if is_seen is not None:
            pages = ([row for row in page if is_seen(row)] for page in pages)
        first = next(pages, [])  # a Redis that is down shows here, before the answer has begun
        settled = None if snapshot.settled_ms is None else iso_utc(snapshot.settled_ms, milliseconds=True)
        head = {"by": question.grouping.name, "measure": measure, "settled_to": settled}
        return StreamingResponse(_stream(head, first, pages), media_type=JSON)

    @app.get(
        "/api/v1/status",
        response_model=Status,
        responses={503: {"model": Status, "description": "Redis is down; `problems` says so."}, 422: _REFUSED[422]},
        tags=["api"],
    )
    def status(request: Request) -> Response:
        """State of the chain: servers, partitions, lag, totals, processes."""
        _refuse_unknown(request, ())
        Sight(viewer_of(request), parts.catalog).hold_whole()
        found = parts.status()
        return answer(found, 200 if found.redis.up else 503)


def _add_unseen(app: FastAPI, parts: Parts) -> None:
    @app.get("/api/v1/unseen", response_model=UnseenAnswer, responses=_REFUSED, tags=["api"])
    def unseen(request: Request) -> Response:
        """Values of the last 24 hours that no list knows: their events count under INCONNU. Administrators see them as they were sent,
        readers cut to a shape where they look like more than a code.
        """
        _refuse_unknown(request, ())
        viewer = viewer_of(request)
        Sight(viewer, parts.catalog).hold_whole()
        rows = unseen_rows(parts.reader, parts.catalog)
        return answer(UnseenAnswer(rows if viewer.may(AccessScope.ADMIN) else [shaped(row) for row in rows]))


def _refuse_unknown(request: Request, allowed: tuple[str, ...]) -> None:
    # A parameter misspelt and ignored would answer another question than the one asked.
    for name in request.query_params:
        if name not in allowed:
            raise InputError(f"{name[:60]!r} is no parameter here; allowed: {', '.join(allowed) or 'none'}")


def _stream(head: dict[str, str | None], first: list[Row], pages: Iterator[list[Row]]) -> Iterator[bytes]:
    """The answer piece by piece, `head` and then `rows`: days of minutes never lie in memory at once."""
    yield orjson.dumps(head)[:-1] + b',"rows":['
    written = False
    page: list[Row] | None = first
    while page is not None:
        if page:
            yield (b"," if written else b"") + orjson.dumps(page)[1:-1]
            written = True
        page = next(pages, None)
    yield b"]}"


def observer_lifespan(parts: Parts, stop_seconds_max: float) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Start the observer's loop with the server and stop it with the server."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        parts.observer.loop.start()
        parts.feed.start()
        parts.herald.loop.start()
        yield
        parts.herald.loop.stop(stop_seconds_max)
        parts.feed.stop(stop_seconds_max)
        parts.observer.loop.stop(stop_seconds_max)
        parts.reader.close()
        parts.sketches.close()

    return lifespan
