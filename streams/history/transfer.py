"""Counts as CSV, out of an archive and into one. One row a minute (or hour, or day in Paris), cut and key.

An hour of which the file has a row is taken as measured: its other minutes are zeros. Hours without any row are not measured.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO

from streams.catalog import Catalog
from streams.clock import iso_utc
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.compose import HourReading
from streams.history.days import paris_date
from streams.history.marks import MINUTES_AN_HOUR, Choice, HourMark, Source
from streams.history.reading import History
from streams.history.rows import KEY_COLUMNS, CutName, CutRows, Key, Sketches, no_rows

CODE_COLUMNS = ("region", "service", "project", "profile", "academy")
COLUMNS = ("minute", "cut", *CODE_COLUMNS, "events", "visits", "late")
STEPS_MINUTES = {"minute": 1, "hour": 60, "day": 0}
COUNT_MAX = 2**31 - 1
_Item = tuple[Key, int, int, int, int]


def export_rows(history: History, first: date, last: date, cut: CutName | None, step: str, out: IO[str]) -> int:
    """Write the days' rows; return how many. `visits` of cut `region_service` are visits of the service."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for day in history.days(first, last):
        for name in [cut] if cut else list(CutName):
            for key, minute, events, visits, late in _stepped(day.rows[name], step, day.minutes[0]):
                codes = dict(zip(KEY_COLUMNS[name], key, strict=True))
                cells = [codes.get(column, "") for column in CODE_COLUMNS]
                writer.writerow([iso_utc(minute * 60_000), name, *cells, events, visits, late])
                written += 1
    return written


def _stepped(rows: CutRows, step: str, day_first: int) -> Iterator[_Item]:
    minutes = STEPS_MINUTES[step]
    sums: dict[tuple[int, int], list[int]] = {}
    columns = (rows.series, rows.minute, rows.events, rows.visits, rows.late)
    for series, minute, *counts in zip(*(column.tolist() for column in columns), strict=True):
        begin = minute - minute % minutes if minutes else day_first
        found = sums.setdefault((series, begin), [0, 0, 0])
        for place, number in enumerate(counts):
            found[place] += number
    for (series, begin), (events, visits, late) in sorted(sums.items()):
        yield rows.keys[series], begin, events, visits, late


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to. `hours_kept` were in the archive from elsewhere and stayed as they were."""

    rows: int
    days: tuple[date, ...]
    hours: int
    hours_kept: int


def import_rows(archive: Archive, catalog: Catalog, lines: IO[str], name: str) -> Imported:
    """Read counts by minute and put them into an archive. Hours that were counted live stay; imported ones are replaced.

    Raises:
        InputError: a line cannot be used; nothing was written then.
    """
    by_day = _read(lines, name, catalog)
    hours = kept = rows = 0
    for day, items in sorted(by_day.items()):
        readings = _readings(items)
        done = archive.update(day, readings, Sketches.none(), catalog=catalog.digest)
        refused = sum(choice is Choice.REFUSED for choice in done.choices.values())
        hours, kept = hours + len(readings) - refused, kept + refused
        rows += sum(len(some) for some in items.values())
    return Imported(rows, tuple(sorted(by_day)), hours, kept)


def _read(lines: IO[str], name: str, catalog: Catalog) -> dict[date, dict[CutName, dict[tuple[Key, int], _Item]]]:
    reader = csv.DictReader(lines)
    missing = {"minute", "cut", "events", "visits"} - set(reader.fieldnames or ())
    if missing:
        raise InputError(
            f"{name}: no column {', '.join(sorted(missing))}: its first line must name {', '.join(COLUMNS)}"
        )
    found: dict[date, dict[CutName, dict[tuple[Key, int], _Item]]] = {}
    for number, row in enumerate(reader, 2):
        try:
            cut, item = _item(row, catalog)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{name}, line {number}: {error}; nothing was imported") from None
        of_cut = found.setdefault(paris_date(item[1]), {}).setdefault(cut, {})
        if (item[0], item[1]) in of_cut:
            raise InputError(f"{name}, line {number}: the same minute and codes twice; nothing was imported")
        of_cut[item[0], item[1]] = item
    if not found:
        raise InputError(f"{name} holds no counts")
    return found


def _item(row: dict[str, str], catalog: Catalog) -> tuple[CutName, _Item]:
    moment = datetime.fromisoformat(row["minute"])
    if moment.tzinfo is None:
        raise ValueError(f"minute {row['minute']!r} has no offset: write 2026-09-01T06:00:00Z")
    seconds = int(moment.timestamp())
    if seconds % 60:
        raise ValueError(f"minute {row['minute']!r} is not the start of a minute")
    cut = CutName(row["cut"])
    known = {
        "region": catalog.region_codes,
        "service": catalog.service_codes,
        "project": catalog.project_codes,
        "profile": catalog.profile_codes,
        "academy": catalog.academy_codes,
    }
    for column in KEY_COLUMNS[cut]:
        if row.get(column) not in known[column]:
            raise ValueError(f"{column} {row.get(column)!r} is not in the lists of config/")
    events, visits, late = (int(row.get(column) or 0) for column in ("events", "visits", "late"))
    if not all(0 <= number <= COUNT_MAX for number in (events, visits, late)):
        raise ValueError("a count is negative or too large")
    return cut, (tuple(row[column] for column in KEY_COLUMNS[cut]), seconds // 60, events, visits, late)


def _readings(items: dict[CutName, dict[tuple[Key, int], _Item]]) -> list[HourReading]:
    by_hour: dict[int, dict[CutName, list[_Item]]] = {}
    for cut, some in items.items():
        for item in some.values():
            by_hour.setdefault(item[1] // MINUTES_AN_HOUR, {}).setdefault(cut, []).append(item)
    return [
        HourReading(
            HourMark(hour, Source.IMPORT, ((hour * 60, hour * 60 + 60),)),
            {**no_rows(), **{cut: CutRows.of(rows) for cut, rows in cuts.items()}},
        )
        for hour, cuts in sorted(by_hour.items())
    ]
