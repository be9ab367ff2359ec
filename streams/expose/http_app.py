"""The HTTP side of an observer: `/metrics`, `/api/v1`, `/healthz`, `/readyz`, OpenAPI. Every answer that is JSON is written by orjson."""

import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse

from streams import __version__
from streams.access import AccessScope, viewer_of
from streams.catalog import Catalog
from streams.clock import iso_utc
from streams.expose.answers import API, JSON, REFUSED, TIME, Health, MinutesAnswer, Readiness, add_errors, answer
from streams.expose.collector import Scraper, render
from streams.expose.incidents import Expected, IncidentParts, add_alerts, add_incidents
from streams.expose.minutes_query import DEFAULT_BY, GROUPINGS, MEASURES, Row, read_question, read_rows
from streams.expose.page import Feed, add_accessibility, add_forecast, add_page, add_runbooks
from streams.expose.scope import Sight
from streams.expose.status import Status
from streams.expose.unseen_rows import UnseenAnswer, shaped, unseen_rows
from streams.forecast.kept import KeptForecast
from streams.live import LiveReader, SketchReader
from streams.observe import Observer, not_ready_because
from streams.observe.herald import Herald, ObserverLoops
from streams.web import exposed


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of; `status` looks at the servers anew."""

    reader: LiveReader
    sketches: SketchReader
    observer: Observer
    loops: ObserverLoops
    herald: Herald
    scraper: Scraper
    catalog: Catalog
    status: Callable[[], Status]
    expected: Expected
    incidents: IncidentParts
    feed: Feed
    shift_seconds: int
    runbooks: Path
    #: The forecast that a command kept.
    forecast: Callable[[], KeptForecast | None] = lambda: None
    #: Why a supervisor should start this observer again, None where it should not.
    dead: Callable[[], str | None] = lambda: None


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
    add_errors(app)
    _add_health(app, parts)
    _add_api(app, parts)
    add_alerts(app, parts.incidents, parts.expected)
    add_incidents(app, parts.incidents)
    add_forecast(app, parts.forecast, parts.catalog)
    add_page(app, parts.feed, parts.shift_seconds)
    add_runbooks(app, parts.runbooks)
    add_accessibility(app, parts.runbooks.parent / "accessibilite.md")
    return app


def _add_health(app: FastAPI, parts: Parts) -> None:
    # These two answer from memory, on the event loop: no slow Redis and no busy thread can delay them.
    @app.get(
        "/healthz",
        response_model=Health,
        responses={503: {"model": Health, "description": "To be started again; `reason` says why."}},
        tags=["health"],
    )
    async def healthz(request: Request) -> Response:
        """200; 503 once Redis did not answer for `alive_without_redis_seconds`: then a supervisor may start the observer again."""
        if (why := parts.dead()) is None:
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
        reason = next(iter(parts.loops.defects()), None)
        reason = reason or not_ready_because(parts.observer.loop.state, time.monotonic())
        told = (reason, parts.loops.problems()) if viewer_of(request).may(AccessScope.READ) else (None, ())
        return answer(Readiness(reason is None, *told), 200 if reason is None else 503)

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        return exposed(request, *render(parts.scraper.scrape(), request.headers.get("accept", "")))


def _add_api(app: FastAPI, parts: Parts) -> None:
    @app.get("/api/v1/minutes", response_model=MinutesAnswer, responses=REFUSED, **API)
    def minutes(
        request: Request,
        from_: Annotated[
            str | None,
            Query(
                alias="from",
                description="First start of a minute, ISO 8601; UTC without an offset.",
                json_schema_extra=TIME,
            ),
        ] = None,
        to: Annotated[
            str | None, Query(description="Start of a minute that is left out, ISO 8601.", json_schema_extra=TIME)
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
        question = read_question(from_, to, by, measure)
        is_seen = Sight(viewer_of(request), parts.catalog).rows(question.grouping)
        snapshot = parts.reader.snapshot()
        pages = read_rows(parts.reader, parts.sketches, snapshot, question, parts.scraper.lists.codes)
        if is_seen is not None:
            pages = ([row for row in page if is_seen(row)] for page in pages)
        first = next(pages, [])  # a Redis that is down shows here, before the answer has begun
        settled = None if snapshot.settled_ms is None else iso_utc(snapshot.settled_ms, milliseconds=True)
        head = {"by": question.grouping.name, "measure": measure, "settled_to": settled}
        return StreamingResponse(_stream(head, first, pages), media_type=JSON)

    @app.get(
        "/api/v1/status",
        response_model=Status,
        responses={503: {"model": Status, "description": "Redis is down; `problems` says so."}, 422: REFUSED[422]},
        **API,
    )
    def status(request: Request) -> Response:
        """State of the chain: servers, partitions, lag, totals, processes."""
        Sight(viewer_of(request), parts.catalog).hold_whole()
        found = parts.status()
        return answer(found, 200 if found.redis.up else 503)

    @app.get("/api/v1/unseen", response_model=UnseenAnswer, responses=REFUSED, **API)
    def unseen(request: Request) -> Response:
        """Values of the last 24 hours that no list knows: their events count under INCONNU. Administrators see them as they were sent,
        readers cut to a shape where they look like more than a code.
        """
        viewer = viewer_of(request)
        Sight(viewer, parts.catalog).hold_whole()
        rows = unseen_rows(parts.reader, parts.catalog)
        return answer(UnseenAnswer(rows if viewer.may(AccessScope.ADMIN) else [shaped(row) for row in rows]))


def _stream(head: dict[str, str | None], first: list[Row], pages: Iterator[list[Row]]) -> Iterator[bytes]:
    """The answer piece by piece, `head` and then `rows`: days of minutes never lie in memory at once."""
    yield orjson.dumps(head)[:-1] + b',"rows":['
    comma = b""
    for page in filter(None, itertools.chain([first], pages)):
        yield comma + orjson.dumps(page)[1:-1]
        comma = b","
    yield b"]}"


def observer_lifespan(parts: Parts, stop_seconds_max: float) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Start the observer's loop with the server and stop it with the server."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        loops = (parts.observer.loop, parts.feed.loop, parts.herald.loop)
        for loop in loops:
            loop.start()
        yield
        for loop in reversed(loops):
            loop.stop(stop_seconds_max)
        parts.reader.close()
        parts.sketches.close()

    return lifespan
