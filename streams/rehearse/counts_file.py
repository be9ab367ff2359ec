"""Reads a file of counts, `timestamp,count[,region,service]`, onto a regular grid of rows."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from streams.csv_file import CsvFile, open_csv
from streams.rehearse.clocks import WrittenClock
from streams.values import number, quoted
from streams.watch import AlertScope, Array, Index

COLUMNS = ("timestamp", "count", "region", "service")
COUNT_MAX = 1e12
STEP_MINUTES_MAX = 60
#: Rows between the first time stamp and the last, measured or not: 20 years of minutes would be a mistake in a time stamp.
GRID_ROWS_MAX = 6_000_000
SERIES_MAX = 2_000
#: `1.234`, `1,234`: a fraction, or thousands?
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")


@dataclass(frozen=True, slots=True)
class CountsGrid:
    """A file on its grid. `values` (series, rows), NaN where no row was; `texts` the time stamps as they were written,
    empty where no row was.

    `dates` and `slots` (rows): local date as an ordinal, and place in the local day.
    """

    scopes: tuple[AlertScope, ...]
    step_minutes: int
    first_minute: int
    values: Array
    texts: tuple[str, ...]
    dates: Index
    slots: Index
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Read:
    """What was read: parallel columns."""

    minutes: list[int] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    scopes: dict[tuple[str, str], int] = field(default_factory=dict)


def read_counts(path: Path, zone: ZoneInfo) -> CountsGrid:
    """Read `path`; time stamps without an offset are in `zone`.

    Raises:
        FileRefused: the file cannot be used; the message names the line and says what to do.
        InputError: it cannot be read.
    """
    with open_csv(path) as file:
        file.check_columns(COLUMNS, COLUMNS[:2])
        read, clock = _rows(file, zone)
        return _grid(file, read, clock)


def _rows(file: CsvFile, zone: ZoneInfo) -> tuple[_Read, WrittenClock]:
    read, clock, numbers = _Read(), WrittenClock(zone), _Numbers()
    for row in file.rows():
        try:
            series = read.scopes.setdefault((_label(row["region"]), _label(row["service"])), len(read.scopes))
            clock.add(row["timestamp"], series)
            read.counts.append(numbers.read(row["count"], row.line))
            if len(read.scopes) > SERIES_MAX:
                raise ValueError(f"more than {SERIES_MAX:,} series of region and service")
        except ValueError as error:
            raise file.refusal(row.line, error) from None
        read.series.append(series)
        read.texts.append(row["timestamp"])
        read.lines.append(row.line)
    if not read.lines:
        raise file.refusal(file.line, "the file has no rows below it: give at least the counts of some weeks")
    if numbers.ambiguous:
        line, text = numbers.ambiguous
        raise file.refusal(line, f"{quoted(text)}: a fraction, or thousands? Write all counts of the file as 1234.5")
    read.minutes = clock.minutes()
    return read, clock


def _label(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{quoted(text)} holds a line break or a character that is not seen")
    return text


class _Numbers:
    """Counts as written. `ambiguous`: (line, text) of one that could be a fraction or thousands, where the whole file leaves that open.

    A program's fractions are not all of three digits, or no count is without one; where thousands are set apart, small counts have no mark.
    """

    def __init__(self) -> None:
        self._first: tuple[int, str] | None = None
        self._whole = self._told = False
        self._marks: set[str] = set()

    @property
    def ambiguous(self) -> tuple[int, str] | None:
        one_mark_told = len(self._marks) == 1 and (self._told or (self._marks == {"."} and not self._whole))
        return None if one_mark_told else self._first

    def read(self, text: str, line: int) -> float:
        """A count.

        Raises:
            ValueError: it is none.
        """
        if text.lower() in ("", "nan", "null", "none", "na", "n/a"):
            raise ValueError(f"{text!r} is no count: leave the row out where nothing was measured (0 or more)")
        try:
            value = number(text)
        except ValueError:
            value = COUNT_MAX + 1
        if value > COUNT_MAX:
            raise ValueError(f"{quoted(text)} is not a count (0 or more)")
        mark = "." if "." in text else "," if "," in text else ""
        self._whole = self._whole or not mark
        if mark:
            self._marks.add(mark)
            if not _AMBIGUOUS.fullmatch(text):
                self._told = True
            elif self._first is None:
                self._first = line, text
        return value


def _grid(file: CsvFile, read: _Read, clock: WrittenClock) -> CountsGrid:
    minutes = np.array(read.minutes, dtype=np.int64)
    step = _step(file, np.unique(minutes))
    phase = int(np.bincount(minutes % step).argmax())
    cells = (minutes - phase) // step
    first, last = int(cells.min()), int(cells.max())
    rows = last - first + 1
    if rows > GRID_ROWS_MAX:
        far = read.lines[int(np.abs(cells - np.median(cells)).argmax())]
        raise file.refusal(
            far,
            f"from the first time stamp to the last there would be {rows:,} rows of {step} min, at most {GRID_ROWS_MAX:,}: "
            "is a time stamp wrong?",
        )
    values = np.full((len(read.scopes), rows), np.nan)
    texts = [""] * rows
    for cell, series, count, text, line in zip(
        (cells - first).tolist(), read.series, read.counts, read.texts, read.lines, strict=True
    ):
        if values[series, cell] == values[series, cell]:
            raise file.refusal(
                line, f"{text} lies in a row of {step} min that was there before: one row a time, region and service"
            )
        values[series, cell] = count
        texts[cell] = texts[cell] or text
    starts = (np.arange(first, last + 1) * step + phase).astype(np.int64)
    dates, of_day = clock.local(starts)
    note = clock.note()
    scopes = tuple(AlertScope(region or None, service or None) for region, service in read.scopes)
    return CountsGrid(
        scopes, step, int(starts[0]), values, tuple(texts), dates, of_day // step, (note,) if note else ()
    )


def _step(file: CsvFile, minutes: Index) -> int:
    if len(minutes) < 2:
        return STEP_MINUTES_MAX
    gaps, number = np.unique(np.diff(minutes), return_counts=True)
    step = int(gaps[number.argmax()])
    if step > STEP_MINUTES_MAX:
        raise file.refusal(file.line, f"rows are {step} min apart: give counts of 1 to {STEP_MINUTES_MAX} minutes")
    return step
