"""Reads a file of counts, `timestamp,count[,region,service]`, onto a regular grid of rows."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from streams import values
from streams.csv_file import CsvFile, open_csv
from streams.values import quoted
from streams.watch import Array, Index, Scope

COLUMNS = ("timestamp", "count", "region", "service")
COUNT_MAX = 1e12
STEP_MINUTES_MAX = 60
#: Rows between the first time stamp and the last, measured or not: 20 years of minutes would be a mistake in a time stamp.
GRID_ROWS_MAX = 6_000_000
SERIES_MAX = 2_000
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
#: `1.234`, `1,234`: a fraction, or thousands?
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")


@dataclass(frozen=True, slots=True)
class Counts:
    """A file on its grid. `values` (series, rows), NaN where no row was; `texts` the time stamps as they were written,
    empty where no row was.

    `dates` and `slots` (rows): local date as an ordinal, and place in the local day.
    """

    scopes: tuple[Scope, ...]
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


def read_counts(path: Path, zone: ZoneInfo) -> Counts:
    """Read `path`; time stamps without an offset are in `zone`.

    Raises:
        FileRefused: the file cannot be used; the message names the line and says what to do.
        InputError: it cannot be read.
    """
    with open_csv(path) as file:
        file.check_columns(COLUMNS, COLUMNS[:2])
        read, clock = _rows(file, zone)
        return _grid(file, read, clock)


def _rows(file: CsvFile, zone: ZoneInfo) -> tuple[_Read, _Clock]:
    read, stamps, numbers = _Read(), _Stamps(), _Numbers()
    for row in file.rows():
        try:
            series = read.scopes.setdefault((_label(row["region"]), _label(row["service"])), len(read.scopes))
            stamps.add(row["timestamp"], series)
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
    clock = _Clock(stamps, zone)
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
            value = values.number(text)
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


class _Stamps:
    """Time stamps as written: all with an offset, or all without."""

    def __init__(self) -> None:
        self.moments: list[datetime.datetime] = []
        self.series: list[int] = []
        self.aware: bool | None = None

    def add(self, text: str, series: int) -> None:
        """The next one.

        Raises:
            ValueError: it is none, or written another way than those before.
        """
        found = values.moment(text)
        aware = found.tzinfo is not None
        if self.aware is None:
            self.aware = aware
        elif self.aware != aware:
            raise ValueError("time stamps with an offset and without are mixed: write all of them one way")
        self.moments.append(found)
        self.series.append(series)


class _Clock:
    """From time stamps to epoch minutes, and from those to local days."""

    def __init__(self, stamps: _Stamps, zone: ZoneInfo) -> None:
        self._stamps, self._zone = stamps, zone
        self._offsets: dict[tuple[int, int, int, int, int], int] = {}
        #: Rows lie in an hour that the zone skips: these clocks are not set forward, so the zone's changes are left out.
        self.fixed = not stamps.aware and any(self._skipped(moment) for moment in stamps.moments)

    def minutes(self) -> list[int]:
        """Epoch minute of each row. Of a local time that occurs twice, the second row of a series is the later one."""
        if self._stamps.aware:
            return [int(moment.timestamp()) // 60 for moment in self._stamps.moments]
        found, seen = [], set()
        for moment, series in zip(self._stamps.moments, self._stamps.series, strict=True):
            wall = _wall_minute(moment)
            if self.fixed:
                found.append(wall)
                continue
            first, second = self._offset(moment, 0), self._offset(moment, 1)
            if first != second and (series, wall) in seen:
                found.append(wall - second)
                continue
            if first != second:
                seen.add((series, wall))
            found.append(wall - first)
        return found

    def local(self, minutes: Index) -> tuple[Index, Index]:
        """(date ordinals, minutes of the local day) of epoch minutes."""
        return local_days(minutes, None if self.fixed else self._zone)

    def note(self) -> str | None:
        """What whoever wrote the file should know of its days."""
        if self.fixed:
            return f"rows lie in an hour that {self._zone.key} skips: its clock changes are left out; give --timezone if it is another"
        first = self._stamps.moments[0]
        if self._stamps.aware and first.utcoffset() != first.astimezone(self._zone).utcoffset():
            return f"time stamps have another offset than {self._zone.key}, whose days are judged; give --timezone if it is another"
        return None

    def _offset(self, moment: datetime.datetime, fold: int) -> int:
        key = (moment.year, moment.month, moment.day, moment.hour * 4 + moment.minute // 15, fold)
        if key not in self._offsets:
            offset = moment.replace(tzinfo=self._zone, fold=fold).utcoffset() or datetime.timedelta()
            self._offsets[key] = int(offset.total_seconds()) // 60
        return self._offsets[key]

    def _skipped(self, moment: datetime.datetime) -> bool:
        # In a skipped hour the offset of fold 0 is the smaller one, in a repeated hour the larger one.
        return self._offset(moment, 0) < self._offset(moment, 1)


def local_days(minutes: Index, zone: ZoneInfo | None) -> tuple[Index, Index]:
    """(date ordinals, minutes of the local day) of epoch minutes; without a zone by the minutes as they are."""
    offsets = np.zeros(len(minutes), dtype=np.int64)
    if zone is not None:
        quarters, place = np.unique(minutes // 15, return_inverse=True)
        moments = (datetime.datetime.fromtimestamp(int(quarter) * 900, zone) for quarter in quarters)
        known = [moment.utcoffset() or datetime.timedelta() for moment in moments]
        offsets = np.array([int(one.total_seconds()) // 60 for one in known], dtype=np.int64)[place]
    local = minutes + offsets
    return local // 1440 + _EPOCH_DAY, local % 1440


def _wall_minute(moment: datetime.datetime) -> int:
    return (moment.toordinal() - _EPOCH_DAY) * 1440 + moment.hour * 60 + moment.minute


def _grid(file: CsvFile, read: _Read, clock: _Clock) -> Counts:
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
    scopes = tuple(Scope(region or None, service or None) for region, service in read.scopes)
    return Counts(scopes, step, int(starts[0]), values, tuple(texts), dates, of_day // step, (note,) if note else ())


def _step(file: CsvFile, minutes: Index) -> int:
    if len(minutes) < 2:
        return STEP_MINUTES_MAX
    gaps, number = np.unique(np.diff(minutes), return_counts=True)
    step = int(gaps[number.argmax()])
    if step > STEP_MINUTES_MAX:
        raise file.refusal(file.line, f"rows are {step} min apart: give counts of 1 to {STEP_MINUTES_MAX} minutes")
    return step
