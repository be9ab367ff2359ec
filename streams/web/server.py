"""An HTTP server of this process: uvicorn, with bounded connections and the rules of every answer around the application."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from functools import partial
from typing import Any

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from streams.addresses import host_port
from streams.errors import RAISE_DESCRIPTORS, ServerError
from streams.web.edge import Edge, Peered
from streams.web.protocol import LOG_SECONDS, BoundedProtocol, Connections, Seldom, descriptors_max
from streams.web.tls import TlsFiles

log = logging.getLogger(__name__)

#: Requests that are worked on at once: each may hold a connection to Redis.
THREADS_MAX = 16
#: Below this a server has no room for its own files beside those of clients.
DESCRIPTORS_MIN = 128


def listen(host: str, port: int, advice: str) -> socket.socket:
    """Listen on an address, IPv4 or IPv6; `advice` tells what else to do than to free the port.

    Raises:
        ServerError: the port cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ServerError(
            f"cannot listen on {host_port(host, port)}: {error.strerror or error}; end what holds the port, or {advice}"
        ) from None


class WebServer(uvicorn.Server):
    """Serves an application on a socket that listens: `run()` ends after `stop()`, after SIGTERM or Ctrl-C (in the main thread)."""

    def __init__(
        self, app: ASGIApp, listening: socket.socket, stop_seconds_max: int, tls: TlsFiles | None = None
    ) -> None:
        """`stop_seconds_max` is how long a stop waits for requests that are being answered; `tls` None: plain HTTP.

        Raises:
            ServerError: this process may open too few descriptors to serve anybody.
        """
        descriptors = descriptors_max()
        if descriptors < DESCRIPTORS_MIN:
            raise ServerError(
                f"this process may open {descriptors} files and connections, and needs {DESCRIPTORS_MIN} at least: "
                f"{RAISE_DESCRIPTORS}"
            )
        self.connections = Connections.within(descriptors, tls)
        self._listening = listening
        super().__init__(
            uvicorn.Config(
                Peered(_believing_proxies(Edge(app))),
                # asyncio's own loop: what it does when descriptors run out, to wait a second, is known; and it takes up no more
                # connections in one go than `backlog`.
                loop="asyncio",
                http=partial(BoundedProtocol, self.connections),  # type: ignore[arg-type]  # a factory does
                ws="none",
                backlog=self.connections.backlog,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=stop_seconds_max,
                server_header=False,
                proxy_headers=False,  # done above, once the address itself is noted
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; asyncio tells of each of thousands of connections that it has no descriptor for, here it is told now and then."""
        seldom = Seldom(LOG_SECONDS)

        def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if "out of system resource" not in context["message"]:
                loop.default_exception_handler(context)
            elif seldom.happened():
                log.error("no HTTP connection can be taken up: %s; tried again every second", context["exception"])

        asyncio.get_running_loop().set_exception_handler(told)
        current_default_thread_limiter().total_tokens = THREADS_MAX
        await super().startup(sockets)

    def serve_until_stopped(self) -> None:
        """Serve; the socket is closed at the end."""
        with self._listening:
            self.run(sockets=[self._listening])

    def stop(self) -> None:
        """Ask it to end; from any thread."""
        self.should_exit = True


def _believing_proxies(app: ASGIApp) -> ASGIApp:
    """The client is the one that a proxy names which comes from one of these addresses, as uvicorn has it."""
    wrapped: Any = ProxyHeadersMiddleware
    found: ASGIApp = wrapped(app, os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"))
    return found
