"""One table of a report on a terminal: digits are never cut."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from streams.clock import paris_text
from streams.history.report import Mark, Row

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
_GAP = 2
#: Names are cut to so many characters before a column is left out.
LABEL_MIN = 12
LABEL_ENOUGH = 28


def print_table(by: str, rows: list[Row], console: Console) -> set[str]:
    """Print one; return the columns that had no room."""
    has_compared = any(row.visits_compared not in (None, row.visits) for row in rows)
    has_raw = any(row.perimeter_changed for row in rows)
    cells = {by: [row.label if row.label == row.code else f"{row.code} {row.label}" for row in rows]}
    cells |= {name: [_cell(row, name) for row in rows] for name in COLUMNS}
    empty = {name for name in COLUMNS if set(cells[name]) <= {"", "-"} and name not in ("visits", "growth")}
    empty |= {name for name, needed in (("compared", has_compared), ("all projects", has_raw)) if not needed}
    names = [by, *(name for name in COLUMNS if name not in empty)]
    left_out: set[str] = set()
    while _width(cells, names) - _spare(cells[by]) > console.width and (
        droppable := [n for n in names if COLUMNS.get(n)]
    ):
        gone = max(droppable, key=lambda name: COLUMNS[name])
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
    if name == "users~" and Mark.FEW_USERS in row.marks:
        return "few"
    if name in numbers:
        return number_text(numbers[name])
    if name == "peak at":
        return moment_text(row.peak.minute)[5:16] if row.peak else "-"
    if name == "growth":
        return percent_text(row.growth)
    return percent_text(row.growth_raw) if row.perimeter_changed else ""


def _least(cells: dict[str, list[str]], name: str) -> int:
    return max(len(name), *map(len, cells[name]))


def _spare(labels: list[str]) -> int:
    """By how much names may be cut for a column more."""
    return max(0, max(map(len, labels)) - LABEL_ENOUGH)


def _width(cells: dict[str, list[str]], names: list[str]) -> int:
    return sum(_least(cells, name) for name in names) + _GAP * (len(names) - 1)


def plain_table(title: str, *names: str) -> Table:
    """A table without lines: the first column and those without a name to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, name in enumerate(names):
        table.add_column(name, justify="left" if number == 0 or not name else "right", no_wrap=True)
    return table


def moment_text(minute: int) -> str:
    """`2026-09-01 08:41+02:00` of an epoch minute, in Paris."""
    return paris_text(minute * 60_000, 0)


def number_text(value: int | None) -> str:
    """`1,234`; a dash where nothing is known."""
    return "-" if value is None else f"{value:,}"


def percent_text(value: float | None) -> str:
    """`+50.0 %`; a dash where there is none."""
    return "-" if value is None else f"{100 * value:+.1f} %"
