"""An HTTP server of this process: uvicorn, with bounded connections and the rules of every answer around the application."""

import asyncio
import gzip
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from anyio.to_thread import current_default_thread_limiter
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from streams.addresses import host_port
from streams.errors import RAISE_DESCRIPTORS, ServerError
from streams.web.protocol import LOG_SECONDS, BoundedProtocol, Connections, Seldom, descriptors_max
from streams.web.tls import TlsFiles


class Edge:
    """Around an ASGI application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        with CancelScope() as answering:

            async def send_on(message: Message) -> None:
                if is_head and message["type"] == "http.response.body":
                    await checkpoint()  # where the cancellation reaches the application
                    return
                if message["type"] == "http.response.start":
                    headers = MutableHeaders(scope=message)
                    headers.setdefault("X-Content-Type-Options", "nosniff")
                    headers.setdefault("Cache-Control", "no-store")
                    if headers.get("Allow") == "GET":
                        headers["Allow"] = "GET, HEAD"
                await send(message)
                if is_head:
                    # A stream has no end that HEAD could wait for: what would follow is not made.
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    answering.cancel()

            await self._app({**scope, "method": "GET"} if is_head else scope, receive, send_on)


#: Under this name a request's scope holds the address that it came from itself, whatever a proxy says in its headers.
PEER = "vigie.peer"


class Peered:
    """Around whatever believes a proxy's headers: notes who it is that sends them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note it."""
        scope[PEER] = scope["client"][0] if scope.get("client") else None
        await self._app(scope, receive, send)


#: The fastest level: it makes a scrape ten times smaller, a higher one hardly less for much more time.
LEVEL = 1


def exposed(request: Request, body: bytes, content_type: str) -> Response:
    """The body of `/metrics`, as gzip where `Accept-Encoding` allows it."""
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if allows_gzip(request.headers.getlist("accept-encoding")):
        body = gzip.compress(body, LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers)


def encoder_for(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """How metrics are written for an `Accept` header, and their content type."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # the library takes every version for numbers
        return choose_encoder("")


def allows_gzip(accept_encoding: list[str]) -> bool:
    """Whether these header values allow gzip (RFC 9110, 12.5.3): by its name, or by `*` where it is not named; a weight of 0 forbids."""
    codings = ([part.strip().lower() for part in each.split(";")] for each in ",".join(accept_encoding).split(","))
    weights = {
        coding: all(_is_positive(text) for text in parameters if text.startswith("q="))
        for coding, *parameters in codings
    }
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def _is_positive(parameter: str) -> bool:
    try:
        return float(parameter.removeprefix("q=")) > 0
    except ValueError:
        return False


log = logging.getLogger(__name__)

#: Requests that are worked on at once: each may hold a connection to Redis.
THREADS_MAX = 16
#: How often a server looks whether it is to end, and what time it is; uvicorn's tenth of a second is a fifth of an idle worker's CPU.
TICK_SECONDS = 0.5
#: Below this a server has no room for its own files beside those of clients.
DESCRIPTORS_MIN = 128


def listen(host: str, port: int, advice: str) -> socket.socket:
    """Listen on an address, IPv4 or IPv6; `advice` tells what else to do than to free the port.

    Raises:
        ServerError: the port cannot be had.
    """
    try:
        return socket.create_server((host, port), family=socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0])
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
        if (descriptors := descriptors_max()) < DESCRIPTORS_MIN:
            raise ServerError(
                f"this process may open {descriptors} files and connections, and needs {DESCRIPTORS_MIN} at least: "
                f"{RAISE_DESCRIPTORS}"
            )
        self.connections = Connections.within(descriptors, tls)
        # The client is the one that a proxy names which comes from one of these addresses, as uvicorn has it.
        proxied: Any = ProxyHeadersMiddleware
        self._listening = listening
        super().__init__(
            uvicorn.Config(
                Peered(proxied(Edge(app), os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"))),
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

    async def main_loop(self) -> None:
        """Look whether it is to end, until it is."""
        while not await self.on_tick(0):  # 0: each look tells uvicorn the time, as every tenth of its own does
            await asyncio.sleep(TICK_SECONDS)

    def serve_until_stopped(self) -> None:
        """Serve; the socket is closed at the end."""
        with self._listening:
            self.run(sockets=[self._listening])

    def stop(self) -> None:
        """Ask it to end; from any thread."""
        self.should_exit = True
