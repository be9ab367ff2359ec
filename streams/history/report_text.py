"""The report as JSON, CSV and terminal tables."""

from __future__ import annotations

import csv
import dataclasses
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from streams.clock import iso_utc
from streams.history.report import Report, Row
from streams.history.side import Side

#: Columns of the CSV, and members of a row in JSON.
COLUMNS = (
    "by",
    "code",
    "label",
    "visits",
    "growth",
    "visits_then",
    "growth_all_projects",
    "events",
    "events_then",
    "peak_visits",
    "peak_minute",
    "users",
    "users_then",
    "establishments",
    "establishments_then",
    "silence_minutes",
    "perimeter_changed",
)
_SECTIONS = ("region", "group", "family", "service", "project", "profile", "academy")


def row_values(row: Row) -> dict[str, Any]:
    """One row, by `COLUMNS`; growth as a ratio (0.5 is +50 %), None where nothing is known."""
    return {
        "by": row.by,
        "code": row.code,
        "label": row.label,
        "visits": row.visits,
        "growth": _rounded(row.growth),
        "visits_then": row.visits_then,
        "growth_all_projects": _rounded(row.growth_raw),
        "events": row.events,
        "events_then": row.events_then,
        "peak_visits": row.peak.visits if row.peak else None,
        "peak_minute": iso_utc(row.peak.minute * 60_000) if row.peak else None,
        "users": row.users,
        "users_then": row.users_then,
        "establishments": row.establishments,
        "establishments_then": row.establishments_then,
        "silence_minutes": row.silence_minutes,
        "perimeter_changed": row.perimeter_changed,
    }


def report_json(report: Report, simulated: bool) -> dict[str, Any]:
    """`{perimeter, total: {visits, growth, ...}, rows: [{by, code, visits, growth, ...}], ...}`; see `row_values`."""
    found = report.perimeter
    return {
        "kind": report.question.kind,
        "days": _ends(report.now),
        "against": _ends(report.then),
        "simulated": simulated,
        "estimated": report.then.estimated,
        "perimeter": {
            "same": found.is_same,
            "changes": [dataclasses.asdict(change) for change in found.changes],
            "establishments": found.establishments,
            "establishments_then": found.establishments_then,
        },
        "total": row_values(report.total),
        "first_day": row_values(report.first_day) if report.first_day else None,
        "rows": [row_values(row) for row in report.rows],
        "unknown_school_calendar": list(report.unknown_regions),
        "quality": _quality(report.now),
        "quality_then": _quality(report.then),
    }


def write_csv(report: Report, out: IO[str]) -> None:
    """One line a row, the total first."""
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    first = [dataclasses.replace(report.first_day, by="first_day")] if report.first_day else []
    for row in (report.total, *first, *report.rows):
        writer.writerow(row_values(row))


def print_report(report: Report, simulated: bool, console: Console) -> None:
    """Tables for a terminal."""
    now, then = report.now.days, report.then.days
    console.print(
        f"[bold]{report.question.kind}[/]: {now[0]} to {now[-1]} against {then[0]} to {then[-1]}, day n against day n"
    )
    if simulated:
        console.print("[yellow]simulated figures[/]")
    if report.then.estimated:
        console.print("[yellow]the earlier side is estimated from weekly figures (estimée d'après le DNMA)[/]")
    if report.first_day:
        console.print(f"first day   {_summary(report.first_day)}")
    console.print(f"all days    {_summary(report.total)}")
    _print_perimeter(report, console)
    if report.unknown_regions:
        console.print(
            f"[yellow]school calendar unknown, compared by date alone: regions {', '.join(report.unknown_regions)}[/]"
        )
    for by in _SECTIONS:
        if rows := report.of(by):
            console.print(_table(by, sorted(rows, key=lambda row: -row.visits)))
    console.print(_quality_table(report))


def _summary(row: Row) -> str:
    text = f"{row.visits:,} visits against {row.visits_then:,}: {_percent(row.growth)}"
    return f"{text} like with like ({_percent(row.growth_raw)} with all projects)" if row.perimeter_changed else text


def _print_perimeter(report: Report, console: Console) -> None:
    found = report.perimeter
    if found.is_same:
        console.print("perimeter   the same projects on both sides")
    for change in found.changes:
        console.print(
            f"perimeter   [yellow]{change.project} {change.change}[/]: {len(change.days)} days from {change.days[0]}, "
            f"{change.visits:,} visits against {change.visits_then:,}; not compared"
        )
    if found.establishments and found.establishments_then:
        console.print(
            f"perimeter   about {found.establishments:,} establishments seen against {found.establishments_then:,}"
        )


def _table(by: str, rows: list[Row]) -> Table:
    table = Table(title=f"by {by}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    visits = "visits" if by not in ("service", "family", "group") else "service visits"
    for name in (
        by,
        visits,
        "then",
        "growth",
        "all projects",
        "events",
        "peak/min",
        "users~",
        "establ.~",
        "silent min",
    ):
        table.add_column(name, justify="left" if name == by else "right")
    for row in rows:
        numbers = (row.visits, row.visits_then)
        rest = (row.events, row.peak.visits if row.peak else None, row.users, row.establishments, row.silence_minutes)
        raw = _percent(row.growth_raw) if row.perimeter_changed else ""
        label = row.label if row.label == row.code else f"{row.code} {row.label}"
        table.add_row(label, *map(_number, numbers), _percent(row.growth), raw, *map(_number, rest))
    return table


def _quality_table(report: Report) -> Table:
    table = Table(title="data quality", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("", "these days", "then"):
        table.add_column(name, justify="left" if not name else "right")
    both = [_quality(side) or {} for side in (report.now, report.then)]
    for name in both[0] or both[1]:
        table.add_row(name.replace("_", " "), *(_text(some.get(name)) for some in both))
    return table


def _quality(side: Side) -> dict[str, Any] | None:
    if side.quality is None:
        return None
    values = dataclasses.asdict(side.quality)
    values["days_without_data"] = [day.isoformat() for day in side.quality.days_without_data]
    values["sources"] = [str(source) for source in side.quality.sources]
    return values


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return f"{value:,}" if isinstance(value, int) else "-"


def _ends(side: Side) -> dict[str, str]:
    return {"from": side.days[0].isoformat(), "to": side.days[-1].isoformat()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"
