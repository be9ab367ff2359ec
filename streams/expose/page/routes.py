"""The page at `/`, its files, and its stream of server-sent events. Nothing comes from another server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from streams.access import viewer_of
from streams.errors import InputError, ServerError
from streams.expose.minutes_query import read_time
from streams.expose.page.board import board, lists, pulse
from streams.expose.page.feed import Feed
from streams.expose.page.judged import told
from streams.expose.page.picture import Picture
from streams.expose.page.runbooks import SAFE
from streams.expose.scope import FRENCH, Scope, Sight, read_scope, scope_name
from streams.expose.spans import Span, read_span
from streams.web import Place, Places, sender_of

STATIC = Path(__file__).parent / "static"
_TITLE = "<title>Vigie – les ENT en direct</title>"
#: How often a stream looks whether the feed has read anew.
POLL_SECONDS = 0.2
#: A pulse is sent at least this often, so that a page can tell a silent chain from a lost connection.
RETRY_MS = 1000
#: Pages open at once on one observer; each costs a few milliseconds a second.
PAGES_MAX = 200
#: A stream ends after so long, and the browser asks for the next one: who may no longer look does not go on looking.
STREAM_SECONDS_MAX = 900.0


@dataclass(frozen=True, slots=True)
class View:
    """What one page shows: its address. The curve ends before epoch minute `until`; None: with the last settled minute."""

    scope: Scope
    span: Span
    until: int | None = None
    #: What its viewer sees; None: everything.
    sight: Sight | None = None


class _Static(StaticFiles):
    """Always asked for again (304 where unchanged): a page never mixes files of two versions."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(SAFE)
        return response


class _Stream(EventSourceResponse):
    """A stream of a page, which holds its place until it ends, also where it ends before its first event."""

    def __init__(self, pages: Places, place: Place, events: AsyncIterator[ServerSentEvent]) -> None:
        super().__init__(events, ping=15, send_timeout=10)
        self._pages = pages
        self._place = place

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pages.give_back(self._place)


def add_page(app: FastAPI, feed: Feed, shift_seconds: int) -> None:
    """Add the page, its files and its stream."""
    pages = Places(PAGES_MAX)
    catalog = feed.catalog
    shell = (STATIC / "index.html").read_text(encoding="utf-8")
    hello = lists(catalog) | {"shiftMs": shift_seconds * 1000}

    @app.get("/", include_in_schema=False)
    def page(request: Request) -> Response:
        sight = Sight(viewer_of(request), catalog)
        if not sight.is_whole and not any(request.query_params.get(name) for name in FRENCH[:3]):
            return RedirectResponse(
                f"?region={sight.first_region()}", 303, SAFE
            )  # not France, which this viewer does not see
        # The title of an address is there without JavaScript: where it is shared, kept as a bookmark, or printed.
        return HTMLResponse(shell.replace(_TITLE, f"<title>{escape(_title(request))} – Vigie</title>"), headers=SAFE)

    def _title(request: Request) -> str:
        asked = [request.query_params.get(name) for name in FRENCH]
        try:
            return scope_name(read_scope(catalog, *asked), catalog)
        except InputError:
            return "Périmètre ou service inconnu"  # the page says what to do

    @app.get("/page/stream", include_in_schema=False)
    async def stream(
        request: Request,
        region: Annotated[str | None, Query()] = None,
        academie: Annotated[str | None, Query()] = None,
        *,
        ent: Annotated[str | None, Query()] = None,
        service: Annotated[str | None, Query()] = None,
        duree: Annotated[str | None, Query()] = None,
        fin: Annotated[str | None, Query()] = None,
    ) -> Response:
        until = read_time("fin", fin) // 60_000 if fin else None
        sight = Sight(viewer_of(request), catalog)
        view = View(read_scope(catalog, region, academie, ent, service), read_span(duree), until, sight)
        sight.hold(view.scope)
        told_to_leave = asyncio.Event()

        def leave() -> bool:
            told_to_leave.set()
            return True

        place = pages.take(sender_of(request), leave)
        if place is None:
            raise ServerError(
                f"{PAGES_MAX} pages are open on this observer: close some, or open the page of another observer"
            )
        return _Stream(pages, place, _events(request, feed, view, hello, told_to_leave))

    app.mount("/static", _Static(directory=STATIC), name="static")


async def _events(
    request: Request, feed: Feed, view: View, hello: dict[str, object], told_to_leave: asyncio.Event
) -> AsyncIterator[ServerSentEvent]:
    feed.wanted()
    yield _event("hello", hello)
    seen = shown = -1
    first = feed.picture.version
    ends = time.monotonic() + STREAM_SECONDS_MAX
    while (
        time.monotonic() < ends
        and not (feed.loop.stopping or told_to_leave.is_set())
        and not await request.is_disconnected()
    ):
        feed.wanted()
        picture = feed.picture
        # After a rest the last picture may be old: wait for a new one.
        if picture.version in (seen, first, 0):
            await asyncio.sleep(POLL_SECONDS)
            continue
        seen, first = picture.version, -1
        if picture.board_version != shown:
            shown = picture.board_version
            yield _event("board", await asyncio.to_thread(_board, feed, picture, view))
        yield _event("pulse", await asyncio.to_thread(pulse, picture, view.scope, feed.lateness_ms))


def _board(feed: Feed, picture: Picture, view: View) -> dict[str, Any]:
    sight = view.sight
    if sight is not None and picture.book is not None:
        picture = replace(picture, book=sight.book(picture.book))
    curve = feed.sources.lines.curve(picture, view.scope, view.span, view.until)
    judged = told(feed.sources, picture, view.scope, curve.grid)
    shown = board(picture, view.scope, feed.catalog, curve, judged)
    if sight is not None:
        shown["regions"] = [row for row in shown["regions"] if sight.sees(row["code"])]
    return shown


def _event(name: str, value: object) -> ServerSentEvent:
    return ServerSentEvent(orjson.dumps(value).decode(), event=name, retry=RETRY_MS)
