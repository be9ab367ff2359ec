"""The worker's `/metrics`, `/readyz` and `/healthz`, in a thread of their own: they answer while Kafka or Redis do not."""

import threading
from dataclasses import dataclass
from typing import Protocol

import orjson
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from streams.access import AccessScope, Gate, Lock, RouteScopes, viewer_of
from streams.web import TlsFiles, WebServer, encoder_for, exposed, listen


class Condition(Protocol):
    """Why the worker is not ready, or should be started again; None where it is well."""

    def not_ready_because(self) -> str | None:
        """Why it does not count."""

    def not_alive_because(self) -> str | None:
        """Why a start would mend it."""


STOP_SECONDS_MAX = 1
#: Bare: without a credential `/readyz` and `/healthz` say whether, not why.
WORKER_ROUTES = RouteScopes(exact={"/healthz": None, "/readyz": None, "/metrics": AccessScope.METRICS}, below={})


@dataclass(frozen=True, slots=True)
class HealthAddress:
    """Where it listens. `tls` None: plain HTTP; `lock` None: whoever reaches it may look, since it listens on this machine alone."""

    host: str
    port: int
    tls: TlsFiles | None = None
    lock: Lock | None = None


class HealthServer:
    """Serves from a daemon thread until `stop()`."""

    def __init__(self, address: HealthAddress, registry: CollectorRegistry, condition: Condition) -> None:
        """Listen, and begin.

        Raises:
            ServerError: the port cannot be had.
        """
        listening = listen(address.host, address.port, "choose another worker_port or --slot")
        app: ASGIApp = _application(registry, condition)
        if address.lock is not None:
            app = Gate(app, address.lock, WORKER_ROUTES)
        self._server = WebServer(app, listening, STOP_SECONDS_MAX, address.tls)
        self._thread = threading.Thread(target=self._server.serve_until_stopped, name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, within about two seconds."""
        self._server.stop()
        self._thread.join(STOP_SECONDS_MAX + 1)


def _application(registry: CollectorRegistry, condition: Condition) -> Starlette:
    async def metrics(request: Request) -> Response:
        encode, content_type = encoder_for(request.headers.get("accept", ""))
        return exposed(request, encode(registry), content_type)

    async def healthz(request: Request) -> Response:
        why = condition.not_alive_because()
        if why is None:
            return _json(200, {"status": "alive"})
        return _json(503, {"status": "not alive", "reason": _told(request, why)})

    async def readyz(request: Request) -> Response:
        why = condition.not_ready_because()
        return _json(200 if why is None else 503, {"ready": why is None, "reason": _told(request, why)})

    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        answer = _json(
            error.status_code, {"error": "this worker serves /metrics, /readyz and /healthz, to GET and HEAD"}
        )
        answer.headers.update(error.headers or {})
        return answer

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refused})
    app.router.redirect_slashes = False  # as the collector's
    return app


def _told(request: Request, why: str | None) -> str | None:
    """Reasons name servers: they are for who may see metrics."""
    return why if viewer_of(request).may(AccessScope.METRICS) else None


def _json(status: int, body: object) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
