"""Runbooks as pages: `/runbooks/EntSurge` is where links of alerts, boards and the live page lead; `/runbooks/` lists all. Beside them the
accessibility statement that French law asks for.

Their links are relative: a proxy may serve them below any prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from markdown_it import MarkdownIt
from starlette.exceptions import HTTPException

from streams.access import viewer_of
from streams.catalog import Catalog
from streams.expose.answers import API, REFUSED, answer
from streams.expose.scope import Sight
from streams.forecast.kept import KeptForecast, forecast_body
from streams.pages import render

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


def add_forecast(
    app: FastAPI,
    kept: Callable[[], KeptForecast | None],
    catalog: Catalog,
) -> None:
    """Add both."""

    @app.get(
        "/api/v1/forecast",
        response_model=KeptForecast,
        responses={**REFUSED, 404: {"description": "None is kept."}},
        **API,
    )
    def forecast(request: Request) -> Response:
        """The forecast that is kept: France's visits by day and quarter of an hour, each with an interval from 10 to 90 %."""
        Sight(viewer_of(request), catalog).hold_whole()
        found = kept()
        if found is None:
            raise HTTPException(404, "no forecast is kept: `vigie forecast --keep` makes one")
        return answer(found)

    @app.get("/prevision", include_in_schema=False)
    def page(request: Request) -> Response:
        Sight(viewer_of(request), catalog).hold_whole()
        found = kept()
        return framed("Prévision", _NONE if found is None else forecast_body(found), up="./")
