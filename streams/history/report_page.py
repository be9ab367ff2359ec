"""The report as one page that needs nothing else: French, charts inline, prints on A4. `report.html` lays it out. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from streams.catalog import UNKNOWN, Catalog
from streams.history.changed_projects import ChangeKind
from streams.history.compared_days import RENTREE_DAYS
from streams.history.marks import HourSource
from streams.history.pairing import DayUse
from streams.history.report import Mark, Report, Row
from streams.history.report_values import day_rows
from streams.history.report_words import FRENCH
from streams.pages import NOW, THEN, DayBar, Line, french, render

_LIKE_DAYS = "chaque jour face au même jour de la semaine, classe contre classe"
#: Groupings in order: (title, what its codes are, what its visits are).
SECTIONS = {
    "region": ("Par région", "Région", "Visites"),
    "group": ("Par groupe de services (rapport publié ; les groupes se recoupent)", "Groupe", "Utilisations"),
    "family": ("Par famille de services", "Famille", "Utilisations"),
    "service": ("Par service", "Service", "Utilisations"),
    "project": ("Par projet d'ENT", "Projet", "Visites"),
    "profile": ("Par profil", "Profil", "Visites"),
    "academy": ("Par académie", "Académie", "Visites"),
}
_LABELS = {
    "group": {
        "vie_scolaire": "Vie scolaire",
        "services_pedagogiques": "Services pédagogiques",
        "stockage_partage": "Stockage et partage",
        "parcours": "Parcours pédagogiques",
        "visioconference": "Visioconférence",
        "travail_collaboratif": "Travail collaboratif",
    },
    "family": {
        "general": "Général",
        "communication": "Communication",
        "gestion": "Gestion et vie scolaire",
        "collaboration": "Collaboration",
        "ressources": "Ressources",
        "pedagogie": "Pédagogie",
    },
    "profile": {
        "ELEVE": "Élèves",
        "PARENT": "Parents",
        "ENSEIGNANT": "Enseignants",
        "ADMIN_VIE_SCOL_TECH": "Administratifs, vie scolaire, techniques",
        "PERSONNEL_COLLECTIVITE": "Personnels des collectivités",
        "AUTRE": "Autres",
    },
}
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
_SOURCES = {
    HourSource.LIVE: "compté par Vigie",
    HourSource.IMPORT: "importé",
    HourSource.BACKFILL: "recompté d'après des journaux",
    HourSource.SIMULATED: "simulé",
}


def report_page(report: Report, catalog: Catalog, made_at: datetime) -> str:
    """The whole page."""
    return render(
        "history/report.html",
        report=report,
        title=_title(report),
        subtitle=_subtitle(report),
        cards=_cards(report),
        extent=FRENCH.extent(report.extent),
        estimated=Mark.ESTIMATED,
        source=_source(report),
        ends=[f"{first:%d/%m/%Y} – {last:%d/%m/%Y}" for first, last in report.question.ends()],
        bars=_day_bars(report),
        names={(row.by, row.code): row.label for row in report.rows},
        label=_label,
        zones={region.code: ZoneInfo(region.timezone) for region in catalog.regions},
        first_day=_first_day(report),
        sections=SECTIONS,
        kinds=_KINDS,
        changes=_CHANGES,
        sources=_SOURCES,
        made_on=french.day(made_at.date()),
    )


def _title(report: Report) -> str:
    days = report.question.days
    title = {
        "rentree": f"Rentrée {days[0].year} : audience des ENT",
        "day": f"Audience des ENT, {french.day(days[0])}",
        "period": f"Audience des ENT, du {french.day(days[0])} au {french.day(days[-1])}",
    }[report.question.kind]
    return title if report.total.by == "national" else f"{title} – {report.total.label}"


def _subtitle(report: Report) -> str:
    then, last = report.question.ends()[1]
    subtitle = {
        "rentree": f"Jour de la rentrée ({french.day(report.question.days[0])}) et quatre premières semaines, comparés à la rentrée "
        f"{then.year} ({french.day(then)}), {_LIKE_DAYS}",
        "day": f"Comparé au {french.day(then)}",
        "period": f"Comparé à la période du {french.day(then)} au {french.day(last)}, {_LIKE_DAYS}",
    }[report.question.kind]
    return subtitle + _source(report)


def _source(report: Report) -> str:
    """What follows every figure of an earlier side that was not measured."""
    return f" ({Mark.ESTIMATED})" if report.then.estimated else ""


def _cards(report: Report) -> list[tuple[str, str, str]]:
    """(title, figure, what it says)."""
    total = report.total
    of_all = "Quatre premières semaines" if report.question.kind == "rentree" else "Visites"
    grown = [("Jour de la rentrée", report.first_day, report.first_extent), (of_all, total, report.extent)]
    cards = [
        (title, french.growth(row.growth), FRENCH.comparison(row, extent, _source(report)))
        for title, row, extent in grown
        if row and extent
    ]
    if users := report.users(total):
        then = f"contre {french.number(total.users_then)}" if total.users_then else "sur les jours mesurés"
        cards.append(
            ("Visiteurs différents (approché)", users if isinstance(users, str) else french.number(users), then)
        )
    if total.peak:
        cards.append(
            ("Minute de pointe", f"{french.number(total.peak.visits)} visites", french.moment(total.peak.minute))
        )
    return cards


def _label(row: Row) -> str:
    """The French name of a row."""
    return "Inconnu" if row.code == UNKNOWN else _LABELS.get(row.by, {}).get(row.code, row.label)


def _day_bars(report: Report) -> list[DayBar]:
    is_short = len(report.question.pairs) <= RENTREE_DAYS
    bars = []
    for row in day_rows(report):
        day, earlier = row.pair.now, row.pair.then
        told = f"{french.day(day)} : {french.number(row.now)} visites"
        if row.is_beside:
            told += f" ; {french.day(earlier)} : {french.number(row.then)} ({french.growth(row.growth)})"
        label = (french.WEEKDAYS[day.weekday()], f"{day.day}/{day.month}") if is_short else (f"{day:%d/%m}",)
        bars.append(DayBar(label, float(row.now), float(row.then) if row.is_beside else None, told, row.is_off))
    return bars


def _first_day(report: Report) -> list[Line]:
    """Both first days by minute; nothing where one has none."""
    lines = [
        Line(french.day(side.days[0]) + source, side.first_day[1].astype(float).tolist(), colour)
        for side, colour, source in ((report.then, THEN, _source(report)), (report.now, NOW, ""))
        if side.first_day
    ]
    return lines if len(lines) == 2 else []
