"""The notes of the report's page: what is compared, who sends on both sides, what to know. In French."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from html import escape

from streams.clock import PARIS, french_date
from streams.history import french
from streams.history.changed_projects import ChangeKind
from streams.history.coverage import Extent
from streams.history.pairing import Likeness
from streams.history.report import Report
from streams.history.report_days import of_likeness
from streams.history.report_labels import ESTIMATED
from streams.history.unlike import DayUse

_KINDS = {
    DayUse.RENTREE: "jours de rentrée",
    DayUse.SCHOOL: "jours de classe hors mercredi",
    DayUse.WEDNESDAY: "mercredis de classe",
    DayUse.SATURDAY: "samedis",
    DayUse.SUNDAY: "dimanches",
    DayUse.PUBLIC: "jours fériés",
    DayUse.FREE: "jours de semaine sans classe",
    DayUse.FREE_SATURDAY: "samedis de vacances",
    DayUse.FREE_SUNDAY: "dimanches de vacances",
    DayUse.UNKNOWN: "jours de calendrier scolaire inconnu",
}
_CHANGES = {
    ChangeKind.JOINED: "présent cette fois seulement",
    ChangeKind.LEFT: "absent cette fois",
    ChangeKind.SILENT: "muet une partie du temps",
}


def extent_text(extent: Extent) -> str:
    """`comparé sur 10 des 28 jours, le dernier jusqu'à 10 h`; empty where all is compared."""
    if extent.is_whole:
        return ""
    if not extent.minutes:
        return "rien n'a été mesuré des deux côtés"
    since = f"à partir de {_time(extent.since)}" if extent.since is not None else ""
    until = f"jusqu'à {_time(extent.until)}" if extent.until is not None else ""
    if extent.days == 1:
        text = " ".join(part for part in ("comparé", since, until) if part)
    else:
        text = f"comparé sur {len(extent.day_numbers)} des {extent.days} jours"
        text += f", le premier {since}" if since else ""
        text += f", le dernier {until}" if until else ""
    if extent.gap_minutes:
        text += f", sans {_counted(extent.gap_minutes, 'minute')} non mesurée{_s(extent.gap_minutes)}"
    return text


def perimeter_note(report: Report) -> str:
    """Whether the same projects send on both sides; nothing where nothing is compared."""
    if not report.extent.minutes:
        return ""
    found = report.perimeter
    names = {row.code: row.label for row in report.of("project")}
    items = []
    for change in found.changes:
        days = f"{_counted(len(change.days), 'jour')} à partir du {_day(change.days[0])}"
        items.append(
            f"{names.get(change.project, change.project)} : {_CHANGES[change.change]} ({days}) ; "
            f"{french.number(change.visits)} visites contre {french.number(change.visits_then)}"
        )
    if report.then.regions is None and found.establishments and found.establishments_then:
        items.append(
            f"Établissements vus : {french.number(found.establishments)} contre "
            f"{french.number(found.establishments_then)} (approché)"
        )
    total = report.total
    if report.then.regions is not None:
        regions = {row.code: row.label for row in report.of("region")}
        covered = ", ".join(regions.get(code, code) for code in sorted(report.then.regions)) or "aucune"
        head = (
            "<b>Périmètre inconnu.</b> La comparaison est faite avec les établissements des chiffres hebdomadaires : "
            f"{french.number(found.establishments_then)} établissements, contre environ {french.number(found.establishments)} vus "
            f"cette fois. Régions couvertes : {escape(covered)}."
        )
    elif not found.is_known:
        head = (
            "<b>Périmètre inconnu.</b> Des chiffres par projet manquent d'un côté : l'évolution à périmètre constant n'est pas "
            f"calculée ; tous projets confondus : {french.growth(total.growth_raw)}."
        )
    elif not found.changes:
        head = "<b>Périmètre constant</b> : les mêmes projets des deux côtés."
    else:
        head = (
            "<b>Le périmètre a changé.</b> Les évolutions sont calculées à périmètre constant : "
            f"{french.growth(total.growth)}, contre {french.growth(total.growth_raw)} tous projets confondus. Par service et par "
            "profil, dont il n'existe pas de chiffres par projet, la part de ces projets dans leur région est ôtée de chacun (approché)."
        )
    return _note(head, items)


def warnings_note(report: Report) -> str:
    """What else to know."""
    items = []
    if text := extent_text(report.extent):
        items.append(
            f"{text[:1].upper()}{text[1:]} : seules les minutes mesurées des deux côtés comptent dans l'évolution."
        )
    if report.then.estimated:
        items.append(
            f"La période de comparaison n'a pas été mesurée par Vigie : elle est {ESTIMATED} "
            "(chiffres hebdomadaires répartis selon la courbe de charge)."
        )
    items += _pairs_told(report)
    for unlike in report.unlike:
        zones = f"zone{_s(len(unlike.zones))} {', '.join(unlike.zones)}"
        items.append(f"Jours dissemblables, {_KINDS[unlike.kind]} : {unlike.now} contre {unlike.then} ({zones}).")
    if report.unknown_regions:
        names = {row.code: row.label for row in report.of("region")}
        listed = ", ".join(names.get(code, code) for code in report.unknown_regions)
        items.append(f"Calendrier scolaire inconnu, jours appariés comme ceux des zones A, B et C : {listed}.")
    return _note("<b>À savoir</b>", items) if items else ""


def _pairs_told(report: Report) -> list[str]:
    """Days that are not held against the same weekday of the same kind."""
    items = [
        f"{_day(now).capitalize()} compte en face du {_day(then)}, autre jour de même nature, faute de même jour de la semaine."
        for now, then in of_likeness(report, Likeness.KIND)
    ]
    if apart := of_likeness(report, Likeness.APART):
        mine, other = (", ".join(f"{day:%d/%m/%Y}" for day in sorted(side)) for side in zip(*apart, strict=True))
        items.append(
            f"{_counted(len(apart), 'jour')} à part, sans jour comparable de l'autre côté (classe, vacances ou férié) : {mine} ; "
            f"en face : {other}."
        )
    return items


def _note(head: str, items: Sequence[str]) -> str:
    listed = f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else ""
    return f'<div class="note">{head}{listed}</div>'


def _time(minute: int) -> str:
    return f"{minute // 60} h" + (f" {minute % 60:02}" if minute % 60 else "")


def _counted(number: int, what: str) -> str:
    return f"{french.number(number)} {what}{_s(number)}"


def _s(number: int) -> str:
    return "s" if number > 1 else ""


def _day(day: date) -> str:
    return french_date(datetime(day.year, day.month, day.day, tzinfo=PARIS))
