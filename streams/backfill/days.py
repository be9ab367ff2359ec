"""A day of the archive is the sum of its parts, but for the hours that Vigie counted itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from streams.backfill.measured import joined
from streams.backfill.parts import PartStore
from streams.backfill.sketching import of_date
from streams.history.archive import Archive
from streams.history.compose import HourReading
from streams.history.day_columns import CutName, CutRows, Sketches
from streams.history.marks import MINUTES_AN_HOUR, Choice, HourMark, HourSource


@dataclass(frozen=True, slots=True)
class WrittenDay:
    """What became of a day: whether its file changed, and the hours that stayed as they were counted or imported otherwise."""

    day: date
    changed: bool
    hours_kept: int


def write_day(archive: Archive, store: PartStore, day: date, catalog: str) -> WrittenDay:
    """Put the sum of a day's parts into its file.

    Raises:
        InputError: a part or the file cannot be read.
        ArchiveError: the file cannot be written.
    """
    spans: dict[int, list[tuple[int, int]]] = {}
    rows: dict[CutName, list[CutRows]] = {cut: [] for cut in CutName}
    own: list[Sketches] = []
    for reader in store.of_day(day):
        own.append(reader.sketches())
        for mark in reader.head.hours:
            spans.setdefault(mark.hour, []).extend(mark.measured)
        for cut in CutName:
            rows[cut].append(reader.rows(cut))
    around = [reader.sketches() for step in (-1, 1) for reader in store.of_day(day + timedelta(days=step))]
    with_logs = archive.open(day)
    if with_logs is not None:
        with with_logs:  # an hour that no log tells of any more is no sum of anything
            for mark in with_logs.head.hours:
                if mark.source is HourSource.BACKFILL:
                    spans.setdefault(mark.hour, [])
    sums = {cut: CutRows.summed(parts) for cut, parts in rows.items()}
    readings = [
        HourReading(
            HourMark(hour, HourSource.BACKFILL, tuple(joined(found))),
            {cut: _of_hour(sums[cut], hour) for cut in CutName},
        )
        for hour, found in sorted(spans.items())
    ]
    done = archive.update(day, readings, of_date(day, own, around), catalog=catalog)
    kept = sum(choice is Choice.REFUSED for choice in done.choices.values())
    return WrittenDay(day, done.written, kept)


def _of_hour(rows: CutRows, hour: int) -> CutRows:
    return rows.where(rows.minute // MINUTES_AN_HOUR == hour) if len(rows.series) else CutRows.empty()
