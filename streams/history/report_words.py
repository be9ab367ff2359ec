"""The report in words, of the terminal in English and of the page in French; and its tables on a terminal. Digits are never cut."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table

from streams.clock import paris_text
from streams.history.report import Mark, Report, Row
from streams.history.report_values import DayRow, day_rows, quality_values
from streams.history.side import Extent
from streams.history.sides import counted
from streams.pages import french, render


def number_text(value: float | None) -> str:
    """`1,234`; a dash where nothing is known."""
    return "-" if value is None else f"{value:,}"


def percent_text(value: float | None) -> str:
    """`+50.0 %`; a dash where there is none."""
    return "-" if value is None else f"{100 * value:+.1f} %"


#: What is said, in English and in French. Braces stand for what a sentence is filled with.
_SAID = {
    "nothing": ("nothing was measured on both sides", "rien n'a été mesuré des deux côtés"),
    "one day": ("compared", "comparé"),
    "days": ("compared on {} of {} days", "comparé sur {} des {} jours"),
    "since": (" from {}", " à partir de {}"),
    "until": (" until {}", " jusqu'à {}"),
    "first": (", the first", ", le premier"),
    "last": (", the last", ", le dernier"),
    "gap of one": (", without {} minute", ", sans {} minute non mesurée"),
    "gap": (", without {} minutes", ", sans {} minutes non mesurées"),
    "same": ("{visits} visits against {then}: {growth}", "{visits} visites contre {then}"),
    "visits": ("{visits} visits", "{visits} visites"),
    "unknown": (
        "no growth like with like: the perimeter is unknown; with all projects {raw}",
        "périmètre inconnu ; tous projets confondus {raw}",
    ),
    "unchanged": ("{compared} against {then}: {growth}", "{compared} contre {then}"),
    "changed": (
        "like with like {compared} against {then}: {growth} (with all projects {raw})",
        "à périmètre constant {compared} contre {then} ; tous projets confondus {raw}",
    ),
    "between": ("; ", " ; "),
}


@dataclass(frozen=True, slots=True)
class ReportWords:
    """The words of a language."""

    said: Mapping[str, str]
    number: Callable[[float | None], str]
    growth: Callable[[float | None], str]
    time: Callable[[int], str]

    def extent(self, found: Extent) -> str:
        """How much of the days is compared; empty where it is all of them."""
        if found.is_whole:
            return ""
        said, is_one = self.said, found.days == 1
        if not found.minutes:
            return said["nothing"]
        text = said["one day"] if is_one else said["days"].format(len(found.day_numbers), found.days)
        for minute, end, when in ((found.since, "first", "since"), (found.until, "last", "until")):
            if minute is not None:
                text += ("" if is_one else said[end]) + said[when].format(self.time(minute))
        gap = said["gap" if found.gap_minutes > 1 else "gap of one"].format(self.number(found.gap_minutes))
        return text + gap * (found.gap_minutes > 0)

    def comparison(self, row: Row, extent: Extent, source: str = "") -> str:
        """Visits of both sides, like with like, and how much of the days that is. `source` follows the figures of the earlier side."""
        said = self.said
        if row.visits_compared == row.visits is not None and not row.perimeter_changed:
            parts = [said["same"], self.extent(extent)]
        else:
            compared = said["changed" if row.perimeter_changed else "unchanged"]
            parts = [said["visits"], self.extent(extent)]
            parts += [said["unknown"] if row.visits_compared is None else compared] * (extent.minutes > 0)
        return (
            said["between"]
            .join(part for part in parts if part)
            .format(
                visits=self.number(row.visits),
                compared=self.number(row.visits_compared),
                then=self.number(row.visits_then_compared) + source,
                growth=self.growth(row.growth),
                raw=self.growth(row.growth_raw),
            )
        )


ENGLISH = ReportWords(
    {name: english for name, (english, _french) in _SAID.items()},
    number_text,
    percent_text,
    lambda minute: f"{minute // 60:02}:{minute % 60:02}",
)
FRENCH = ReportWords(
    {name: french_words for name, (_english, french_words) in _SAID.items()},
    french.number,
    french.growth,
    lambda minute: f"{minute // 60} h" + (f" {minute % 60:02}" if minute % 60 else ""),
)


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
        names_of_days = ("day", "visits", "against", "then", "growth", "")
        console.print(_plain_table("by day, all projects", names_of_days, map(_day_cells, day_rows(report))))
    if movers := report.movers():
        names_of_movers = ("what", "compared", "then", "difference", "growth")
        console.print(_plain_table("what changed most", names_of_movers, map(_mover_cells, movers)))
    left_out: set[str] = set()
    for by in _SECTIONS:
        if rows := report.ranked(by):
            left_out |= _print_section(report, by, rows, console)
    if left_out:
        listed = ", ".join(name for name in COLUMNS if name in left_out)
        console.print(f"[dim]no room for the columns {listed}: widen the terminal, or see --csv, --json, --html[/]")
    both = [quality_values(side) or {} for side in (report.now, report.then)]
    quality = [(name.replace("_", " "), *(_text(some.get(name)) for some in both)) for name in both[0] or both[1]]
    console.print(_plain_table("data quality", ("", "these days", "then"), quality))


def _named(row: Row) -> str:
    """The code, and the name where it says more."""
    return row.label if row.label == row.code else f"{row.code} {row.label}"


def _moment_text(minute: int) -> str:
    """`2026-09-01 08:41+02:00` of an epoch minute, in Paris."""
    return paris_text(minute * 60_000, 0)


def _plain_table(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table without lines: the first column and those without a name to the left, numbers to the right."""
    columns = (
        Column(name, justify="left" if number == 0 or not name else "right", no_wrap=True)
        for number, name in enumerate(names)
    )
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for cells in rows:
        table.add_row(*cells)
    return table


def _day_cells(row: DayRow) -> tuple[str, ...]:
    then = (f"{row.pair.then:%a %Y-%m-%d}", number_text(row.then), percent_text(row.growth))
    notes = ["no school"] * row.is_off + ["not compared"] * (not row.is_compared)
    beside = then if row.is_beside else ("-", "-", "-")
    return f"{row.pair.now:%a %Y-%m-%d}", number_text(row.now), *beside, ", ".join(notes)


def _mover_cells(row: Row) -> tuple[str, ...]:
    compared = (number_text(row.visits_compared), number_text(row.visits_then_compared), f"{row.change:+,}")
    return f"{row.by} {_named(row)}", *compared, percent_text(row.growth)


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
    title = f"by {by}" + (" (visits of services)" if by in ("service", "family", "group") else "")
    console.print(_plain_table(title, names, zip(*(cells[name] for name in names), strict=True)))
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
