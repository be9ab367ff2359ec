"""What goes out of an archive and into one: counts as CSV; and sketches of users, which go once they are due.

One row a minute (or hour, or day in Paris), cut and key.

`step` says of what a row counts; only minutes come in again. `source` says where the figures come from: simulated ones stay so.
An hour of which a file has a row is taken as measured: its other minutes are zeros. Hours without any row are not measured.
"""

import csv
import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import IO

import numpy as np

from streams.catalog import Catalog
from streams.clock import PARIS, iso_utc, paris_date
from streams.csv_file import CsvFile
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.arrow import FileReader
from streams.history.counts_csv import CODE_COLUMNS, COLUMNS, read_counts
from streams.history.day_columns import KEY_COLUMNS, CutName, CutRows, Key, Sketches
from streams.history.marks import MINUTES_AN_HOUR, Choice, DayFile, HourSource
from streams.history.reading import History
from streams.history.whole_files import ArchiveError

STEPS_MINUTES = {"minute": 1, "hour": 60, "day": 0}


def export_rows(history: History, first: date, last: date, *, cut: CutName | None, step: str, out: IO[str]) -> int:
    """Write the days' rows; return how many. `visits` of cut `region_service` are visits of the service."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for day in history.days(first, last):
        sources = _sources(day)
        for name in [cut] if cut else list(CutName):
            for key, minute, counts in _stepped(day.rows[name], step, day.minutes[0]):
                codes = dict(zip(KEY_COLUMNS[name], key, strict=True))
                cells = [codes.get(column, "") for column in CODE_COLUMNS]
                of_hours = sources.values() if step == "day" else [sources.get(minute // MINUTES_AN_HOUR, "")]
                source = "+".join(sorted({text for text in of_hours if text}))
                writer.writerow([_moment(minute, step), name, *cells, *counts, step, source])
                written += 1
    return written


def _sources(day: DayFile) -> Mapping[int, str]:
    """Where each hour comes from; figures of a simulation that were counted as real ones would be are simulated."""
    return {
        mark.hour: str(HourSource.SIMULATED if mark.is_simulated or day.shift_seconds else mark.source)
        for mark in day.hours
    }


def _moment(minute: int, step: str) -> str:
    """A day begins at midnight in Paris and is labelled so; minutes and hours are in UTC."""
    return (
        datetime.fromtimestamp(minute * 60, UTC).astimezone(PARIS).isoformat()
        if step == "day"
        else iso_utc(minute * 60_000)
    )


def _stepped(rows: CutRows, step: str, day_first: int) -> Iterator[tuple[Key, int, list[int]]]:
    minutes = STEPS_MINUTES[step]
    begins = rows.minute - rows.minute % minutes if minutes else np.full_like(rows.minute, day_first)
    found = replace(rows, minute=begins).grouped(lambda key: key)
    columns = (found.series, found.minute, found.events, found.visits, found.late)
    for series, begin, *counts in zip(*(column.tolist() for column in columns), strict=True):
        yield found.keys[series], begin, counts


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to. `hours_kept` were in the archive from elsewhere and stayed as they were."""

    rows: int
    days: tuple[date, ...]
    hours: int
    hours_kept: int


def import_rows(archive: Archive, catalog: Catalog, file: CsvFile) -> Imported:
    """Read counts by minute and put them into an archive. Hours that were counted live stay; imported ones are replaced.

    Raises:
        FileRefused: a line cannot be used, or figures contradict one another; nothing was written then.
        InputError: a day's file is damaged; nothing was written then.
        ArchiveError: the archive holds figures of the other kind, or cannot be written.
    """
    found = read_counts(file, catalog)
    about = archive.about()
    archive.prepare(simulated=found.simulated or (about.simulated if about else False))
    by_hour = itertools.groupby(sorted(found.hours), lambda hour: paris_date(hour * MINUTES_AN_HOUR))
    by_day = {day: list(hours) for day, hours in by_hour}
    for day in by_day:
        try:
            archive.read(day, FileReader.day)
        except InputError as error:
            raise InputError(f"{error}; nothing was imported") from None
    kept = 0
    for number, (day, hours) in enumerate(by_day.items()):
        try:
            done = archive.update(day, [found.hours[hour] for hour in hours], Sketches.none(), catalog=catalog.digest)
        except ArchiveError as error:
            raise ArchiveError(
                f"{error}; {number} of {len(by_day)} days are imported, then import the file again: it replaces itself"
            ) from None
        kept += sum(choice is Choice.REFUSED for choice in done.choices.values())
    return Imported(found.rows, tuple(by_day), len(found.hours) - kept, kept)


def forget_users(
    archive: Archive, before: date, known: Collection[date] = (), most: int = 20
) -> tuple[set[date], bool]:
    """Remove the sketches of users of days before one, but for those `known` to have none, of at most so many days.

    Returns the days that have none now, and whether all were looked at. A file that is damaged, or cannot be read now, is left for
    another time.

    Raises:
        ArchiveError: one cannot be written.
    """
    done, written = set(known), 0
    for day in archive.dates():
        if day >= before or day in done:
            continue
        with archive.locked():
            try:
                whole = archive.read(day, lambda file: file.day() if file.sketches().users else None)
            except InputError:
                continue
            if whole is not None:
                if written == most:
                    return done, False
                written += 1
                archive.write(replace(whole, sketches=Sketches({}, whole.sketches.establishments)))
            done.add(day)
    return done, True
