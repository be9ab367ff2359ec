"""The report as terminal tables: what the page says, in English."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from rich.console import Console
from rich.table import Table

from streams.history.coverage import Extent
from streams.history.held import counted
from streams.history.pairing import Likeness
from streams.history.report import Mark, Report, Row
from streams.history.report_days import day_rows, of_likeness
from streams.history.report_tables import COLUMNS, moment_text, number_text, percent_text, plain_table, print_table
from streams.history.report_values import quality_values

_SECTIONS = ("region", "group", "family", "service", "project", "profile", "academy")


def print_report(report: Report, console: Console) -> None:
    """Tables for a terminal: what the page says."""
    console.print(_title(report))
    if report.total.by != "national":
        console.print(f"[bold]of[/]          {report.total.label}")
    if report.simulated:
        console.print("[yellow]simulated figures[/]")
    if report.then.estimated:
        console.print("[yellow]the earlier side is estimated from weekly figures (estimée d'après le DNMA)[/]")
    if report.first_day and report.first_extent:
        console.print(f"first day   {_summary(report.first_day, report.first_extent)}")
    console.print(f"all days    {_summary(report.total, report.extent)}")
    _print_busiest(report.total, console)
    _print_perimeter(report, console)
    _print_days_told(report, console)
    if report.unknown_regions:
        regions = _names_of(report, "region", report.unknown_regions)
        console.print(
            f"[yellow]school calendar unknown, days paired as those of zones A, B and C: regions {regions}[/]"
        )
    if len(report.question.pairs) > 1:
        console.print(_days_table(report))
    if rows := report.movers():
        console.print(_movers_table(rows))
    left_out: set[str] = set()
    for by in _SECTIONS:
        if rows := report.of(by):
            left_out |= print_table(by, sorted(rows, key=lambda row: -(row.visits or 0)), console)
    if left_out:
        names = ", ".join(name for name in COLUMNS if name in left_out)
        console.print(f"[dim]no room for the columns {names}: widen the terminal, or see --csv, --json, --html[/]")
    console.print(_quality_table(report))


def _title(report: Report) -> str:
    (first, last), (then, then_last) = report.question.ends()
    if first == last:
        return f"[bold]{report.question.kind}[/]: {_dated(first)} against {_dated(then)}"
    return (
        f"[bold]{report.question.kind}[/]: {first} to {last} against {then} to {then_last}, each day against the same weekday, "
        "school days against school days"
    )


def _print_busiest(total: Row, console: Console) -> None:
    if Mark.FEW_USERS in total.marks:
        console.print("visitors    too few to be told")
    elif total.users:
        then = f" against {number_text(total.users_then)}" if total.users_then else ""
        console.print(f"visitors    about {number_text(total.users)} different ones{then}")
    if total.peak:
        console.print(f"busiest     {number_text(total.peak.visits)} visits at {moment_text(total.peak.minute)}")


def _print_days_told(report: Report, console: Console) -> None:
    """Days that are not held against the same weekday of the same kind."""
    for now, then in of_likeness(report, Likeness.KIND):
        console.print(f"other weekday  {_dated(now)} counts against {_dated(then)}, another day of the same kind")
    if apart := of_likeness(report, Likeness.APART):
        mine, other = (", ".join(map(str, sorted(side))) for side in zip(*apart, strict=True))
        console.print(
            f"[yellow]apart[/] {counted(len(apart), 'day')} without one like it on the other side, not compared: {mine}; against: {other}"
        )
    for unlike in report.unlike:
        zones = ", ".join(unlike.zones)
        console.print(f"[yellow]unlike days[/] {unlike.kind}: {unlike.now} against {unlike.then} (zones {zones})")


def _dated(day: date) -> str:
    return f"{day} ({day:%A})"


def _days_table(report: Report) -> Table:
    table = plain_table("by day, all projects", "day", "visits", "against", "then", "growth", "")
    for row in day_rows(report):
        beside = row.is_beside
        cells = (
            (f"{row.pair.then:%a %Y-%m-%d}", number_text(row.then), percent_text(row.growth))
            if beside
            else ("-", "-", "-")
        )
        notes = ["no school"] * row.is_off + ["not compared"] * (not row.is_compared)
        table.add_row(f"{row.pair.now:%a %Y-%m-%d}", number_text(row.now), *cells, ", ".join(notes))
    return table


def _named(row: Row) -> str:
    """The code, and the name where it says more."""
    return row.label if row.label == row.code else f"{row.code} {row.label}"


def _names_of(report: Report, by: str, codes: Iterable[str]) -> str:
    """Codes with their names, in order."""
    names = {row.code: _named(row) for row in report.of(by)}
    return ", ".join(names.get(code, code) for code in sorted(codes))


def _movers_table(rows: list[Row]) -> Table:
    table = plain_table("what changed most", "what", "compared", "then", "difference", "growth")
    for row in rows:
        compared = (number_text(row.visits_compared), number_text(row.visits_then_compared), f"{row.change:+,}")
        table.add_row(f"{row.by} {_named(row)}", *compared, percent_text(row.growth))
    return table


def extent_text(extent: Extent) -> str:
    """How much of the days is compared; empty where it is all of them."""
    if extent.is_whole:
        return ""
    if not extent.minutes:
        return "nothing was measured on both sides"
    since = f"from {_time(extent.since)}" if extent.since is not None else ""
    until = f"until {_time(extent.until)}" if extent.until is not None else ""
    if extent.days == 1:
        text = " ".join(part for part in ("compared", since, until) if part)
    else:
        text = f"compared on {len(extent.day_numbers)} of {extent.days} days"
        text += f", the first {since}" if since else ""
        text += f", the last {until}" if until else ""
    return f"{text}, without {counted(extent.gap_minutes, 'minute')}" if extent.gap_minutes else text


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _summary(row: Row, extent: Extent) -> str:
    if row.visits_compared == row.visits is not None and not row.perimeter_changed:
        found = f"{row.visits:,} visits against {number_text(row.visits_then_compared)}: {percent_text(row.growth)}"
        return "; ".join(part for part in (extent_text(extent), found) if part)
    parts = [f"{number_text(row.visits)} visits"]
    if part := extent_text(extent):
        parts.append(part)
    if not extent.minutes:
        return "; ".join(parts)
    if row.visits_compared is None:
        parts.append(
            f"no growth like with like: the perimeter is unknown; with all projects {percent_text(row.growth_raw)}"
        )
        return "; ".join(parts)
    what = "like with like " if row.perimeter_changed else ""
    compared = (
        f"{what}{row.visits_compared:,} against {number_text(row.visits_then_compared)}: {percent_text(row.growth)}"
    )
    if row.perimeter_changed:
        compared += f" (with all projects {percent_text(row.growth_raw)})"
    return "; ".join([*parts, compared])


def _print_perimeter(report: Report, console: Console) -> None:
    found = report.perimeter
    if not report.extent.minutes:
        return
    if found.is_same:
        console.print("perimeter   the same projects on both sides")
    elif found.is_same is None:
        console.print("perimeter   [yellow]unknown[/]: a side has no figures by project for some of what is compared")
    for change in found.changes:
        project = _names_of(report, "project", [change.project])
        console.print(
            f"perimeter   [yellow]{project} {change.change}[/]: {counted(len(change.days), 'day')} from {change.days[0]}, "
            f"{change.visits:,} visits against {change.visits_then:,}; not compared"
        )
    if report.then.regions is not None:
        regions = _names_of(report, "region", report.then.regions) or "none"
        console.print(
            f"perimeter   estimated from {number_text(found.establishments_then)} establishments of the weekly figures, "
            f"regions {regions}; about {number_text(found.establishments)} seen these days"
        )
    elif found.establishments and found.establishments_then:
        console.print(
            f"perimeter   about {found.establishments:,} establishments seen against {found.establishments_then:,}"
        )
    if any(Mark.BY_SHARE in row.marks for row in report.rows):
        console.print(
            "perimeter   by service and profile their share of each region's visits is taken off (approximate)"
        )


def _quality_table(report: Report) -> Table:
    table = plain_table("data quality", "", "these days", "then")
    both = [quality_values(side) or {} for side in (report.now, report.then)]
    for name in both[0] or both[1]:
        table.add_row(name.replace("_", " "), *(_text(some.get(name)) for some in both))
    return table


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return f"{value:,}" if isinstance(value, int) else "-"
