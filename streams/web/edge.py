"""What holds for every answer: HEAD is GET without the body; no type is guessed, and nothing stored unless a route says so."""

from __future__ import annotations

from anyio import CancelScope
from anyio.lowlevel import checkpoint
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
        client = scope.get("client")
        scope[PEER] = client[0] if client else None
        await self._app(scope, receive, send)
