"""The part of the report's page that says how far it can be trusted."""

from __future__ import annotations

from html import escape

from streams.history import french
from streams.history.marks import HourSource
from streams.history.report import Report
from streams.history.report_labels import ESTIMATED
from streams.history.side import Quality, Side


def quality_section(report: Report) -> str:
    """A table with both sides."""
    heads = ("Qualité des données", "Cette période", "Comparaison")
    columns = [_quality_cells(side) for side in (report.now, report.then)]
    titles = (
        "Minutes mesurées",
        "Jours sans données",
        "Événements en retard",
        "Événements rejetés",
        "Doublons retirés",
    )
    rows = zip((*titles, "Événements perdus", "Origine"), *columns, strict=True)
    body = "".join(f"<tr><td>{a}</td><td>{escape(b)}</td><td>{escape(c)}</td></tr>" for a, b, c in rows)
    head = "".join(f"<th>{text}</th>" for text in heads)
    return f'<h2>Peut-on s\'y fier ?</h2><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _quality_cells(side: Side) -> list[str]:
    quality = side.quality
    if quality is None:
        return ["–"] * 7
    events = side.sum_of("national", "FR").events
    return [
        f"{french.number(quality.measured_minutes)} sur {french.number(quality.minutes)}",
        french.number(len(quality.days_without_data)),
        f"{french.number(quality.late_events)} ({french.share(quality.late_events, events)})",
        french.number(quality.rejected),
        french.number(quality.duplicates),
        french.number(quality.lost),
        _origin(quality, side),
    ]


def _origin(quality: Quality, side: Side) -> str:
    if side.estimated:
        return ESTIMATED
    names = {
        HourSource.LIVE: "compté par Vigie",
        HourSource.IMPORT: "importé",
        HourSource.BACKFILL: "recompté d'après des journaux",
        HourSource.SIMULATED: "simulé",
    }
    return ", ".join(names[source] for source in quality.sources) or "–"
