"""From what Redis holds to readings of hours and sketches of days. Plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from streams.count import Cut, Field, Sketch
from streams.history.compose import HourReading
from streams.history.day_columns import CutName, CutRows, Key, Rows, Sketches
from streams.history.marks import MINUTES_AN_HOUR, HourMark, HourSource, Totals, ranges_of
from streams.live import HourCounts, MinuteCounts

#: Redis's cuts of events, visits and late events for each cut of the archive, and which of their codes the archive has, in its order.
_CUTS: Mapping[CutName, tuple[tuple[Cut, ...], tuple[int, ...]]] = {
    CutName.REGION: ((Cut.EVENTS, Cut.VISITS, Cut.LATE), (0,)),
    CutName.REGION_SERVICE: ((Cut.EVENTS, Cut.SERVICE_VISITS), (0, 1)),
    CutName.PROJECT: ((Cut.PROJECT, Cut.VISIT_PROJECT), (0,)),
    CutName.PROFILE_REGION: ((Cut.PROFILE, Cut.VISIT_PROFILE), (1, 0)),
    CutName.ACADEMY: ((Cut.ACADEMY, Cut.VISIT_ACADEMY), (0,)),
}
#: Scopes of the archive by kind of sketch, of users and of establishments.
USER_SCOPES = {Sketch.LOCAL_DAY: "region", Sketch.PARIS_DAY: "paris"}
SCHOOL_SCOPES = {Sketch.REGION_SCHOOLS: "region", Sketch.PROJECT_SCHOOLS: "project"}


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
    return {cut: CutRows.of(_items(minutes, shift_minutes, *found)) for cut, found in _CUTS.items()}


def totals_of(totals: Mapping[Field, int]) -> Totals:
    """What has no minute."""

    def of(cut: Cut) -> int:
        return sum(number for field, number in totals.items() if field[0] == cut)

    return Totals(of(Cut.REJECTED), of(Cut.DUPLICATE), of(Cut.LOST))


def sketches_of(held: Mapping[tuple[str, ...], bytes]) -> Sketches:
    """The sketches of a day by scope."""
    users: dict[Key, bytes] = {}
    establishments: dict[Key, bytes] = {}
    for (kind, code), sketch in held.items():
        if kind in USER_SCOPES:
            users[USER_SCOPES[Sketch(kind)], code] = sketch
        elif kind in SCHOOL_SCOPES:
            establishments[SCHOOL_SCOPES[Sketch(kind)], code] = sketch
    return Sketches(users, establishments)


def clock_minutes(hour: int, shift_minutes: int) -> tuple[int, int]:
    """First epoch minute of the clock of an hour of archive time, and the one after its last."""
    first = hour * MINUTES_AN_HOUR - shift_minutes
    return first, first + MINUTES_AN_HOUR


def _items(
    minutes: Sequence[MinuteCounts], shift: int, cuts: Sequence[Cut], order: Sequence[int]
) -> Iterator[tuple[Key, int, int, int, int]]:
    places = {cut: place for place, cut in enumerate(cuts)}
    for minute in minutes:
        found: dict[Key, list[int]] = {}
        for field, number in minute.counts.items():
            if field[0] in places:
                key = tuple(field[1 + i] for i in order)
                found.setdefault(key, [0, 0, 0])[places[Cut(field[0])]] += number
        for key, (events, visits, late) in found.items():
            yield key, minute.minute + shift, events, visits, late
