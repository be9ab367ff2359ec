"""Reads a file of counts, `timestamp,count[,region,service]`, onto a regular grid of rows."""

from __future__ import annotations

import csv
import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from streams.errors import InputError
from streams.watch import Array, Index, Scope

COLUMNS = ("timestamp", "count", "region", "service")
STEP_MINUTES_MAX = 60
#: Rows between the first time stamp and the last, measured or not: 20 years of minutes would be a mistake in a time stamp.
GRID_ROWS_MAX = 6_000_000
SERIES_MAX = 2_000
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_EXPECTED = "expected a first line `timestamp,count` or `timestamp,count,region,service`"


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
        InputError: the file cannot be used; the message names the line and says what to do.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            read, clock = _rows(path, csv.reader(file), zone)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8: {error}") from None
    if not read.minutes:
        raise InputError(f"{path} has no rows: give at least the counts of some weeks")
    return _grid(path, read, clock)


def _rows(path: Path, reader: Iterator[list[str]], zone: ZoneInfo) -> tuple[_Read, _Clock]:
    head = [name.strip().lower() for name in next(reader, [])]
    if head[:2] != ["timestamp", "count"] and not {"timestamp", "count"} <= set(head):
        raise InputError(f"{path}: {_EXPECTED}, found {','.join(head)[:80]!r}")
    strange = [name for name in head if name not in COLUMNS]
    if strange or len(set(head)) != len(head):
        raise InputError(f"{path}: {_EXPECTED}; column {(strange or head)[0]!r} is not one of them or occurs twice")
    at = [head.index(name) if name in head else None for name in COLUMNS]
    read, stamps = _Read(), _Stamps(path)
    for line, row in enumerate(reader, 2):
        if not row or (len(row) == 1 and not row[0].strip()):
            continue
        if len(row) != len(head):
            raise InputError(f"{path}, line {line}: {len(row)} columns where the first line has {len(head)}")
        place = tuple(row[index].strip() if index is not None else "" for index in at[2:])
        series = read.scopes.setdefault((place[0], place[1]), len(read.scopes))
        text = row[at[0] or 0].strip() if at[0] is not None else ""
        stamps.add(text, series, line)
        read.series.append(series)
        read.texts.append(text)
        read.lines.append(line)
        read.counts.append(_count(path, line, row[at[1]] if at[1] is not None else ""))
    if len(read.scopes) > SERIES_MAX:
        raise InputError(f"{path} has {len(read.scopes)} series of region and service: at most {SERIES_MAX}")
    clock = _Clock(stamps, zone)
    read.minutes = clock.minutes()
    return read, clock


def _count(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and 0 <= value <= 1e12):
        unknown = text.strip().lower() in ("", "nan", "null", "none", "na", "n/a")
        said = "is no count: leave the row out where nothing was measured" if unknown else "is not a count"
        raise InputError(f"{path}, line {line}: {text.strip()[:40]!r} {said} (0 or more)")
    return value


class _Stamps:
    """Time stamps as written: all with an offset, or all without."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.moments: list[datetime.datetime] = []
        self.series: list[int] = []
        self.aware: bool | None = None

    def add(self, text: str, series: int, line: int) -> None:
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError:
            raise InputError(
                f"{self.path}, line {line}: {text[:40]!r} is not a time stamp: write 2026-09-01T08:00 or 2026-09-01T08:00+02:00"
            ) from None
        aware = moment.tzinfo is not None
        if self.aware is None:
            self.aware = aware
        elif self.aware != aware:
            raise InputError(
                f"{self.path}, line {line}: time stamps with an offset and without are mixed: write all of them one way"
            )
        self.moments.append(moment)
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


def _grid(path: Path, read: _Read, clock: _Clock) -> Counts:
    minutes = np.array(read.minutes, dtype=np.int64)
    step = _step(path, np.unique(minutes))
    phase = int(np.bincount(minutes % step).argmax())
    cells = (minutes - phase) // step
    first, last = int(cells.min()), int(cells.max())
    rows = last - first + 1
    if rows > GRID_ROWS_MAX:
        raise InputError(
            f"{path}: from the first time stamp to the last there would be {rows:,} rows of {step} min, at most {GRID_ROWS_MAX:,}: "
            "is a time stamp wrong?"
        )
    values = np.full((len(read.scopes), rows), np.nan)
    texts = [""] * rows
    for cell, series, count, text, line in zip(
        (cells - first).tolist(), read.series, read.counts, read.texts, read.lines, strict=True
    ):
        if values[series, cell] == values[series, cell]:
            raise InputError(
                f"{path}, line {line}: {text} lies in a row of {step} min that was there before: one row a time, region and service"
            )
        values[series, cell] = count
        texts[cell] = texts[cell] or text
    starts = (np.arange(first, last + 1) * step + phase).astype(np.int64)
    dates, of_day = clock.local(starts)
    note = clock.note()
    scopes = tuple(Scope(region or None, service or None) for region, service in read.scopes)
    return Counts(scopes, step, int(starts[0]), values, tuple(texts), dates, of_day // step, (note,) if note else ())


def _step(path: Path, minutes: Index) -> int:
    if len(minutes) < 2:
        return STEP_MINUTES_MAX
    gaps, number = np.unique(np.diff(minutes), return_counts=True)
    step = int(gaps[number.argmax()])
    if step > STEP_MINUTES_MAX:
        raise InputError(f"{path}: rows are {step} min apart: give counts of 1 to {STEP_MINUTES_MAX} minutes")
    return step
