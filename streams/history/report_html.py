"""The report as one page that needs nothing else: French, charts inline, prints on A4. Pure."""

from __future__ import annotations

from datetime import date, datetime
from html import escape
from zoneinfo import ZoneInfo

from streams.catalog import Catalog
from streams.clock import PARIS, french_date
from streams.history import french
from streams.history.compared_days import RENTREE_DAYS
from streams.history.coverage import Extent
from streams.history.report import Report, Row
from streams.history.report_days import day_rows
from streams.history.report_labels import ESTIMATED, GROUP_LABELS, by_label, label_of
from streams.history.report_notes import extent_text, perimeter_note, warnings_note
from streams.history.report_quality import quality_section
from streams.history.report_style import STYLE
from streams.history.report_svg import NOW, THEN, DayBar, Line, day_bars, growth_bars, lines

_WEEKDAYS = ("lu", "ma", "me", "je", "ve", "sa", "di")
_LIKE_DAYS = "chaque jour face au même jour de la semaine, classe contre classe"
SECTIONS = (
    ("region", "Par région", "Visites"),
    ("group", "Par groupe de services (rapport publié ; les groupes se recoupent)", "Utilisations"),
    ("family", "Par famille de services", "Utilisations"),
    ("service", "Par service", "Utilisations"),
    ("project", "Par projet d'ENT", "Visites"),
    ("profile", "Par profil", "Visites"),
    ("academy", "Par académie", "Visites"),
)


def report_page(report: Report, catalog: Catalog, made_at: datetime) -> str:
    """The whole page."""
    zones = {region.code: ZoneInfo(region.timezone) for region in catalog.regions}
    body = [
        f"<h1>{escape(_title(report))}</h1><p class=lead>{escape(_subtitle(report))}</p>",
        '<div class="note"><b>Données simulées</b> : ces chiffres ne décrivent aucune audience réelle.</div>'
        if report.simulated
        else "",
        _cards(report),
        perimeter_note(report),
        warnings_note(report),
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
    return _kind(report) if report.total.by == "national" else f"{_kind(report)} – {report.total.label}"


def _kind(report: Report) -> str:
    days = report.question.days
    if report.question.kind == "rentree":
        return f"Rentrée {days[0].year} : audience des ENT"
    if report.question.kind == "day":
        return f"Audience des ENT, {_day(days[0])}"
    return f"Audience des ENT, du {_day(days[0])} au {_day(days[-1])}"


def _subtitle(report: Report) -> str:
    then, last = report.question.ends()[1]
    estimated = f" ({ESTIMATED})" if report.then.estimated else ""
    if report.question.kind == "rentree":
        return (
            f"Jour de la rentrée ({_day(report.question.days[0])}) et quatre premières semaines, comparés à la rentrée {then.year} "
            f"({_day(then)}), {_LIKE_DAYS}{estimated}"
        )
    if report.question.kind == "day":
        return f"Comparé au {_day(then)}{estimated}"
    return f"Comparé à la période du {_day(then)} au {_day(last)}, {_LIKE_DAYS}{estimated}"


def _cards(report: Report) -> str:
    total = report.total
    what = "Quatre premières semaines" if report.question.kind == "rentree" else "Visites"
    cards = []
    if report.first_day and report.first_extent:
        cards.append(_growth_card("Jour de la rentrée", report.first_day, report.first_extent, report.then.estimated))
    cards.append(_growth_card(what, total, report.extent, report.then.estimated))
    if users := report.users(total):
        then = f"contre {french.number(total.users_then)}" if total.users_then else "sur les jours mesurés"
        cards.append(_card("Visiteurs différents (approché)", _users(users), then))
    if total.peak:
        cards.append(
            _card("Minute de pointe", f"{french.number(total.peak.visits)} visites", french.moment(total.peak.minute))
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _growth_card(title: str, row: Row, extent: Extent, estimated: bool) -> str:
    then = french.number(row.visits_then_compared) + (f" ({ESTIMATED})" if estimated else "")
    if row.visits_compared == row.visits is not None and not row.perimeter_changed:
        found = f"{french.number(row.visits)} visites contre {then}"
        return _card(
            title, french.growth(row.growth), " ; ".join(part for part in (found, extent_text(extent)) if part)
        )
    parts = [f"{french.number(row.visits)} visites"]
    if text := extent_text(extent):
        parts.append(text)
    if not extent.minutes:
        return _card(title, "–", " ; ".join(parts))
    if row.visits_compared is None:
        parts.append(f"périmètre inconnu ; tous projets confondus {french.growth(row.growth_raw)}")
    else:
        what = "à périmètre constant " if row.perimeter_changed else ""
        parts.append(f"{what}{french.number(row.visits_compared)} contre {then}")
        if row.perimeter_changed:
            parts.append(f"tous projets confondus {french.growth(row.growth_raw)}")
    return _card(title, french.growth(row.growth), " ; ".join(parts))


def _card(title: str, value: str, text: str) -> str:
    return f'<div class="card"><small>{escape(title)}</small><b>{escape(value)}</b><small>{escape(text)}</small></div>'


def _charts(report: Report) -> str:
    parts = []
    days = report.question.days
    if len(days) > 1:
        parts.append(f"<h2>Visites par jour, tous projets</h2>{_day_bars(report)}")
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


def _day_bars(report: Report) -> str:
    mine, other = report.question.ends()
    then = _range(other) + (f" ({ESTIMATED})" if report.then.estimated else "")
    is_short = len(report.question.pairs) <= RENTREE_DAYS
    bars = []
    for row in day_rows(report):
        day, earlier = row.pair.now, row.pair.then
        told = f"{_day(day)} : {french.number(row.now)} visites"
        if row.is_beside:
            told += f" ; {_day(earlier)} : {french.number(row.then)} ({french.growth(row.growth)})"
        label = (_WEEKDAYS[day.weekday()], f"{day.day}/{day.month}") if is_short else (f"{day:%d/%m}",)
        bars.append(DayBar(label, float(row.now), float(row.then) if row.is_beside else None, told, row.is_off))
    return day_bars("Visites par jour, tous projets", bars, _range(mine), then=then)


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
        f"<tr><td>{escape(row.label)}</td><td>{what[row.by]}</td><td>{french.number(row.visits_compared)}</td>"
        f"<td>{french.number(row.visits_then_compared)}</td><td>{french.number(row.change)}</td>{_growth_cell(row)}</tr>"
        for row in report.movers()
    )
    head = "<tr><th>Quoi</th><th></th><th>Visites comparées</th><th>Avant</th><th>Écart</th><th>Évolution</th></tr>"
    return f"<h2>Ce qui a le plus changé</h2>{_table(head, rows)}" if rows else ""


def _table(head: str, rows: str) -> str:
    """A table that scrolls by itself where the page is narrower than it."""
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _section(report: Report, by: str, title: str, visits: str, zones: dict[str, ZoneInfo]) -> str:
    rows = sorted(report.of(by), key=lambda row: -(row.visits or 0))
    if not rows:
        return ""
    has_users, has_silence = by == "region", by in ("region", "project")
    has_compared = any(row.visits_compared not in (None, row.visits) for row in rows)
    head = [
        by_label(by),
        visits,
        *(["Comparées"] * has_compared),
        "Avant",
        "Évolution",
        "Événements",
        "Pointe (visites/min)",
    ]
    head += ["Visiteurs ≈"] * has_users + ["Établ. ≈", "Silence (min)"] * has_silence
    lines_ = []
    for row in rows:
        peak = (
            f"{french.number(row.peak.visits)} ({french.short_moment(row.peak.minute, zones.get(row.code, PARIS))})"
            if row.peak
            else "–"
        )
        then = row.visits_then if row.visits_then_compared is None else row.visits_then_compared
        cells = [french.number(row.visits), *([french.number(row.visits_compared)] * has_compared), french.number(then)]
        rest = [french.number(row.events), peak]
        rest += [_users(report.users(row))] * has_users
        rest += [french.number(row.establishments), french.number(row.silence_minutes)] * has_silence
        lines_.append(
            f"<tr><td>{escape(label_of(row))}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}{_growth_cell(row)}"
            f"{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>"
        )
    heads = "".join(f"<th>{escape(text)}</th>" for text in head)
    return f"<h2>{escape(title)}</h2>{_table(f'<tr>{heads}</tr>', ''.join(lines_))}"


def _users(users: int | str | None) -> str:
    return users if isinstance(users, str) else french.number(users)


def _growth_cell(row: Row) -> str:
    colour = "" if row.growth is None else "up" if row.growth >= 0 else "down"
    raw = f' <span class="mark">({french.growth(row.growth_raw)})</span>' if row.perimeter_changed else ""
    return f'<td class="{colour}">{french.growth(row.growth)}{raw}</td>'


def _footer(made_at: datetime) -> str:
    return (
        "<footer>Une visite est l'usage continu d'un visiteur authentifié ; 30 minutes d'interruption en commencent une autre "
        "(règle du DNMA). Les visites d'un service sont des utilisations de ce service : elles ne s'additionnent pas en visites. "
        "Visiteurs et établissements sont approchés (HyperLogLog, erreur type 0,81 %) et ne s'additionnent pas. "
        "Comparées : visites des minutes mesurées des deux côtés, à périmètre constant, que l'évolution rapporte à celles d'avant. "
        "Entre parenthèses : évolution tous projets confondus. Silence : minutes sans aucun événement, de 7 h à 21 h, "
        f"les jours de classe, à l'heure locale. Rapport établi le {escape(french_date(made_at))} par Vigie.</footer>"
    )


def _day(day: date) -> str:
    return french_date(datetime(day.year, day.month, day.day, tzinfo=PARIS))


def _range(ends: tuple[date, date]) -> str:
    return f"{ends[0]:%d/%m/%Y} – {ends[1]:%d/%m/%Y}"
