"""The report on a terminal: `report.txt` and tables, which say in English what the page says. Digits are never cut."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from streams.clock import paris_text
from streams.history.held import counted
from streams.history.report import Mark, Report, Row
from streams.history.report_values import day_rows, quality_values
from streams.history.report_words import ENGLISH, number_text, percent_text
from streams.pages import render

#: Columns of a table, in order, and how soon one is left out where the terminal is narrow: the highest first.
COLUMNS = {
    "visits": 0,
    "compared": 1,
    "then": 0,
    "growth": 0,
    "all projects": 4,
    "events": 7,
    "peak/min": 6,
    "peak at": 8,
    "users~": 3,
    "establ.~": 5,
    "silent min": 2,
}
_SECTIONS = ("region", "group", "family", "service", "project", "profile", "academy")
_GAP = 2
#: Names are cut to so many characters before a column is left out.
LABEL_MIN = 12
LABEL_ENOUGH = 28


def print_report(report: Report, console: Console) -> None:
    """Tables for a terminal: what the page says."""
    names = {(row.by, row.code): _named(row) for row in report.rows}
    text = render("history/report.txt", report=report, words=ENGLISH, names=names, counted=counted, moment=_moment_text)
    console.print(text.rstrip())
    if len(report.question.pairs) > 1:
        console.print(_days_table(report))
    if rows := report.movers():
        console.print(_movers_table(rows))
    left_out: set[str] = set()
    for by in _SECTIONS:
        if rows := report.ranked(by):
            left_out |= _print_section(report, by, rows, console)
    if left_out:
        listed = ", ".join(name for name in COLUMNS if name in left_out)
        console.print(f"[dim]no room for the columns {listed}: widen the terminal, or see --csv, --json, --html[/]")
    console.print(_quality_table(report))


def _named(row: Row) -> str:
    """The code, and the name where it says more."""
    return row.label if row.label == row.code else f"{row.code} {row.label}"


def _moment_text(minute: int) -> str:
    """`2026-09-01 08:41+02:00` of an epoch minute, in Paris."""
    return paris_text(minute * 60_000, 0)


def _plain_table(title: str, *names: str) -> Table:
    """A table without lines: the first column and those without a name to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, name in enumerate(names):
        table.add_column(name, justify="left" if number == 0 or not name else "right", no_wrap=True)
    return table


def _days_table(report: Report) -> Table:
    table = _plain_table("by day, all projects", "day", "visits", "against", "then", "growth", "")
    for row in day_rows(report):
        then = (f"{row.pair.then:%a %Y-%m-%d}", number_text(row.then), percent_text(row.growth))
        notes = ["no school"] * row.is_off + ["not compared"] * (not row.is_compared)
        beside = then if row.is_beside else ("-", "-", "-")
        table.add_row(f"{row.pair.now:%a %Y-%m-%d}", number_text(row.now), *beside, ", ".join(notes))
    return table


def _movers_table(rows: list[Row]) -> Table:
    table = _plain_table("what changed most", "what", "compared", "then", "difference", "growth")
    for row in rows:
        compared = (number_text(row.visits_compared), number_text(row.visits_then_compared), f"{row.change:+,}")
        table.add_row(f"{row.by} {_named(row)}", *compared, percent_text(row.growth))
    return table


def _quality_table(report: Report) -> Table:
    table = _plain_table("data quality", "", "these days", "then")
    both = [quality_values(side) or {} for side in (report.now, report.then)]
    for name in both[0] or both[1]:
        table.add_row(name.replace("_", " "), *(_text(some.get(name)) for some in both))
    return table


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return f"{value:,}" if isinstance(value, int) else "-"


def _print_section(report: Report, by: str, rows: list[Row], console: Console) -> set[str]:
    """Print the table of one grouping; return the columns that had no room."""
    of_rows = [{by: _named(row)} | _cells(row) for row in rows]
    cells = {name: [one[name] for one in of_rows] for name in (by, *COLUMNS)}
    empty = {name for name in COLUMNS if set(cells[name]) <= {"", "-"} and name not in ("visits", "growth")}
    if not report.has_compared(by):
        empty.add("compared")
    names = [by, *(name for name in COLUMNS if name not in empty)]
    spare = max(0, max(map(len, cells[by])) - LABEL_ENOUGH)  # by how much names may be cut for a column more
    left_out: set[str] = set()
    while _width(cells, names) - spare > console.width and (droppable := [n for n in names if COLUMNS.get(n)]):
        gone = max(droppable, key=lambda name: COLUMNS[name])
        names.remove(gone)
        left_out.add(gone)
    # Digits are never cut: the names are, where even so there is no room.
    room = max(LABEL_MIN, console.width - _width(cells, names[1:]) - _GAP)
    cells[by] = [label if len(label) <= room else f"{label[: room - 1]}…" for label in cells[by]]
    table = _plain_table(f"by {by}" + (" (visits of services)" if by in ("service", "family", "group") else ""), *names)
    for row_cells in zip(*(cells[name] for name in names), strict=True):
        table.add_row(*row_cells)
    console.print(table)
    return left_out


def _cells(row: Row) -> dict[str, str]:
    """What each column says of a row."""
    return {
        "visits": number_text(row.visits),
        "compared": number_text(row.visits_compared),
        "then": number_text(row.then),
        "growth": percent_text(row.growth),
        "all projects": percent_text(row.growth_raw) if row.perimeter_changed else "",
        "events": number_text(row.events),
        "peak/min": number_text(row.peak.visits if row.peak else None),
        "peak at": _moment_text(row.peak.minute)[5:16] if row.peak else "-",
        "users~": "few" if Mark.FEW_USERS in row.marks else number_text(row.users),
        "establ.~": number_text(row.establishments),
        "silent min": number_text(row.silence_minutes),
    }


def _width(cells: dict[str, list[str]], names: list[str]) -> int:
    return sum(max(len(name), *map(len, cells[name])) + _GAP for name in names) - _GAP
