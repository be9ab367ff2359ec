"""A small application on the real server, in a thread; and raw connections to it."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.web import TlsFiles, WebServer, exposed, listen

BIG = b"0123456789abcdef" * (1 << 20)  # more than the kernel takes for a client that reads nothing


@dataclass(slots=True)
class Served:
    """The server, where it listens, and what its endless stream saw."""

    server: WebServer
    port: int
    streams_open: int = field(default=0)

    @property
    def open_connections(self) -> int:
        return len(self.server.connections.places)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A raw connection; `source` is the address it comes from."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    def exchange(self, request: bytes, source: str = "127.0.0.1") -> bytes:
        """Send, and read until the server closes."""
        with closing(self.connect(source)) as one:
            one.sendall(request)
            return read_all(one)


def application(served: Served) -> ASGIApp:
    """A little of everything."""

    async def hello(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    async def big(_request: Request) -> Response:
        return Response(BIG)

    async def in_two(_request: Request) -> Response:
        class InTwo(Response):
            async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": BIG, "more_body": True})
                await send({"type": "http.response.body", "body": BIG, "more_body": False})

        return InTwo()

    async def metrics(request: Request) -> Response:
        return exposed(request, b"a_total 1\n" * 100, "text/plain; version=0.0.4")

    async def forever(_request: Request) -> Response:
        async def ticks() -> AsyncIterator[bytes]:
            served.streams_open += 1
            try:
                while True:
                    yield b"tick\n"
                    await asyncio.sleep(0.01)
            finally:
                served.streams_open -= 1

        return StreamingResponse(ticks(), headers={"Cache-Control": "no-cache"})

    routes = [
        Route("/big", big),
        Route("/in_two", in_two),
        Route("/metrics", metrics),
        Route("/forever", forever),
        Route("/{path:path}", hello),
    ]
    return Starlette(routes=routes)


@contextmanager
def serving(connections_max: int = 512, tls: TlsFiles | None = None) -> Iterator[Served]:
    """Serve until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.web.protocol.CONNECTIONS_MAX", connections_max)
        listening = listen("127.0.0.1", 0, "")
        served = Served(None, listening.getsockname()[1])  # type: ignore[arg-type]
        served.server = WebServer(application(served), listening, 1, tls)
        thread = threading.Thread(target=served.server.serve_until_stopped)
        thread.start()
        try:
            yield served
        finally:
            served.server.stop()
            thread.join(20)
            assert not thread.is_alive()


def read_all(one: socket.socket) -> bytes:
    """Everything until the end, or a reset."""
    found = bytearray()
    with suppress(ConnectionResetError):
        while part := one.recv(1 << 16):
            found += part
    return bytes(found)


def read_answers(one: socket.socket, number: int) -> bytes:
    """Read until the bodies of so many answers with the word `end` have come."""
    found = b""
    while found.count(b"/end") < number:
        part = one.recv(1 << 16)
        assert part, found
        found += part
    return found


def seconds_until_closed(one: socket.socket) -> float:
    """How long the server keeps a connection on which nothing more is sent."""
    began = time.monotonic()
    read_all(one)
    return time.monotonic() - began
