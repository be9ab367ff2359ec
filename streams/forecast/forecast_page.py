"""A kept forecast as a page: the next day, the week, a table. French; no script, no style of its own: any page may hold it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from streams.clock import PARIS, french_moment
from streams.forecast.kept import ForecastQuarter, KeptForecast
from streams.pages import render
from streams.pages.chart import NOW, Line

#: The interval's bounds.
BOUND = "#9fb8dc"
QUARTERS_A_DAY = 96


def forecast_body(forecast: KeptForecast) -> str:
    """The page without its frame."""
    return _rendered("forecast/forecast.html", forecast)


def forecast_page(forecast: KeptForecast) -> str:
    """The whole page, for a file."""
    return _rendered("forecast/forecast_file.html", forecast)


def _rendered(template: str, forecast: KeptForecast) -> str:
    curves = []
    if forecast.days:
        first = date.fromisoformat(forecast.days[0].day)
        of_first = [one for one in forecast.quarters if _local(one).date() == first]
        curves = [_curve(of_first, 16, "%H:%M"), _curve(forecast.quarters, QUARTERS_A_DAY, "%d/%m")]
    made = french_moment(datetime.fromisoformat(forecast.at).astimezone(PARIS))
    return render(template, title="Prévision des visites", forecast=forecast, made=made, curves=curves)


def _curve(quarters: Sequence[ForecastQuarter], every: int, form: str) -> tuple[list[Line], list[tuple[int, str]]]:
    """Lines, and ticks."""
    lines = [
        Line("borne haute (90 %)", [one.upper for one in quarters], BOUND),
        Line("borne basse (10 %)", [one.lower for one in quarters], BOUND),
        Line("attendu", [one.visits for one in quarters], NOW),
    ]
    return lines, [(place, f"{_local(quarters[place]):{form}}") for place in range(0, len(quarters), every)]


def _local(quarter: ForecastQuarter) -> datetime:
    return datetime.fromisoformat(quarter.minute).astimezone(PARIS)
