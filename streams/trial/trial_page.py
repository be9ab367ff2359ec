"""What Vigie would have told, as one page: French, nothing to fetch, light and dark. `trial.html` lays it out. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import numpy as np

from streams.catalog import Catalog
from streams.clock import french_moment
from streams.pages import DayBar, french, render
from streams.rehearse.plot import KINDS, LEGEND, Drawing, around, drawing
from streams.trial.facts import TrialDay, TrialFacts
from streams.trial.reasons import in_french

#: Alerts that are drawn one by one; all are in the table.
DRAWN_MAX = 20
LINES_SHOWN_MAX = 8
VALUES_SHOWN_MAX = 12
DAY_MINUTES = 24 * 60
#: The colours of the drawings, and what they are in the dark.
_DARK = {
    "#1d4f91": "#8ab4f8", "#eef1e6": "#1d2430", "#dde3ea": "#2d3748", "#292524": "#e5e7eb", "#16a34a": "#4ade80", "#bbf7d0": "#14532d",
    "#57534e": "#9aa7b8", "#c2410c": "#fb923c", "#1d4ed8": "#60a5fa", "#6b21a8": "#c084fc",
}  # fmt: skip
_WEEKDAYS = ("lu", "ma", "me", "je", "ve", "sa", "di")


def trial_page(facts: TrialFacts, catalog: Catalog, made_at: datetime) -> str:
    """The whole page."""
    labels = {service.code: service.label for service in catalog.services} | {"INCONNU": "Service inconnu des listes"}
    counts, rehearsal, days = facts.counts, facts.rehearsal, facts.days
    return render(
        "trial/trial.html",
        facts=facts,
        title=f"Vos journaux vus par Vigie, du {french.day(days[0].day)} au {french.day(days[-1].day)}",
        cards=_cards(facts, labels),
        label=lambda code: labels.get(code, code),
        bars=[
            DayBar((_WEEKDAYS[one.day.weekday()], f"{one.day.day}"), one.visits, None, _told(one), one.is_off)
            for one in days
        ],
        partial_days=sum(one.measured_minutes < 23 * 60 for one in days),
        curves=[(scope.region or "", *_curves(facts, series)) for series, scope in enumerate(counts.scopes)],
        details=[
            (one, drawing(counts, rehearsal, one.found.series, *around(counts, one.found)))
            for one in facts.alerts[:DRAWN_MAX]
        ],
        kinds=KINDS,
        legend_of=LEGEND,
        dark=_DARK,
        skipped=sum((Counter(one.skipped) for one in facts.inputs), Counter()),
        unseen=[one for one in facts.unseen[:VALUES_SHOWN_MAX] if one[1]],
        in_french=in_french,
        lines_max=LINES_SHOWN_MAX,
        made=french_moment(made_at),
    )


def _cards(facts: TrialFacts, labels: dict[str, str]) -> list[tuple[str, str, str]]:
    """(title, figure, what it says)."""
    days, number = facts.days, len(facts.alerts)
    busiest = max(days, key=lambda day: day.visits)
    a_week = french.decimal(7 * number / max(1, len(days)), 1)
    events = sum(one.events for one in facts.inputs) - facts.repeats
    lines = french.number(sum(one.lines for one in facts.inputs))
    top = [
        ("Service le plus utilisé", labels.get(one.code, one.code), f"{french.number(one.visits)} utilisations")
        for one in facts.peaks[:1]
    ]
    return [
        ("Visites", french.number(sum(day.visits for day in days)), f"en {french.counted(len(days), 'jour')}"),
        ("Jour le plus chargé", french.number(busiest.visits), f"visites, {french.day(busiest.day)}"),
        ("Alertes", french.number(number), f"soit {a_week} par semaine"),
        *top,
        ("Lignes lues", lines, f"dont {french.number(events)} événements"),
    ]


def _told(one: TrialDay) -> str:
    users = f", environ {french.number(one.users)} visiteurs différents" if one.users is not None else ""
    return f"{french.day(one.day)} : {french.number(one.visits)} visites{users}"


def _curves(facts: TrialFacts, series: int) -> tuple[Drawing, Drawing]:
    """Everything, and the busiest day."""
    row = facts.counts.values[series]
    busiest = max(range(0, len(row), DAY_MINUTES), key=lambda begin: float(np.nansum(row[begin : begin + DAY_MINUTES])))
    return (
        drawing(facts.counts, facts.rehearsal, series, 0, len(row)),
        drawing(facts.counts, facts.rehearsal, series, busiest, min(busiest + DAY_MINUTES, len(row))),
    )
