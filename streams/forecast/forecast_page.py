"""A kept forecast as a page: the next day, the week, a table. French; no script, no style of its own: any page may hold it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from html import escape

from streams.clock import PARIS, french_date, french_moment
from streams.forecast.kept import ForecastDay, ForecastQuarter, KeptForecast
from streams.history import french
from streams.history.report_style import STYLE
from streams.history.report_svg import NOW, Line, lines

#: The interval's bounds.
BOUND = "#9fb8dc"
QUARTERS_A_DAY = 96


def forecast_body(forecast: KeptForecast) -> str:
    """The page without its frame."""
    if not forecast.days:
        return "<h1>Prévision</h1><p>Aucun jour comparable n'est connu : rien n'est prévu.</p>"
    first = forecast.days[0]
    of_first = [one for one in forecast.quarters if _local(one).date() == date.fromisoformat(first.day)]
    made = datetime.fromisoformat(forecast.at).astimezone(PARIS)
    return (
        f"<h1>Prévision des visites</h1><p class=lead>Faite le {french_moment(made)}, d'après les jours archivés jusqu'au "
        f"{_named(forecast.known_to)}. L'intervalle tient quatre quarts d'heure sur cinq.</p>"
        f"<h2>{escape(_named(first.day).capitalize())}</h2>{_curve('Visites par quart d’heure', of_first, 16, '%H:%M')}"
        f"<h2>La semaine</h2>{_curve('Visites par quart d’heure', forecast.quarters, QUARTERS_A_DAY, '%d/%m')}"
        f"<h2>Jour par jour</h2>{_table(forecast.days)}"
        "<p>Les ouvriers sont ceux que demande la borne haute de la pire minute, la moitié de chaque cœur restant libre.</p>"
    )


def forecast_page(forecast: KeptForecast) -> str:
    """The whole page, for a file."""
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Prévision des visites</title><style>{STYLE}</style></head><body>{forecast_body(forecast)}"
        "<footer>Page produite par <code>vigie forecast</code> ; elle se lit hors connexion.</footer></body></html>\n"
    )


def _curve(title: str, quarters: Sequence[ForecastQuarter], every: int, form: str) -> str:
    ticks = [(place, f"{_local(quarters[place]):{form}}") for place in range(0, len(quarters), every)]
    series = [
        Line("borne haute (90 %)", [one.upper for one in quarters], BOUND),
        Line("borne basse (10 %)", [one.lower for one in quarters], BOUND),
        Line("attendu", [one.visits for one in quarters], NOW),
    ]
    return lines(title, series, ticks)


def _table(days: Sequence[ForecastDay]) -> str:
    head = "".join(
        f"<th>{name}</th>" for name in ("Jour", "Visites", "Intervalle", "Événements", "Utilisateurs", "Ouvriers")
    )
    rows = "".join(
        f"<tr><td>{escape(_named(one.day))}</td><td>{french.number(one.visits)}</td>"
        f"<td>{french.number(one.lower)} à {french.number(one.upper)}</td><td>{french.number(one.events)}</td>"
        f"<td>{french.number(one.users)}</td><td>{one.workers}</td></tr>"
        for one in days
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _named(day: str) -> str:
    return french_date(datetime.combine(date.fromisoformat(day), datetime.min.time(), PARIS))


def _local(quarter: ForecastQuarter) -> datetime:
    return datetime.fromisoformat(quarter.minute).astimezone(PARIS)
