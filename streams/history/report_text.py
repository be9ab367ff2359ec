"""The report as terminal tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from streams.history.coverage import Extent
from streams.history.held import counted
from streams.history.report import Report, Row
from streams.history.report_values import quality_values

_SECTIONS = ("region", "group", "family", "service", "project", "profile", "academy")
#: Columns of a table, in order, and how soon one is left out where the terminal is narrow: the highest first.
_COLUMNS = {
    "visits": 0,
    "compared": 1,
    "then": 0,
    "growth": 0,
    "all projects": 4,
    "events": 7,
    "peak/min": 6,
    "users~": 3,
    "establ.~": 5,
    "silent min": 2,
}
_GAP = 2
#: Names are cut to so many characters before a column is left out.
LABEL_MIN = 12
LABEL_ENOUGH = 28


def print_report(report: Report, console: Console) -> None:
    """Tables for a terminal."""
    now, then = report.now.days, report.then.days
    console.print(
        f"[bold]{report.question.kind}[/]: {now[0]} to {now[-1]} against {then[0]} to {then[-1]}, day n against day n"
        if len(now) > 1
        else f"[bold]{report.question.kind}[/]: {now[0]} ({now[0]:%A}) against {then[0]} ({then[0]:%A})"
    )
    if report.simulated:
        console.print("[yellow]simulated figures[/]")
    if report.then.estimated:
        console.print("[yellow]the earlier side is estimated from weekly figures (estimée d'après le DNMA)[/]")
    if report.first_day and report.first_extent:
        console.print(f"first day   {_summary(report.first_day, report.first_extent)}")
    console.print(f"all days    {_summary(report.total, report.extent)}")
    _print_perimeter(report, console)
    for unlike in report.unlike:
        zones = ", ".join(unlike.zones)
        console.print(f"[yellow]unlike days[/] {unlike.kind}: {unlike.now} against {unlike.then} (zones {zones})")
    if report.unknown_regions:
        console.print(
            f"[yellow]school calendar unknown, compared by date alone: regions {', '.join(report.unknown_regions)}[/]"
        )
    left_out: set[str] = set()
    for by in _SECTIONS:
        if rows := report.of(by):
            left_out |= _print_table(by, sorted(rows, key=lambda row: -(row.visits or 0)), console)
    if left_out:
        names = ", ".join(name for name in _COLUMNS if name in left_out)
        console.print(f"[dim]no room for the columns {names}: widen the terminal, or see --csv, --json, --html[/]")
    console.print(_quality_table(report))


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
        found = f"{row.visits:,} visits against {_number(row.visits_then_compared)}: {_percent(row.growth)}"
        return "; ".join(part for part in (extent_text(extent), found) if part)
    parts = [f"{_number(row.visits)} visits"]
    if part := extent_text(extent):
        parts.append(part)
    if not extent.minutes:
        return "; ".join(parts)
    if row.visits_compared is None:
        parts.append(
            f"no growth like with like: the perimeter is unknown; with all projects {_percent(row.growth_raw)}"
        )
        return "; ".join(parts)
    what = "like with like " if row.perimeter_changed else ""
    compared = f"{what}{row.visits_compared:,} against {_number(row.visits_then_compared)}: {_percent(row.growth)}"
    if row.perimeter_changed:
        compared += f" (with all projects {_percent(row.growth_raw)})"
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
        console.print(
            f"perimeter   [yellow]{change.project} {change.change}[/]: {counted(len(change.days), 'day')} from {change.days[0]}, "
            f"{change.visits:,} visits against {change.visits_then:,}; not compared"
        )
    if report.then.regions is not None:
        console.print(
            f"perimeter   estimated from {_number(found.establishments_then)} establishments of the weekly figures, "
            f"regions {', '.join(sorted(report.then.regions)) or 'none'}; about {_number(found.establishments)} seen these days"
        )
    elif found.establishments and found.establishments_then:
        console.print(
            f"perimeter   about {found.establishments:,} establishments seen against {found.establishments_then:,}"
        )


def _print_table(by: str, rows: list[Row], console: Console) -> set[str]:
    """Print one; return the columns that had no room."""
    has_compared = any(row.visits_compared not in (None, row.visits) for row in rows)
    has_raw = any(row.perimeter_changed for row in rows)
    cells = {by: [row.label if row.label == row.code else f"{row.code} {row.label}" for row in rows]}
    cells |= {name: [_cell(row, name) for row in rows] for name in _COLUMNS}
    empty = {name for name in _COLUMNS if set(cells[name]) <= {"", "-"} and name not in ("visits", "growth")}
    empty |= {name for name, needed in (("compared", has_compared), ("all projects", has_raw)) if not needed}
    names = [by, *(name for name in _COLUMNS if name not in empty)]
    left_out: set[str] = set()
    while _width(cells, names) - _spare(cells[by]) > console.width and (
        droppable := [n for n in names if _COLUMNS.get(n)]
    ):
        gone = max(droppable, key=lambda name: _COLUMNS[name])
        names.remove(gone)
        left_out.add(gone)
    title = f"by {by}" + (" (visits of services)" if by in ("service", "family", "group") else "")
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    # Digits are never cut: the names are, where even so there is no room.
    room = max(LABEL_MIN, console.width - _width(cells, names) + _least(cells, by))
    cells[by] = [label if len(label) <= room else f"{label[: room - 1]}…" for label in cells[by]]
    for name in names:
        table.add_column(name, justify="left" if name == by else "right", no_wrap=True)
    for number in range(len(rows)):
        table.add_row(*(cells[name][number] for name in names))
    console.print(table)
    return left_out


def _cell(row: Row, name: str) -> str:
    numbers = {
        "visits": row.visits,
        "compared": row.visits_compared,
        "then": row.visits_then if row.visits_then_compared is None else row.visits_then_compared,
        "events": row.events,
        "peak/min": row.peak.visits if row.peak else None,
        "users~": row.users,
        "establ.~": row.establishments,
        "silent min": row.silence_minutes,
    }
    if name in numbers:
        return _number(numbers[name])
    if name == "growth":
        return _percent(row.growth)
    return _percent(row.growth_raw) if row.perimeter_changed else ""


def _least(cells: dict[str, list[str]], name: str) -> int:
    return max(len(name), *map(len, cells[name]))


def _spare(labels: list[str]) -> int:
    """By how much names may be cut for a column more."""
    return max(0, max(map(len, labels)) - LABEL_ENOUGH)


def _width(cells: dict[str, list[str]], names: list[str]) -> int:
    return sum(_least(cells, name) for name in names) + _GAP * (len(names) - 1)


def _quality_table(report: Report) -> Table:
    table = Table(title="data quality", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("", "these days", "then"):
        table.add_column(name, justify="left" if not name else "right")
    both = [quality_values(side) or {} for side in (report.now, report.then)]
    for name in both[0] or both[1]:
        table.add_row(name.replace("_", " "), *(_text(some.get(name)) for some in both))
    return table


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return f"{value:,}" if isinstance(value, int) else "-"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"
