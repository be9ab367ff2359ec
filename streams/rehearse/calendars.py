"""From a code to the keys of days: school zones, countries of the `holidays` library, files of school holidays."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import holidays

from streams.errors import InputError
from streams.watch import KeysOf, weekly
from streams.watch.country_days import CountryDays

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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}: give a CSV file in UTF-8") from None
    if not rows or [name.strip().lower() for name in rows[0][1][:2]] != _COLUMNS:
        raise InputError(f"{path}: expected a first line `start,end`, then the first and the last day of each holiday")
    if len(rows) == 1:
        raise InputError(f"{path} has no holidays: give a first and a last day on each line")
    return [_range(path, number, row) for number, row in rows[1:]]


def _range(path: Path, number: int, row: list[str]) -> tuple[datetime.date, datetime.date]:
    try:
        start, end = (datetime.date.fromisoformat(text.strip()) for text in row[:2])
    except ValueError:
        raise InputError(f"{path}, line {number}: write two days as 2026-02-14,2026-03-01") from None
    if start > end:
        raise InputError(f"{path}, line {number}: {start} lies after {end}: write the first day first")
    return start, end
