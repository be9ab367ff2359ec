"""The collector's HTTP side."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streams.access import AccessScope, Gate, Lock, RouteScopes, TokenBook, viewer_of
from streams.addresses import host_port
from streams.broker import KafkaAddress
from streams.collect.collector_limits import RequestRefused
from streams.collect.door import Body, Door, DoorRules
from streams.collect.event_log import EventLog
from streams.web import TlsFiles, WebServer, encoder_for, exposed, listen

PATH = "/v1/events"
#: What the gate asks for where others than this machine reach the collector; of events the door looks at the token itself.
COLLECTOR_ROUTES = RouteScopes(
    exact={PATH: None, "/v1/token": None, "/healthz": None, "/readyz": None, "/metrics": AccessScope.METRICS}, below={}
)


def create_collector_app(door: Door, events: EventLog) -> Starlette:
    """Build the application; Kafka is connected to while it runs."""

    async def take(request: Request) -> Response:
        began = time.perf_counter()
        status = 500
        body = Body(request.receive)
        try:
            answer = await door.take(Request(request.scope, body))
            status = 200 if answer.accepted else 422
            return _json(status, answer)
        except RequestRefused as refused:
            await body.drain()
            status = refused.status
            return _refused(refused, is_read=body.is_read)
        finally:
            door.metrics.answered(status, time.perf_counter() - began)

    async def about(request: Request) -> Response:
        try:
            return _json(200, door.about(request))
        except RequestRefused as refused:
            return _refused(refused, is_read=True)

    async def metrics(request: Request) -> Response:
        encode, content_type = encoder_for(request.headers.get("accept", ""))
        return exposed(request, encode(door.metrics.registry), content_type)

    async def healthz(_request: Request) -> Response:
        return _json(200, {"status": "alive"})

    async def readyz(request: Request) -> Response:
        why = door.not_ready_because()
        told = why if viewer_of(request).may(AccessScope.METRICS) else None
        return _json(200 if why is None else 503, {"ready": why is None, "reason": told})

    async def unknown(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        answer = _json(
            error.status_code,
            {"error": f"this collector takes POST {PATH}; and serves /v1/token, /metrics, /readyz, /healthz"},
        )
        answer.headers.update(error.headers or {})
        return answer

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        events.start()
        yield
        await events.stop()

    app = Starlette(
        routes=[
            Route(PATH, take, methods=["POST"]),
            Route("/v1/token", about),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ],
        exception_handlers={HTTPException: unknown},
        lifespan=lifespan,
    )
    # A redirect would name the scheme that a proxy spoke with us: the token would follow in the clear.
    app.router.redirect_slashes = False
    return app


def _refused(refused: RequestRefused, *, is_read: bool) -> Response:
    headers = {} if is_read else {"Connection": "close"}  # what was not read must not be taken for the next request
    if refused.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="vigie"'
    if refused.retry_seconds is not None:
        headers["Retry-After"] = str(refused.retry_seconds)
    return _json(refused.status, {"error": str(refused)}, headers)


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


log = logging.getLogger(__name__)

#: A stop waits this long for requests that wait for Kafka.
STOP_SECONDS_MAX = 5


def collect_until_stopped(
    kafka: KafkaAddress,
    topic: str,
    rules: DoorRules,
    *,
    host: str,
    port: int,
    tokens_file: Path,
    tls: TlsFiles | None,
    lock: Lock | None,
) -> None:
    """Take events until SIGTERM or Ctrl-C. `lock` None: whoever reaches it may scrape it, since it listens on this machine alone.

    Raises:
        SettingsError: the tokens cannot be used.
        ServerError: the port cannot be had.
    """
    book = TokenBook(tokens_file)
    listening = listen(host, port, "choose another collector_port")
    events = EventLog(kafka, topic, rules.limits.confirm_seconds_max)
    app = create_collector_app(Door(book, events, rules), events)
    guarded = app if lock is None else Gate(app, lock, COLLECTOR_ROUTES)
    log.info("the collector listens on %s://%s", "http" if tls is None else "https", host_port(host, port))
    WebServer(guarded, listening, STOP_SECONDS_MAX, tls).serve_until_stopped()
