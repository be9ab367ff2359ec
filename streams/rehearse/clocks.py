"""From time stamps of a file to epoch minutes and local days, on clocks that change or do not; and from a code to the keys of days."""

import datetime
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from streams import values
from streams.csv_file import CsvFile, CsvRow, open_csv
from streams.watch import Index, KeysOf
from streams.watch.comparable_days import RARE_EXTRA, RETURN_EXTRA, DayKeys, weekly

_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()


class WrittenClock:
    """Time stamps as written, all with an offset or all without: their epoch minutes, and from those local days."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._moments: list[datetime.datetime] = []
        self._series: list[int] = []
        self._aware = False
        self._offsets: dict[tuple[int, int, int, int, int], int] = {}

    def add(self, text: str, series: int) -> None:
        """The next one.

        Raises:
            ValueError: it is none, or written another way than those before.
        """
        found = values.moment(text)
        aware = found.tzinfo is not None
        if self._moments and self._aware != aware:
            raise ValueError("time stamps with an offset and without are mixed: write all of them one way")
        self._aware = aware
        self._moments.append(found)
        self._series.append(series)

    @cached_property
    def fixed(self) -> bool:
        """Whether rows lie in an hour that the zone skips: these clocks are not set forward, so the zone's changes are left out.

        (In a skipped hour the offset of fold 0 is the smaller one, in a repeated hour the larger one.)
        """
        return not self._aware and any(self._offset(one, 0) < self._offset(one, 1) for one in self._moments)

    def minutes(self) -> list[int]:
        """Epoch minute of each row. Of a local time that occurs twice, the second row of a series is the later one."""
        if self._aware:
            return [int(moment.timestamp()) // 60 for moment in self._moments]
        found, seen = [], set()
        for moment, series in zip(self._moments, self._series, strict=True):
            wall = (moment.toordinal() - _EPOCH_DAY) * 1440 + moment.hour * 60 + moment.minute
            first, second = (0, 0) if self.fixed else (self._offset(moment, 0), self._offset(moment, 1))
            is_later = first != second and (series, wall) in seen
            if first != second:
                seen.add((series, wall))
            found.append(wall - (second if is_later else first))
        return found

    def local(self, minutes: Index) -> tuple[Index, Index]:
        """(date ordinals, minutes of the local day) of epoch minutes."""
        return local_days(minutes, None if self.fixed else self._zone)

    def note(self) -> str | None:
        """What whoever wrote the file should know of its days."""
        if self.fixed:
            return f"rows lie in an hour that {self._zone.key} skips: its clock changes are left out; give --timezone if it is another"
        first = self._moments[0]
        if self._aware and first.utcoffset() != first.astimezone(self._zone).utcoffset():
            return f"time stamps have another offset than {self._zone.key}, whose days are judged; give --timezone if it is another"
        return None

    def _offset(self, moment: datetime.datetime, fold: int) -> int:
        key = (moment.year, moment.month, moment.day, moment.hour * 4 + moment.minute // 15, fold)
        if key not in self._offsets:
            offset = moment.replace(tzinfo=self._zone, fold=fold).utcoffset() or datetime.timedelta()
            self._offsets[key] = int(offset.total_seconds()) // 60
        return self._offsets[key]


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


NONE = "none"
_COLUMNS = ["start", "end"]


def is_country(code: str) -> bool:
    """Whether `code` is `FR`, `US-CA` or another country, or part of one, that the library knows."""
    country, _, part = code.partition("-")
    known = holidays.list_supported_countries(include_aliases=False)
    return country in known and (not part or part in known[country])


def country_days(code: str, school_holidays: Path | None) -> KeysOf:
    """The keys of the days of a country (`is_country`), or of `none`; of a file also those of its school holidays.

    Raises:
        InputError: the file cannot be used; the message names the line and says what to do.
    """
    if code == NONE and school_holidays is None:
        return weekly
    country, _, part = code.partition("-")
    public = None if code == NONE else holidays.country_holidays(country, subdiv=part or None)
    closed = _ranges(school_holidays) if school_holidays else []
    return CountryDays(
        lambda date: public is not None and date in public,
        lambda date: any(first <= date <= last for first, last in closed),
    )


def _ranges(path: Path) -> list[tuple[datetime.date, datetime.date]]:
    """Ranges of days of a file, `start,end`, both days included."""
    with open_csv(path) as file:
        if not set(_COLUMNS) <= file.columns.keys():
            raise file.refusal(
                file.line, "expected a first line `start,end`, then the first and the last day of each holiday"
            )
        found = [_range(file, row) for row in file.rows()]
        if not found:
            raise file.refusal(file.line, "it has no holidays: give a first and a last day on each line")
    return found


def _range(file: CsvFile, row: CsvRow) -> tuple[datetime.date, datetime.date]:
    try:
        start, end = (values.day(row[column]) for column in _COLUMNS)
    except ValueError as error:
        raise file.refusal(row.line, f"write two days as 2026-02-14,2026-03-01: {error}") from None
    if start > end:
        raise file.refusal(row.line, f"{start} lies after {end}: write the first day first")
    return start, end


_DAY = datetime.timedelta(days=1)
_SUNDAY: Hashable = ("week", 6)
_WEEKEND: frozenset[Hashable] = frozenset([("week", 5), ("week", 6)])
#: From 22 December to 2 January little is as in other weeks, where Christmas is a holiday.
_CHRISTMAS = ((12, 22), (1, 2))


@dataclass(frozen=True, slots=True)
class CountryDays:
    """The keys of the days of a country: `is_holiday` tells its public holidays, `is_school_holiday` whether its schools are closed."""

    is_holiday: Callable[[datetime.date], bool]
    is_school_holiday: Callable[[datetime.date], bool] = lambda _date: False

    def __call__(self, date: datetime.date) -> DayKeys:
        """The keys of a day.

        What was never seen falls back to Sundays or to its own weekday, unsure enough that neither a quiet holiday nor a busy one alarms.
        """
        ordinary = weekly(date)
        same, level = ordinary.ladder[0], (("week", None),)
        part = "work" if date.weekday() < 5 else ("saturday", "sunday")[date.weekday() - 5]
        if self.is_holiday(date):
            # Whether it will be like a Sunday or like any day nobody knows before one was seen. One on a weekend is like that day.
            name: Hashable = ("public holiday",) if part == "work" else ("public holiday", part)
            likes = (frozenset([_SUNDAY]), same) if part == "work" else (same, frozenset([_SUNDAY]))
            return DayKeys(name, (frozenset([name]), *likes), level, RARE_EXTRA)
        if self._at_christmas(date):
            name = ("christmas", part)
            return DayKeys(name, (frozenset([name]), _WEEKEND, same), level, RARE_EXTRA)
        if date.weekday() < 5 and (self.is_holiday(date - _DAY) or self.is_holiday(date + _DAY)):
            name = ("beside", self.is_holiday(date + _DAY))
            return DayKeys(name, (frozenset([name]), same, ordinary.ladder[1]), level, RETURN_EXTRA)
        if self.is_school_holiday(date):
            name = ("school holiday", part)
            return DayKeys(
                name, (frozenset([name]), same, ordinary.ladder[1]), (("school holiday", name),), RETURN_EXTRA
            )
        return ordinary

    def _at_christmas(self, date: datetime.date) -> bool:
        first, last = _CHRISTMAS
        is_near = (date.month, date.day) >= first or (date.month, date.day) <= last
        return is_near and self.is_holiday(datetime.date(date.year if date.month == 12 else date.year - 1, 12, 25))
