"""The report as one page that needs nothing else: French, charts inline, prints on A4. Pure."""

from __future__ import annotations

from datetime import date, datetime
from html import escape
from zoneinfo import ZoneInfo

from streams.catalog import Catalog
from streams.clock import PARIS, french_date
from streams.history import french
from streams.history.perimeter import Change
from streams.history.report import RENTREE_DAYS, Report, Row
from streams.history.report_labels import ESTIMATED, GROUP_LABELS, by_label, label_of
from streams.history.report_quality import quality_section
from streams.history.report_style import STYLE
from streams.history.report_svg import NOW, THEN, Line, growth_bars, lines, pairs

SECTIONS = (
    ("region", "Par région", "Visites"),
    ("group", "Par groupe de services (rapport publié ; les groupes se recoupent)", "Utilisations"),
    ("family", "Par famille de services", "Utilisations"),
    ("service", "Par service", "Utilisations"),
    ("project", "Par projet d'ENT", "Visites"),
    ("profile", "Par profil", "Visites"),
    ("academy", "Par académie", "Visites"),
)


def report_page(report: Report, catalog: Catalog, simulated: bool, made_at: datetime) -> str:
    """The whole page."""
    zones = {region.code: ZoneInfo(region.timezone) for region in catalog.regions}
    body = [
        f"<h1>{escape(_title(report))}</h1><p class=lead>{escape(_subtitle(report))}</p>",
        '<div class="note"><b>Données simulées</b> : ces chiffres ne décrivent aucune audience réelle.</div>'
        if simulated
        else "",
        _cards(report),
        _perimeter(report),
        _warnings(report),
        _charts(report),
        _movers(report),
        *(_section(report, by, title, visits, zones) for by, title, visits in SECTIONS),
        quality_section(report),
        _footer(made_at),
    ]
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(_title(report))}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _title(report: Report) -> str:
    days = report.question.days
    if report.question.kind == "rentree":
        return f"Rentrée {days[0].year} : audience des ENT"
    if report.question.kind == "day":
        return f"Audience des ENT, {_day(days[0])}"
    return f"Audience des ENT, du {_day(days[0])} au {_day(days[-1])}"


def _subtitle(report: Report) -> str:
    then = report.question.against
    estimated = f" ({ESTIMATED})" if report.then.estimated else ""
    if report.question.kind == "rentree":
        return (
            f"Jour de la rentrée ({_day(report.question.days[0])}) et quatre premières semaines, comparés à la rentrée {then[0].year} "
            f"({_day(then[0])}), jour n contre jour n{estimated}"
        )
    if report.question.kind == "day":
        return f"Comparé au {_day(then[0])}{estimated}"
    return f"Comparé à la période du {_day(then[0])} au {_day(then[-1])}, jour n contre jour n{estimated}"


def _cards(report: Report) -> str:
    total = report.total
    what = "Quatre premières semaines" if report.question.kind == "rentree" else "Visites"
    cards = []
    if report.first_day:
        cards.append(
            _card("Jour de la rentrée", french.growth(report.first_day.growth), _visits_text(report.first_day))
        )
    cards.append(_card(what, french.growth(total.growth), _visits_text(total)))
    if total.users:
        cards.append(
            _card(
                "Visiteurs différents (approché)",
                french.number(total.users),
                f"contre {french.number(total.users_then)}",
            )
        )
    if total.peak:
        cards.append(
            _card("Minute de pointe", f"{french.number(total.peak.visits)} visites", french.moment(total.peak.minute))
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _visits_text(row: Row) -> str:
    text = f"{french.number(row.visits)} visites contre {french.number(row.visits_then)}"
    if row.perimeter_changed:
        text += f" ; tous projets confondus {french.growth(row.growth_raw)}"
    return text


def _card(title: str, value: str, text: str) -> str:
    return f'<div class="card"><small>{escape(title)}</small><b>{escape(value)}</b><small>{escape(text)}</small></div>'


def _perimeter(report: Report) -> str:
    found = report.perimeter
    items = []
    names = {row.code: row.label for row in report.of("project")}
    said = {
        Change.JOINED: "présent cette fois seulement",
        Change.LEFT: "absent cette fois",
        Change.SILENT: "muet une partie du temps",
    }
    for change in found.changes:
        days = f"{len(change.days)} jour{'s' if len(change.days) > 1 else ''} à partir du {_day(change.days[0])}"
        items.append(
            f"<li>{escape(names.get(change.project, change.project))} : {said[change.change]} ({days}) ; "
            f"{french.number(change.visits)} visites contre {french.number(change.visits_then)}</li>"
        )
    if found.establishments and found.establishments_then:
        items.append(
            f"<li>Établissements vus : {french.number(found.establishments)} contre "
            f"{french.number(found.establishments_then)} (approché)</li>"
        )
    if not found.changes:
        return f'<div class="note"><b>Périmètre constant</b> : les mêmes projets des deux côtés.<ul>{"".join(items)}</ul></div>'
    total = report.total
    return (
        '<div class="note"><b>Le périmètre a changé.</b> Les évolutions sont calculées à périmètre constant : '
        f"{french.growth(total.growth)}, contre {french.growth(total.growth_raw)} tous projets confondus. Par service et par profil, "
        "les régions "
        f"dont un projet a changé ne sont pas comparées.<ul>{''.join(items)}</ul></div>"
    )


def _warnings(report: Report) -> str:
    items = []
    if report.then.estimated:
        items.append(
            f"La période de comparaison n'a pas été mesurée par Vigie : elle est {ESTIMATED} "
            "(chiffres hebdomadaires répartis selon la courbe de charge)."
        )
    if report.unknown_regions:
        names = {row.code: row.label for row in report.of("region")}
        listed = ", ".join(names.get(code, code) for code in report.unknown_regions)
        items.append(f"Calendrier scolaire inconnu, jours comparés par leur seule date : {listed}.")
    for what, side in (("cette période", report.now), ("la période de comparaison", report.then)):
        quality = side.quality
        if quality and quality.measured_minutes < quality.minutes:
            missing = quality.minutes - quality.measured_minutes
            items.append(
                f"{french.number(missing)} minutes de {what} n'ont pas été mesurées : l'évolution est approchée."
            )
    listed = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f'<div class="note"><b>À savoir</b><ul>{listed}</ul></div>' if items else ""


def _charts(report: Report) -> str:
    parts = []
    days, then_days = report.question.days, report.question.against
    now, then = report.now.sum_of("national", "FR").by_day, report.then.sum_of("national", "FR").by_day
    mine = Line(_range(days), [float(value) for value in now], NOW)
    other = Line(
        _range(then_days) + (f" ({ESTIMATED})" if report.then.estimated else ""), [float(value) for value in then], THEN
    )
    if len(days) > 1:
        labels = (
            [f"J{number + 1}" for number in range(len(days))]
            if len(days) <= RENTREE_DAYS
            else [f"{day:%d/%m}" for day in days]
        )
        parts.append(f"<h2>Visites par jour</h2>{pairs('Visites par jour', labels, mine, other)}")
    if report.now.first_day and report.then.first_day:
        parts.append(f"<h2>{escape(_day(days[0]).capitalize())}, minute par minute</h2>{_first_day(report)}")
    grown = sorted(
        ((row.label, row.growth) for row in report.of("region") if row.growth is not None), key=lambda item: -item[1]
    )
    if grown:
        parts.append(f"<h2>Évolution des visites par région</h2>{growth_bars('Évolution par région', grown)}")
    groups = [
        (GROUP_LABELS.get(row.code, row.code), row.growth) for row in report.of("group") if row.growth is not None
    ]
    if groups:
        parts.append(
            f"<h2>Évolution par groupe de services</h2>{growth_bars('Évolution par groupe', sorted(groups, key=lambda g: -g[1]))}"
        )
    return "".join(parts)


def _first_day(report: Report) -> str:
    series = []
    for side, colour in ((report.then, THEN), (report.now, NOW)):
        assert side.first_day is not None
        _first, visits = side.first_day
        label = _day(side.days[0]) + (f" ({ESTIMATED})" if side.estimated else "")
        series.append(Line(label, [float(value) for value in visits], colour))
    ticks = [(hour * 60, f"{hour} h") for hour in range(0, 25, 3)]
    return lines("Visites par minute", series, ticks)


def _movers(report: Report) -> str:
    what = {"region": "région", "service": "service", "project": "projet"}
    rows = "".join(
        f"<tr><td>{escape(row.label)}</td><td>{what[row.by]}</td><td>{french.number(row.visits)}</td>"
        f"<td>{french.number(row.visits_then)}</td><td>{french.number(row.visits - row.visits_then)}</td>{_growth_cell(row)}</tr>"
        for row in report.movers()
    )
    head = "<tr><th>Quoi</th><th></th><th>Visites</th><th>Avant</th><th>Écart</th><th>Évolution</th></tr>"
    return f"<h2>Ce qui a le plus changé</h2><table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""


def _section(report: Report, by: str, title: str, visits: str, zones: dict[str, ZoneInfo]) -> str:
    rows = sorted(report.of(by), key=lambda row: -row.visits)
    if not rows:
        return ""
    has_users, has_silence = by == "region", by in ("region", "project")
    head = [by_label(by), visits, "Avant", "Évolution", "Événements", "Pointe (visites/min)"]
    head += ["Visiteurs ≈"] * has_users + ["Établ. ≈", "Silence (min)"] * has_silence
    lines_ = []
    for row in rows:
        peak = (
            f"{french.number(row.peak.visits)} ({french.short_moment(row.peak.minute, zones.get(row.code, PARIS))})"
            if row.peak
            else "–"
        )
        cells = [french.number(row.visits), french.number(row.visits_then)]
        rest = [french.number(row.events), peak]
        rest += [french.number(row.users)] * has_users
        rest += [french.number(row.establishments), french.number(row.silence_minutes)] * has_silence
        lines_.append(
            f"<tr><td>{escape(label_of(row))}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}{_growth_cell(row)}"
            f"{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>"
        )
    heads = "".join(f"<th>{escape(text)}</th>" for text in head)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines_)}</tbody></table>"


def _growth_cell(row: Row) -> str:
    colour = "" if row.growth is None else "up" if row.growth >= 0 else "down"
    raw = f' <span class="mark">({french.growth(row.growth_raw)})</span>' if row.perimeter_changed else ""
    return f'<td class="{colour}">{french.growth(row.growth)}{raw}</td>'


def _footer(made_at: datetime) -> str:
    return (
        "<footer>Une visite est l'usage continu d'un visiteur authentifié ; 30 minutes d'interruption en commencent une autre "
        "(règle du DNMA). Les visites d'un service sont des utilisations de ce service : elles ne s'additionnent pas en visites. "
        "Visiteurs et établissements sont approchés (HyperLogLog, erreur type 0,81 %) et ne s'additionnent pas. "
        "Entre parenthèses : évolution tous projets confondus. Silence : minutes sans aucun événement, de 7 h à 21 h, "
        f"les jours de classe. Rapport établi le {escape(french_date(made_at))} par Vigie.</footer>"
    )


def _day(day: date) -> str:
    return french_date(datetime(day.year, day.month, day.day, tzinfo=PARIS))


def _range(days: tuple[date, ...]) -> str:
    if len(days) == 1:
        return _day(days[0])
    return f"{days[0]:%d/%m/%Y} – {days[-1]:%d/%m/%Y}"
