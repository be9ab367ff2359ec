"""A day's file from the one that is there and new readings of its hours, which are made of what Redis holds.

Pure: plain values in, plain values out. A figure is only ever replaced by one that covers it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import numpy as np

from streams.count import Cut, Field, Sketch
from streams.history.day_columns import CutName, CutRows, Key, Rows, Sketches, minute_events, no_rows
from streams.history.marks import MINUTES_AN_HOUR, Choice, DayFile, HourMark, HourSource, Totals, covers, joined
from streams.live import HourCounts, MinuteCounts


@dataclass(frozen=True, slots=True)
class HourReading:
    """One hour as it was read: what it reflects, and its rows."""

    mark: HourMark
    rows: Rows


def compose(
    old: DayFile | None,
    day: date,
    shift_seconds: int,
    *,
    readings: Sequence[HourReading],
    sketches: Sketches,
    catalog: str,
) -> tuple[DayFile | None, Mapping[int, Choice]]:
    """Put readings (each of another hour of that day) into a day: (the day to be written, None where nothing changes; what became of each
    hour that was read).
    """
    before = old or DayFile(day, shift_seconds, (), no_rows(), Sketches.none(), catalog)
    known = {mark.hour: mark for mark in before.hours}
    old_events = minute_events(before.rows[CutName.REGION]) if known else {}
    choices = {r.mark.hour: _choose(known.get(r.mark.hour), r, old_events) for r in readings}
    taken = [reading for reading in readings if choices[reading.mark.hour] is Choice.TAKEN]
    sources = {mark.source for mark in (*before.hours, *(reading.mark for reading in readings))}
    # What comes of logs alone is made anew from all of them; else distinct members only ever become more.
    merged = sketches if sources == {HourSource.BACKFILL} else before.sketches.union(sketches)
    if not taken and merged == before.sketches:
        return None, choices
    for mark in (reading.mark for reading in taken):
        # The totals of the first reading stay: they tell when the hour was counted.
        known[mark.hour] = msgspec.structs.replace(mark, totals=known.get(mark.hour, mark).totals)
    hours = tuple(known[hour] for hour in sorted(known))
    new_hours = [reading.mark.hour for reading in taken]
    rows = {
        cut: CutRows.joined(
            [
                kept.where(~np.isin(kept.minute // MINUTES_AN_HOUR, new_hours)),
                *(reading.rows[cut] for reading in taken),
            ]
        )
        for cut, kept in before.rows.items()
    }
    if (
        merged == before.sketches
        and hours == before.hours
        and all(rows[cut].same_as(before.rows[cut]) for cut in CutName)
    ):
        return None, {hour: Choice.SAME if choice is Choice.TAKEN else choice for hour, choice in choices.items()}
    return DayFile(day, shift_seconds, hours, rows, merged, catalog), choices


def _choose(old: HourMark | None, reading: HourReading, old_events: Mapping[int, int]) -> Choice:
    if old is None:
        return Choice.TAKEN
    # A person says so; or it is the sum of all parts as they are now.
    if reading.mark.source is old.source and old.source in (HourSource.IMPORT, HourSource.BACKFILL):
        return Choice.TAKEN
    minutes = range(old.first_minute, old.end_minute)
    if old.source is HourSource.BACKFILL and reading.mark.source is HourSource.LIVE:
        # What Vigie counts itself takes the place of what logs told, but for an hour of which it saw less: it began in the midst of it.
        of_logs = sum(old_events.get(minute, 0) for minute in minutes)
        return Choice.TAKEN if reading.rows[CutName.REGION].events.sum() >= of_logs else Choice.REFUSED
    if not covers(reading.mark, old):
        return Choice.REFUSED
    new_events = minute_events(reading.rows[CutName.REGION])
    # A minute only ever gains events: with as many of them, it is the same minute.
    if any(new_events.get(minute, 0) < old_events.get(minute, 0) for minute in minutes):
        return Choice.REFUSED
    grown = any(new_events.get(minute, 0) > old_events.get(minute, 0) for minute in minutes)
    return Choice.TAKEN if grown or reading.mark.measured != old.measured else Choice.SAME


#: Redis's cuts of events, visits and late events for each cut of the archive, and which of their codes the archive has, in its order.
_CUTS: Mapping[CutName, tuple[tuple[Cut, ...], tuple[int, ...]]] = {
    CutName.REGION: ((Cut.EVENTS, Cut.VISITS, Cut.LATE), (0,)),
    CutName.REGION_SERVICE: ((Cut.EVENTS, Cut.SERVICE_VISITS), (0, 1)),
    CutName.PROJECT: ((Cut.PROJECT, Cut.VISIT_PROJECT), (0,)),
    CutName.PROFILE_REGION: ((Cut.PROFILE, Cut.VISIT_PROFILE), (1, 0)),
    CutName.ACADEMY: ((Cut.ACADEMY, Cut.VISIT_ACADEMY), (0,)),
}
#: Scopes of the archive by kind of sketch, of users and of establishments.
USER_SCOPES: Mapping[str, str] = {Sketch.LOCAL_DAY: "region", Sketch.PARIS_DAY: "paris"}
SCHOOL_SCOPES: Mapping[str, str] = {Sketch.REGION_SCHOOLS: "region", Sketch.PROJECT_SCHOOLS: "project"}


def hour_reading(hour: int, counts: HourCounts, shift_minutes: int) -> HourReading:
    """An hour (of archive time) from its minutes (of the clock): archive time = clock + `shift_minutes`."""
    mark = HourMark(
        hour=hour,
        source=HourSource.LIVE,
        measured=tuple(joined((minute + shift_minutes, minute + shift_minutes + 1) for minute in counts.settled)),
        topic_id=counts.topic_id,
        offsets={str(partition): bounds for partition, bounds in sorted(counts.offsets.items())},
        totals=totals_of(counts.totals),
        read_ms=counts.now_ms,
    )
    return HourReading(mark, rows_of(counts.minutes, shift_minutes))


def rows_of(minutes: Sequence[MinuteCounts], shift_minutes: int) -> Rows:
    """Every cut of some minutes."""
    return {cut: CutRows.of(_items(minutes, shift_minutes, *found)) for cut, found in _CUTS.items()}


def totals_of(totals: Mapping[Field, int]) -> Totals:
    """What has no minute."""
    return Totals(
        *(
            sum(number for field, number in totals.items() if field[0] == cut)
            for cut in (Cut.REJECTED, Cut.DUPLICATE, Cut.LOST)
        )
    )


def sketches_of(held: Mapping[tuple[str, ...], bytes]) -> Sketches:
    """The sketches of a day by scope."""
    by_scope: list[dict[Key, bytes]] = [
        {(scopes[kind], code): sketch for (kind, code), sketch in held.items() if kind in scopes}
        for scopes in (USER_SCOPES, SCHOOL_SCOPES)
    ]
    return Sketches(*by_scope)


def clock_minutes(hour: int, shift_minutes: int) -> tuple[int, int]:
    """First epoch minute of the clock of an hour of archive time, and the one after its last."""
    first = hour * MINUTES_AN_HOUR - shift_minutes
    return first, first + MINUTES_AN_HOUR


def _items(
    minutes: Sequence[MinuteCounts], shift: int, cuts: Sequence[Cut], order: Sequence[int]
) -> Iterator[tuple[Key, int, int, int, int]]:
    for minute in minutes:
        found: dict[Key, list[int]] = {}
        for field, number in minute.counts.items():
            if field[0] in cuts:
                key = tuple(field[1 + i] for i in order)
                found.setdefault(key, [0, 0, 0])[cuts.index(Cut(field[0]))] += number
        for key, (events, visits, late) in found.items():
            yield key, minute.minute + shift, events, visits, late
