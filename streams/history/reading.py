"""Ranges of the past without a seam: hours that are archived from files, later ones from Redis. For the report and the detector.

All minutes are epoch minutes of archive time (the clock in production, scenario time in a simulation).
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from streams.catalog import UNKNOWN, Catalog
from streams.clock import dates, paris_day, paris_days_of
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.compose import HourReading, clock_minutes, hour_reading
from streams.history.day_columns import CutName, CutRows, Key, Sketches, no_rows
from streams.history.marks import MINUTES_AN_HOUR, DayFile, HourMark, note_measured
from streams.live import ArchiveReader

#: Files are opened by so many threads at once: pyarrow lets others run while it decodes.
READ_THREADS = 2
READ_AHEAD_DAYS = 4
#: A question for more values than this is refused: it would not fit in memory. So is one for more than twenty years.
VALUES_MAX = 200_000_000
MINUTES_MAX = 20 * 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class CountsTable:
    """Counts of several series on the grid that was asked for.

    `values` has the shape (series, slots), float64. NaN: not measured. A slot of which some minutes are known holds what was counted in
    these; `share` (slots) is the part of it that is known, 0 to 1.
    """

    keys: tuple[Key, ...]
    values: NDArray[np.float64]
    share: NDArray[np.float64]


def groupings(catalog: Catalog) -> dict[str, tuple[CutName, Callable[[Key], Key]]]:
    """What figures may be asked by: the cut they are in, and what a cut's key becomes.

    `group` has no entry: the published groups overlap (see `Catalog.published_groups`).
    """
    family = {service.code: service.family for service in catalog.services}
    zone = {region.code: region.zone for region in catalog.regions}
    cut = CutName
    return {
        "national": (cut.REGION, lambda _key: ()),
        "region": (cut.REGION, lambda key: key),
        "zone": (cut.REGION, lambda key: (zone.get(key[0]) or UNKNOWN,)),
        "service": (cut.REGION_SERVICE, lambda key: (key[1],)),
        "family": (cut.REGION_SERVICE, lambda key: (family.get(key[1], UNKNOWN),)),
        "region_service": (cut.REGION_SERVICE, lambda key: key),
        "region_family": (cut.REGION_SERVICE, lambda key: (key[0], family.get(key[1], UNKNOWN))),
        "project": (cut.PROJECT, lambda key: key),
        "profile": (cut.PROFILE_REGION, lambda key: (key[1],)),
        "profile_region": (cut.PROFILE_REGION, lambda key: (key[1], key[0])),
        "academy": (cut.ACADEMY, lambda key: key),
    }


class History:
    """The past of one installation. `live` is None to read files alone."""

    def __init__(
        self, archive: Archive, catalog: Catalog, live: ArchiveReader | None = None, shift_minutes: int = 0
    ) -> None:
        self.archive = archive
        self._live = live
        self._shift = shift_minutes
        self.groupings = groupings(catalog)

    def panel(
        self,
        by: str,
        measure: str,
        first: int,
        end: int,
        step_minutes: int = 1,
        *,
        region: str | None = None,
    ) -> CountsTable:
        """Counts of `measure` (`events`, `visits`; visits of a service, where the grouping has one) on a grid.

        `region` keeps one region's series of `region_service` and `region_family`, without reading the others'.

        Raises:
            InputError: no such grouping or measure, or more values than fit.
            DamagedFileError: a file cannot be read.
            ServerError: Redis does not answer.
        """
        if by not in self.groupings:
            raise InputError(f"no figures by {by!r}: choose one of {', '.join(self.groupings)}")
        if measure not in ("events", "visits"):
            raise InputError(f"no measure {measure!r}: choose events or visits")
        cut, rename = self.groupings[by]
        if not 0 < end - first <= MINUTES_MAX:
            raise InputError(f"a range of {end - first} minutes: ask for at least one, at most {MINUTES_MAX}")
        slots = -(-(end - first) // step_minutes)
        parts = self._parts(cut, first, end, region if cut is CutName.REGION_SERVICE else None)
        named = [(marks, rows, [rename(key) for key in rows.keys]) for marks, rows in parts]
        keys = tuple(sorted({name for _marks, _rows, names in named for name in names}))
        if len(keys) * slots > VALUES_MAX:
            raise InputError(f"{len(keys)} series of {slots} values are too many: ask for less time, or a coarser step")
        known = np.zeros(slots * step_minutes)
        values = np.zeros(len(keys) * slots)
        seen = np.zeros(len(keys) * slots, bool)
        index = {key: number for number, key in enumerate(keys)}
        for marks, rows, names in named:
            note_measured(known, [mark for mark in marks if mark.knows(cut)], first, end)
            place = np.array([index[name] for name in names], np.int64)[rows.series]
            kept = (rows.minute >= first) & (rows.minute < end)
            cell = place[kept] * slots + (rows.minute[kept] - first) // step_minutes
            np.add.at(values, cell, getattr(rows, measure)[kept])
            seen[cell] = True
        table, counted = values.reshape(len(keys), slots), seen.reshape(len(keys), slots)
        share = known.reshape(slots, step_minutes).sum(axis=1) / np.minimum(
            step_minutes, end - first - np.arange(slots) * step_minutes
        )
        table[~counted & (share == 0)] = np.nan
        return CountsTable(keys, table, share)

    def days(self, first: date, last: date) -> Iterator[DayFile]:
        """Whole days in Paris, both included, those of which anything is known."""
        yield from (day for day in self.each_day(dates(first, last)) if day is not None)

    def each_day(
        self, wanted: Iterable[date], cuts: Collection[CutName] = tuple(CutName), *, with_sketches: bool = True
    ) -> Iterator[DayFile | None]:
        """These days in Paris, in this order, None for those of which nothing is known; a few are read ahead, never all."""
        waiting: deque[Future[DayFile | None]] = deque()
        with ThreadPoolExecutor(READ_THREADS) as pool:
            for day in wanted:
                waiting.append(pool.submit(self.day, day, cuts, with_sketches=with_sketches))
                if len(waiting) > READ_AHEAD_DAYS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def day(
        self, day: date, cuts: Collection[CutName] = tuple(CutName), *, with_sketches: bool = True
    ) -> DayFile | None:
        """One day in Paris, None where nothing is known of it. Without sketches, and with few cuts, it takes less than half the time."""
        found = self.archive.read(day, lambda file: file.day(cuts, with_sketches=with_sketches))
        return self._with_live(day, found)

    def _parts(
        self, cut: CutName, first: int, end: int, region: str | None
    ) -> list[tuple[tuple[HourMark, ...], CutRows]]:
        def read(day: date) -> tuple[tuple[HourMark, ...], CutRows]:
            found = self.archive.read(day, lambda file: (file.head.hours, file.rows(cut, region)))
            return found or ((), CutRows.empty())

        with ThreadPoolExecutor(READ_THREADS) as pool:
            parts = list(pool.map(read, list(paris_days_of(first, end))))
        archived = {mark.hour for marks, _rows in parts for mark in marks}
        for reading in self._live_hours(first, end, archived):
            rows = reading.rows[cut]
            if region is not None:
                rows = rows.where(np.array([key[0] == region for key in rows.keys], bool)[rows.series])
            parts.append(((reading.mark,), rows))
        return parts

    def _with_live(self, day: date, found: DayFile | None) -> DayFile | None:
        archived = {mark.hour for mark in found.hours} if found else set()
        readings = list(self._live_hours(*paris_day(day), archived))
        if not readings:
            return found
        before = found or DayFile(day, 0, (), no_rows(), Sketches.none())
        rows = {cut: CutRows.joined([before.rows[cut], *(r.rows[cut] for r in readings)]) for cut in before.rows}
        hours = (*before.hours, *(reading.mark for reading in readings))
        return replace(before, shift_seconds=before.shift_seconds or self._shift * 60, hours=hours, rows=rows)

    def _live_hours(self, first: int, end: int, archived: set[int]) -> Iterator[HourReading]:
        """Readings of hours that Redis holds and no file has, settled minutes alone."""
        if self._live is None or archived.issuperset(range(first // MINUTES_AN_HOUR, -(-end // MINUTES_AN_HOUR))):
            return  # a past that is archived whole is read without Redis
        state = self._live.state()
        if state.settled_ms is None or state.oldest is None:
            return
        held_first = max(first, max(state.oldest, state.trimmed_before) + self._shift)
        held_end = min(end, state.settled_ms // 60_000 + self._shift)
        for hour in range(held_first // MINUTES_AN_HOUR, -(-held_end // MINUTES_AN_HOUR)):
            if hour not in archived:
                yield hour_reading(hour, self._live.hour(*clock_minutes(hour, self._shift)), self._shift)
