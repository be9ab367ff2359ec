"""The worker's `/metrics`, `/readyz` and `/healthz`, in a thread of their own: they answer while Kafka or Redis do not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from streams.errors import ServerError

#: Returns why the worker is not ready, None when it is.
Unready = Callable[[], str | None]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """No access log."""


class _Server(ThreadingWSGIServer):
    daemon_threads = True


def serve_health(host: str, port: int, registry: CollectorRegistry, unready: Unready) -> WSGIServer:
    """Serve on `host:port` from a daemon thread; `.shutdown()` ends it.

    Raises:
        ServerError: the port cannot be had.
    """
    metrics_app = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            exposed: Iterable[bytes] = metrics_app(environ, start_response)
            return exposed
        if path == "/healthz":
            return _json(start_response, "200 OK", {"status": "alive"})
        if path == "/readyz":
            why = unready()
            if why is None:
                return _json(start_response, "200 OK", {"status": "ready"})
            return _json(start_response, "503 Service Unavailable", {"status": "not ready", "reason": why})
        return _json(start_response, "404 Not Found", {"error": "this worker serves /metrics, /readyz and /healthz"})

    try:
        server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise ServerError(
            f"worker cannot listen on {host}:{port}: {error}; choose another worker_port or --slot"
        ) from None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


def _json(start_response: Any, status: str, body: dict[str, str]) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [orjson.dumps(body)]
