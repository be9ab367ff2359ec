"""The page at `/`, its files, its stream of server-sent events; and pages of text: runbooks, the forecast, the accessibility statement.

Nothing comes from another server, and links are relative: a proxy may serve the pages below any prefix.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markdown_it import MarkdownIt
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from streams.access import viewer_of
from streams.catalog import Catalog
from streams.errors import InputError, ServerError
from streams.expose.answers import API, REFUSED, answer
from streams.expose.page.board import board, lists, pulse
from streams.expose.page.feed import Feed
from streams.expose.page.judged import told
from streams.expose.page.picture import Picture
from streams.expose.scope import FRENCH, Scope, Sight, read_scope, scope_name
from streams.expose.spans import Span, read_end, read_span
from streams.forecast.kept import KeptForecast, forecast_body
from streams.pages import render
from streams.web import Place, Places, sender_of

SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def add_runbooks(app: FastAPI, directory: Path) -> None:
    """Add a page for each file of `deploy/runbooks/`, as it is now: they are small, and a mended one shows without a restart."""

    @app.get("/runbooks/", include_in_schema=False)
    def runbooks() -> Response:
        links = "".join(f'<li><a href="{name}">{escape(_title(directory, name))}</a></li>' for name in names(directory))
        return framed("Procédures", f"<h1>Procédures</h1><ul>{links}</ul>")

    @app.get("/runbooks/{name}", include_in_schema=False)
    def runbook(name: str) -> Response:
        # Only names that the directory lists: nothing of an address ever becomes a path.
        if name not in names(directory):
            raise HTTPException(404, f"no runbook {name[:60]!r}; /runbooks/ lists all")
        return framed(_title(directory, name), _MARKDOWN.render((directory / f"{name}.md").read_text(encoding="utf-8")))


def add_accessibility(app: FastAPI, file: Path) -> None:
    """Add the statement of `deploy/accessibilite.md`; whoever runs Vigie completes that file."""

    @app.get("/accessibilite", include_in_schema=False)
    def accessibility() -> Response:
        return framed("Accessibilité", _MARKDOWN.render(file.read_text(encoding="utf-8")), up="./")


def names(directory: Path) -> list[str]:
    """Names of the runbooks, each that of its alert."""
    return sorted(path.stem for path in directory.glob("*.md"))


def _title(directory: Path, name: str) -> str:
    """Its first heading: what the alert says in French, and its name."""
    with (directory / f"{name}.md").open(encoding="utf-8") as file:
        return file.readline().lstrip("#").strip() or name


def framed(title: str, body: str, up: str = "../") -> Response:
    """A page of text; `up` leads to the live page."""
    return HTMLResponse(render("expose/page/text.html", title=title, body=body, up=up), headers=SAFE)


_NONE = "<h1>Prévision</h1><p>Aucune prévision n'est gardée : <code>vigie forecast --keep</code> en fait une, chaque nuit par exemple.</p>"


def add_forecast(app: FastAPI, kept: Callable[[], KeptForecast | None], catalog: Catalog) -> None:
    """Add the forecast that a command kept, as JSON and as a page."""

    none: dict[int | str, dict[str, Any]] = {404: {"description": "None is kept."}}

    @app.get("/api/v1/forecast", response_model=KeptForecast, responses=REFUSED | none, **API)
    def forecast(request: Request) -> Response:
        """The forecast that is kept: France's visits by day and quarter of an hour, each with an interval from 10 to 90 %."""
        Sight(viewer_of(request), catalog).hold_whole()
        if (found := kept()) is None:
            raise HTTPException(404, "no forecast is kept: `vigie forecast --keep` makes one")
        return answer(found)

    @app.get("/prevision", include_in_schema=False)
    def page(request: Request) -> Response:
        Sight(viewer_of(request), catalog).hold_whole()
        found = kept()
        return framed("Prévision", _NONE if found is None else forecast_body(found), up="./")


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
    until: int | None
    #: What its viewer sees.
    sight: Sight


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
            # Not France, which this viewer does not see.
            return RedirectResponse(f"?region={sight.first_region()}", 303, SAFE)
        # The title of an address is there without JavaScript: where it is shared, kept as a bookmark, or printed.
        return HTMLResponse(shell.replace(_TITLE, f"<title>{escape(_title_of(request))} – Vigie</title>"), headers=SAFE)

    def _title_of(request: Request) -> str:
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
        until = read_end(fin) if fin else None
        sight = Sight(viewer_of(request), catalog)
        view = View(read_scope(catalog, region, academie, ent, service), read_span(duree), until, sight)
        sight.hold(view.scope)
        told_to_leave = asyncio.Event()

        def leave() -> bool:
            told_to_leave.set()
            return True

        if (place := pages.take(sender_of(request), leave)) is None:
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
    if picture.book is not None:
        picture = replace(picture, book=view.sight.book(picture.book))
    curve = feed.sources.lines.curve(picture, view.scope, view.span, view.until)
    shown = board(picture, view.scope, feed.catalog, curve, told(feed.sources, picture, view.scope, curve.grid))
    return shown | {"regions": [row for row in shown["regions"] if view.sight.viewer.sees(row["code"])]}


def _event(name: str, value: object) -> ServerSentEvent:
    return ServerSentEvent(orjson.dumps(value).decode(), event=name, retry=RETRY_MS)
