"""The kept forecast over HTTP: `/api/v1/forecast`, and the page `/prevision`. It is of France: who sees regions alone does not see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from streams.access import viewer_of
from streams.catalog import Catalog
from streams.expose.page.runbooks import framed
from streams.expose.sight import Sight
from streams.forecast.forecast_page import forecast_body
from streams.forecast.kept import KeptForecast

_NONE = "<h1>Prévision</h1><p>Aucune prévision n'est gardée : <code>vigie forecast --keep</code> en fait une, chaque nuit par exemple.</p>"


def add_forecast(
    app: FastAPI,
    kept: Callable[[], KeptForecast | None],
    catalog: Catalog,
    refuse_unknown: Callable[[Request, tuple[str, ...]], None],
    refused: dict[int | str, dict[str, Any]],
) -> None:
    """Add both."""

    @app.get(
        "/api/v1/forecast",
        response_model=KeptForecast,
        responses={**refused, 404: {"description": "None is kept."}},
        tags=["api"],
    )
    def forecast(request: Request) -> Response:
        """The forecast that is kept: France's visits by day and quarter of an hour, each with an interval from 10 to 90 %."""
        refuse_unknown(request, ())
        Sight(viewer_of(request), catalog).hold_whole()
        found = kept()
        if found is None:
            raise HTTPException(404, "no forecast is kept: `vigie forecast --keep` makes one")
        return Response(orjson.dumps(found), media_type="application/json")

    @app.get("/prevision", include_in_schema=False)
    def page(request: Request) -> Response:
        Sight(viewer_of(request), catalog).hold_whole()
        found = kept()
        return framed("Prévision", _NONE if found is None else forecast_body(found), up="./")
