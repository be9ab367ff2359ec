"""From what Redis holds to readings of hours and sketches of days. Plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streams.count import Cut, Field, Sketch
from streams.history.compose import HourReading
from streams.history.day_columns import CutName, CutRows, Key, Rows, Sketches
from streams.history.marks import MINUTES_AN_HOUR, HourMark, HourSource, Totals, ranges_of
from streams.live import HourCounts, MinuteCounts

#: Redis's cuts of events and of visits for each cut of the archive, and the order in which the archive has the codes.
_CUTS: Mapping[CutName, tuple[Cut, Cut, tuple[int, ...]]] = {
    CutName.REGION_SERVICE: (Cut.EVENTS, Cut.SERVICE_VISITS, (0, 1)),
    CutName.PROJECT: (Cut.PROJECT, Cut.VISIT_PROJECT, (0,)),
    CutName.PROFILE_REGION: (Cut.PROFILE, Cut.VISIT_PROFILE, (1, 0)),
    CutName.ACADEMY: (Cut.ACADEMY, Cut.VISIT_ACADEMY, (0,)),
}


def hour_reading(hour: int, counts: HourCounts, shift_minutes: int) -> HourReading:
    """An hour (of archive time) from its minutes (of the clock): archive time = clock + `shift_minutes`."""
    mark = HourMark(
        hour=hour,
        source=HourSource.LIVE,
        measured=ranges_of(minute + shift_minutes for minute in counts.settled),
        topic_id=counts.topic_id,
        offsets={str(partition): bounds for partition, bounds in sorted(counts.offsets.items())},
        totals=totals_of(counts.totals),
        read_ms=counts.now_ms,
    )
    return HourReading(mark, rows_of(counts.minutes, shift_minutes))


def rows_of(minutes: Sequence[MinuteCounts], shift_minutes: int) -> Rows:
    """Every cut of some minutes."""
    rows = {
        cut: CutRows.of(_items(minutes, shift_minutes, events, visits, order))
        for cut, (events, visits, order) in _CUTS.items()
    }
    return {CutName.REGION: CutRows.of(_region_items(minutes, shift_minutes)), **rows}


def totals_of(totals: Mapping[Field, int]) -> Totals:
    """What has no minute."""

    def of(cut: Cut) -> int:
        return sum(number for field, number in totals.items() if field[0] == cut)

    return Totals(of(Cut.REJECTED), of(Cut.DUPLICATE), of(Cut.LOST))


def sketches_of(held: Mapping[tuple[str, ...], bytes]) -> Sketches:
    """The sketches of a day by scope."""
    scopes = {Sketch.LOCAL_DAY: "region", Sketch.PARIS_DAY: "paris"}
    schools = {Sketch.REGION_SCHOOLS: "region", Sketch.PROJECT_SCHOOLS: "project"}
    users: dict[Key, bytes] = {}
    establishments: dict[Key, bytes] = {}
    for (kind, code), sketch in held.items():
        if kind in scopes:
            users[scopes[Sketch(kind)], code] = sketch
        elif kind in schools:
            establishments[schools[Sketch(kind)], code] = sketch
    return Sketches(users, establishments)


def clock_minutes(hour: int, shift_minutes: int) -> tuple[int, int]:
    """First epoch minute of the clock of an hour of archive time, and the one after its last."""
    first = hour * MINUTES_AN_HOUR - shift_minutes
    return first, first + MINUTES_AN_HOUR


def _items(
    minutes: Sequence[MinuteCounts], shift: int, events: Cut, visits: Cut, order: tuple[int, ...]
) -> Iterator[tuple[Key, int, int, int, int]]:
    for minute in minutes:
        found: dict[Key, list[int]] = {}
        for field, number in minute.counts.items():
            if field[0] == events:
                found.setdefault(tuple(field[1 + i] for i in order), [0, 0])[0] += number
            elif field[0] == visits:
                found.setdefault(tuple(field[1 + i] for i in order), [0, 0])[1] += number
        for key, (event_number, visit_number) in found.items():
            yield key, minute.minute + shift, event_number, visit_number, 0


def _region_items(minutes: Sequence[MinuteCounts], shift: int) -> Iterator[tuple[Key, int, int, int, int]]:
    places = {Cut.EVENTS: 0, Cut.VISITS: 1, Cut.LATE: 2}
    for minute in minutes:
        found: dict[str, list[int]] = {}
        for field, number in minute.counts.items():
            if field[0] in places:
                found.setdefault(field[1], [0, 0, 0])[places[Cut(field[0])]] += number
        for region, (events, visits, late) in found.items():
            yield (region,), minute.minute + shift, events, visits, late
