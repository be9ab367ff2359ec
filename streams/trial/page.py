"""What Vigie would have told, as one page: French, nothing to fetch, light and dark. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, time
from html import escape

from streams.backfill.log_input import InputReport
from streams.catalog import Catalog
from streams.clock import french_date
from streams.history import french
from streams.history.report_style import STYLE
from streams.history.report_svg import DayBar, day_bars
from streams.rehearse.plot import COLOURS, KINDS, around, drawing
from streams.trial.facts import ServiceChange, TrialAlert, TrialDay, TrialFacts

#: Alerts that are drawn one by one; all are in the table.
DRAWN_MAX = 20
LINES_SHOWN_MAX = 8
VALUES_SHOWN_MAX = 12
#: The colours of the drawings, and what they are in the dark.
_DARK = {
    "#1d4f91": "#8ab4f8", "#eef1e6": "#1d2430", "#dde3ea": "#2d3748", "#292524": "#e5e7eb", "#16a34a": "#4ade80", "#bbf7d0": "#14532d",
    "#57534e": "#9aa7b8", "#c2410c": "#fb923c", "#1d4ed8": "#60a5fa", "#6b21a8": "#c084fc",
}  # fmt: skip
_OWN_STYLE = """
h3{font-size:14.5px;margin:20px 0 2px}svg{background:none}.why{margin:2px 0 8px;font-size:13px}
.wide td:last-child{white-space:normal;min-width:13em}code{font-size:12px;overflow-wrap:anywhere}.files td:nth-child(2){white-space:normal}
"""
_WEEKDAYS = ("lu", "ma", "me", "je", "ve", "sa", "di")
_PERSON = (
    "Chaque visiteur n'est connu que par un pseudonyme, tiré pour cette page seule ; aucun identifiant ne s'y trouve."
)


def trial_page(facts: TrialFacts, catalog: Catalog, made_at: datetime) -> str:
    """The whole page."""
    labels = {service.code: service.label for service in catalog.services} | {"INCONNU": "Service inconnu des listes"}
    days = facts.days
    title = f"Vos journaux vus par Vigie, du {_day(days[0])} au {_day(days[-1])}"
    body = [
        f"<h1>{escape(title)}</h1><p class=lead>Ce que Vigie aurait compté et signalé, minute par minute, si elle avait été "
        f"en service. {_PERSON}</p>",
        _cards(facts, labels),
        _broken_off(facts),
        _days(days),
        _curve(facts),
        _alerts(facts, labels),
        _peaks(facts, labels),
        _lines(facts),
        f"<footer>Page produite par <code>vigie trial</code> le {french_date(made_at)} à {made_at:%H:%M}. Rien n'a été envoyé : elle ne "
        "cherche rien sur le réseau et se lit hors connexion.</footer>",
    ]
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title><style>{STYLE}{_OWN_STYLE}{_dark()}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _dark() -> str:
    rules = "".join(
        f'svg [fill="{light}"]{{fill:{dark}}}svg [stroke="{light}"]{{stroke:{dark}}}i[style$="{light}"]{{background:{dark}!important}}'
        for light, dark in _DARK.items()
    )
    return (
        "@media screen and (prefers-color-scheme:dark){body{background:#12161d;color:#dbe2ea}h2{border-color:#8ab4f8}"
        ".lead,.card small,footer,svg{color:#9aa7b8;fill:#9aa7b8}.card,footer{border-color:#2d3748}th{background:#1d2430}"
        "th,td{border-color:#2d3748}.note{background:#33260f}.mark{color:#f0b35e}svg .value{fill:#dbe2ea}" + rules + "}"
    )


def _cards(facts: TrialFacts, labels: dict[str, str]) -> str:
    days = facts.days
    visits = sum(day.visits for day in days)
    busiest = max(days, key=lambda day: day.visits)
    lines, events = sum(one.lines for one in facts.inputs), sum(one.events for one in facts.inputs)
    cards = [
        ("Visites", french.number(visits), f"en {_plural(len(days), 'jour')}"),
        ("Jour le plus chargé", french.number(busiest.visits), f"visites, {_day(busiest)}"),
        ("Alertes", french.number(len(facts.alerts)), f"soit {_per_week(len(facts.alerts), len(days))} par semaine"),
    ]
    if facts.peaks:
        top = facts.peaks[0]
        cards.append(
            ("Service le plus utilisé", labels.get(top.code, top.code), f"{french.number(top.visits)} utilisations")
        )
    cards.append(
        ("Lignes lues", french.number(lines), f"dont {french.number(events - facts.repeats)} utilisations d'un service")
    )
    made = "".join(
        f"<div class=card><small>{escape(a)}</small><b>{escape(b)}</b><small>{escape(c)}</small></div>"
        for a, b, c in cards
    )
    return f'<div class="cards">{made}</div>'


def _broken_off(facts: TrialFacts) -> str:
    broken = [one for one in facts.inputs if one.trouble]
    listed = "".join(f"<li><code>{escape(one.name)}</code> : {escape(one.trouble or '')}</li>" for one in broken)
    return (
        f'<div class="note"><b>Fichiers lus en partie</b> : compté est ce qui précède.<ul>{listed}</ul></div>'
        if broken
        else ""
    )


def _days(days: Sequence[TrialDay]) -> str:
    bars = [
        DayBar((_WEEKDAYS[one.day.weekday()], f"{one.day.day}"), one.visits, None, _told(one), one.is_off)
        for one in days
    ]
    parts = [one for one in days if one.measured_minutes < 23 * 60]
    note = f"<p class=legend>{_plural(len(parts), 'jour')} en partie seulement dans les journaux.</p>" if parts else ""
    return "<h2>Visites par jour</h2>" + day_bars("Visites par jour", bars, "visites", then=None) + note


def _told(one: TrialDay) -> str:
    users = f", environ {french.number(one.users)} visiteurs différents" if one.users is not None else ""
    return f"{_day(one)} : {french.number(one.visits)} visites{users}"


def _curve(facts: TrialFacts) -> str:
    counts, parts = facts.counts, []
    last = counts.values.shape[1]
    for series, scope in enumerate(counts.scopes):
        alerts = [one.found for one in facts.alerts if one.found.series == series]
        busiest = max(range(0, last, 1440), key=lambda begin: _sum(facts, series, begin))
        heading = f"<h3>Région {escape(scope.region or '')}</h3>" if len(counts.scopes) > 1 else ""
        parts.append(heading + drawing(counts, facts.rehearsal, series, begin=0, until=last, alerts=alerts))
        parts.append("<p class=why>Le jour le plus chargé, minute par minute :</p>")
        parts.append(
            drawing(counts, facts.rehearsal, series, begin=busiest, until=min(busiest + 1440, last), alerts=alerts)
        )
    keys = "".join(f'<span><i style="background:{colour}"></i>{label}</span>' for label, colour in COLOURS)
    kinds = "".join(f'<span><i style="background:{colour}"></i>{label}</span>' for label, colour in KINDS.values())
    learning = (
        "<p class=why>Les premières semaines ne servent qu'à apprendre : la bande attendue paraît quand assez de jours comparables "
        "sont connus. "
        "Aucune minute n'est jugée d'après ce qui l'a suivie.</p>"
    )
    return f"<h2>Visites par minute et bande attendue</h2><p class=legend>{keys}{kinds}</p>{learning}{''.join(parts)}"


def _sum(facts: TrialFacts, series: int, begin: int) -> float:
    row = facts.counts.values[series, begin : begin + 1440]
    return float(row[row == row].sum())


def _alerts(facts: TrialFacts, labels: dict[str, str]) -> str:
    if not facts.alerts:
        return "<h2>Alertes</h2><p>Aucune : rien ne s'est assez écarté de l'ordinaire.</p>"
    drawn = "".join(_alert(facts, one, labels) for one in facts.alerts[:DRAWN_MAX])
    more = (
        ""
        if len(facts.alerts) <= DRAWN_MAX
        else f"<p class=why>Les {DRAWN_MAX} premières sont dessinées ; toutes sont dans le tableau.</p>"
    )
    rows = "".join(
        f"<tr><td>{KINDS[one.found.kind.value][0].capitalize()}<td>{_when(facts, one)}<td>{french.number(one.found.observed)}"
        f"<td>{french.number(one.found.expected)}<td>{_ratio(one)}"
        f"<td>{escape(', '.join(_driver(each, labels) for each in one.drivers[:2])) or '–'}</tr>"
        for one in facts.alerts
    )
    table = (
        '<div class="wide"><table><thead><tr><th>Nature<th>Quand<th>Visites<th>Attendues<th>Rapport<th>Surtout</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    return f"<h2>Alertes qui auraient été levées (sensibilité {escape(facts.sensitivity)})</h2>{table}{drawn}{more}"


def _alert(facts: TrialFacts, one: TrialAlert, labels: dict[str, str]) -> str:
    found = one.found
    begin, until = around(facts.counts, found)
    alerts = [other.found for other in facts.alerts if other.found.series == found.series]
    drove = "; ".join(_driver(each, labels) for each in one.drivers)
    why = f"<p class=why>Face aux mêmes minutes des semaines d'avant : {escape(drove)}.</p>" if drove else ""
    learning = " <span class=mark>(peu de jours comparables encore)</span>" if found.learning else ""
    title = f"<h3>{KINDS[found.kind.value][0].capitalize()}, {_when(facts, one)}, {_ratio(one)}{learning}</h3>"
    return title + why + drawing(facts.counts, facts.rehearsal, found.series, begin=begin, until=until, alerts=alerts)


def _driver(each: ServiceChange, labels: dict[str, str]) -> str:
    return f"{labels.get(each.code, each.code)} {french.number(each.visits)} contre {french.number(each.usual)}"


def _when(facts: TrialFacts, one: TrialAlert) -> str:
    first = facts.counts.first_minute
    start, last = first + one.found.start, first + one.found.last
    return f"{french.moment(start)} – {french.short_moment(last + 1)[-5:]}"


def _ratio(one: TrialAlert) -> str:
    ratio = one.found.ratio
    return "–" if ratio is None else f"× {ratio:.2f}".replace(".", ",")


def _peaks(facts: TrialFacts, labels: dict[str, str]) -> str:
    rows = "".join(
        f"<tr><td>{escape(labels.get(one.code, one.code))}<td>{french.number(one.visits)}<td>{french.number(one.peak_visits)}"
        f"<td>{french.moment(one.peak_minute)}<td>{french.number(one.hour_visits)}<td>{french.moment(one.hour_minute)}</tr>"
        for one in facts.peaks
    )
    return (
        '<h2>Pointes par service</h2><div class="wide"><table><thead><tr><th>Service<th>Utilisations<th>Minute de pointe<th>le'
        "<th>Heure de pointe<th>à "
        f"partir de</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _lines(facts: TrialFacts) -> str:
    skipped: Counter[str] = Counter()
    for one in facts.inputs:
        skipped.update(one.skipped)
    lines, unreadable = sum(one.lines for one in facts.inputs), sum(one.unreadable for one in facts.inputs)
    kinds = "".join(
        f"<tr><td>{escape(kind)}<td>{french.number(number)}<td>{french.share(number, lines)}</tr>"
        for kind, number in skipped.most_common()
    )
    unseen = "".join(
        f"<li>{escape(name)} <code>{escape(value)}</code> : {french.number(number)}</li>"
        for name, value, number in facts.unseen[:VALUES_SHOWN_MAX]
        if value
    )
    listed = f"<p>Valeurs qu'aucune liste ne connaît, comptées comme inconnues :</p><ul>{unseen}</ul>" if unseen else ""
    files = "".join(_file(one) for one in facts.inputs if one.unreadable or one.trouble)
    wrong = (
        f'<table class="files"><thead><tr><th>Fichier<th>Lignes et raisons</tr></thead><tbody>{files}</tbody></table>'
        if files
        else "<p>Toutes les lignes ont été lues.</p>"
    )
    return (
        f"<h2>Ce qui n'a pas été compté, et pourquoi</h2><p>{_plural(len(facts.inputs), 'fichier')}, {_plural(lines, 'ligne')} : "
        f"{french.number(sum(one.events for one in facts.inputs))} utilisations (dont {french.number(facts.repeats)} répétées, "
        "comptées une fois), "
        f"{french.number(skipped.total())} lignes qui n'en sont pas, {french.number(unreadable)} illisibles.</p>"
        f"<table><thead><tr><th>Lignes qui ne sont pas une utilisation (telles que les lecteurs les nomment)<th>Nombre<th>Part</tr>"
        f"</thead><tbody>{kinds}</tbody></table>"
        f"{listed}<h3>Lignes illisibles</h3>{wrong}"
    )


def _file(one: InputReport) -> str:
    named = "<br>".join(f"ligne {number} : {escape(why)}" for number, why in one.unreadable_first[:LINES_SHOWN_MAX])
    more = one.unreadable - min(len(one.unreadable_first), LINES_SHOWN_MAX)
    named += f"<br>et {french.number(more)} autres" if more > 0 else ""
    return (
        f"<tr><td><code>{escape(one.name)}</code><td>{named}{f'<br>{escape(one.trouble)}' if one.trouble else ''}</tr>"
    )


def _day(one: TrialDay) -> str:
    return french_date(datetime.combine(one.day, time()))


def _per_week(alerts: int, days: int) -> str:
    return f"{7 * alerts / max(1, days):.1f}".replace(".", ",")


def _plural(number: int, word: str) -> str:
    return f"{french.number(number)} {word}{'s' * (number > 1)}"
