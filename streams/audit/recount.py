"""Counts the topic again, up to where Redis stands, and compares. Workers may go on meanwhile."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.audit.log import LogReader, Unread, open_log
from streams.audit.plain import STRETCHES, PlainCount, Row, stretch_ms
from streams.broker import KafkaAddress
from streams.catalog import Catalog
from streams.clock import MINUTE_MS
from streams.events import EventBounds
from streams.live import LiveReader, MinuteCounts, Snapshot

#: Redis's short names of the aspects (docs/architecture.md, keys) -> those of `streams.audit.plain`. What is not here is not compared.
ASPECTS = {
    "e": "region,service",
    "p": "project",
    "f": "profile,region",
    "a": "academy",
    "l": "late",
    "r": "rejected",
    "d": "duplicate",
}
#: Compared only where visits were counted.
VISIT_ASPECTS = {
    "v": "visits",
    "vp": "visits by project",
    "vf": "visits by profile,region",
    "va": "visits by academy",
    "vs": "service visits",
}
#: Aspect -> what the codes of its rows are.
CODES: Mapping[str, tuple[str, ...]] = {
    "region,service": ("region", "service"),
    "project": ("project",),
    "profile,region": ("profile", "region"),
    "academy": ("academy",),
    "late": ("region",),
    "rejected": ("reason",),
    "duplicate": (),
    "visits": ("region",),
    "visits by project": ("project",),
    "visits by profile,region": ("profile", "region"),
    "visits by academy": ("academy",),
    "service visits": ("region", "service"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A row on which the two disagree; `minute` is the epoch minute, None for a total."""

    minute: int | None
    row: Row
    redis: int
    recount: int


@dataclass(frozen=True, slots=True)
class Comparable:
    """What may be compared: minutes from `first_minute` on (None: all), totals or not; and why less than everything."""

    first_minute: int | None
    totals: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogPart:
    """What was read of one partition: the log's first offset, and the append time of its first record (None: it is empty)."""

    start: int
    first_append_ms: int | None


def scope(
    parts: Mapping[int, LogPart], snapshot: Snapshot, max_ahead_ms: int, minutes_kept_hours: int, memory_ms: int = 0
) -> Comparable:
    """Return what is complete on both sides.

    Where retention removed the beginning of a partition, its removed records were appended at `first_append_ms` at the latest, so their
    events lie before `first_append_ms + max_ahead`: minutes that start there or later are whole. Their late events are, too: no removed
    event moved the watermark beyond its own append time. Visits depend on what was remembered: `memory_ms` more are left out for them.
    """
    bounds_ms = []
    for number, part in sorted(parts.items()):
        if part.start > 0:
            state = snapshot.offsets.get(number)
            append_ms = part.first_append_ms if part.first_append_ms is not None else (state.append_ms if state else 0)
            bounds_ms.append(append_ms + max_ahead_ms + memory_ms)
    note = (
        f"the log no longer begins at offset 0 in {len(bounds_ms)} of {len(parts)} partitions: totals and minutes that are not whole "
        "in it are not compared"
    )
    first_minutes = [-(-bound_ms // MINUTE_MS) for bound_ms in bounds_ms]
    if snapshot.settled_ms is not None:
        first_minutes.append((snapshot.settled_ms - minutes_kept_hours * 3_600_000) // MINUTE_MS)
    return Comparable(max(first_minutes, default=None), not bounds_ms, (note,) if bounds_ms else ())


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison went through and found."""

    minutes: int
    rows: int
    differences: tuple[Difference, ...]


def compare(
    plain: PlainCount, snapshot: Snapshot, held: list[MinuteCounts], where: Comparable, visits: bool = False
) -> Compared:
    """Compare every row of every minute in scope that either side knows, and the totals where they are in scope."""
    aspects = ASPECTS | VISIT_ASPECTS if visits else ASPECTS
    first = where.first_minute or 0
    ours = {minute: rows for minute, rows in plain.minutes.items() if minute >= first}
    theirs = {found.minute: _rows(found.counts, aspects) for found in held if found.minute >= first}
    minutes = sorted(ours.keys() | theirs.keys())
    pairs: list[tuple[int | None, Mapping[Row, int], Mapping[Row, int]]] = [
        (minute, theirs.get(minute, {}), ours.get(minute, {})) for minute in minutes
    ]
    if where.totals:
        pairs.append((None, _rows(snapshot.totals, aspects), plain.totals()))
    differences = [Difference(minute, *each) for minute, one, other in pairs for each in differing(one, other)]
    rows = sum(len({*one, *other}) for _minute, one, other in pairs)
    return Compared(len(minutes), rows, tuple(differences))


def _rows(counts: Mapping[tuple[str, ...], int], aspects: Mapping[str, str]) -> dict[Row, int]:
    return {(aspects[field[0]], *field[1:]): number for field, number in counts.items() if field[0] in aspects}


def differing(one: Mapping[Any, int], other: Mapping[Any, int]) -> list[tuple[Any, int, int]]:
    """The keys, sorted, whose counts differ, with both counts; what is absent is 0."""
    pairs = ((key, one.get(key, 0), other.get(key, 0)) for key in sorted({*one, *other}))
    return [pair for pair in pairs if pair[1] != pair[2]]


@dataclass(frozen=True, slots=True)
class RecountRules:
    """What the counts depend on beside the log."""

    catalog: Catalog
    bounds: EventBounds
    lateness_ms: int
    minutes_kept_hours: int
    visits: bool = False

    @property
    def memory_ms(self) -> int:
        """How long before an event its repeats and visits reach back, by append time."""
        return STRETCHES * stretch_ms(self.bounds.ahead_ms_max, self.lateness_ms)


@dataclass(frozen=True, slots=True)
class Recount:
    """The outcome. `records` were read in `seconds`; `notes` say what could not be compared or looks odd."""

    records: int
    seconds: float
    compared: Compared
    totals_compared: bool
    notes: tuple[str, ...]
    #: Visits of services: (ours, by the ministry's rule: each service once a visit); None where visits were not counted.
    service_visits: tuple[int, int] | None = None

    @property
    def agrees(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return self.compared.minutes > 0 and not self.compared.differences


def recount(
    address: KafkaAddress, topic: str, reader: LiveReader, rules: RecountRules, show: Callable[[int, int], None]
) -> Recount:
    """Recount a topic. `show(records read, records to read)` is called now and then.

    Raises:
        ServerError: Kafka or Redis does not answer.
        StateError: Redis stands where the log does not reach, or the topic cannot be counted by append time.
    """
    began = time.monotonic()
    snapshot, held = reader.everything()
    plain = PlainCount(rules.catalog, rules.bounds, rules.lateness_ms, rules.visits)
    with open_log(address, topic) as log:
        parts = _count(log, snapshot, plain, show)
    seconds = time.monotonic() - began
    memory_ms = rules.memory_ms if rules.visits else 0
    where = scope(parts, snapshot, rules.bounds.ahead_ms_max, rules.minutes_kept_hours, memory_ms)
    compared = compare(plain, snapshot, held, where, rules.visits)
    ours = sum(number for row, number in plain.totals().items() if row[0] == "service visits")
    service_visits = (ours, plain.ministry_service_visits()) if rules.visits else None
    return Recount(
        plain.records,
        seconds,
        compared,
        totals_compared=where.totals,
        notes=(*where.notes, *_oddities(snapshot, parts, rules)),
        service_visits=service_visits,
    )


def _count(
    log: LogReader, snapshot: Snapshot, plain: PlainCount, show: Callable[[int, int], None]
) -> dict[int, LogPart]:
    until = {number: state.next_offset for number, state in snapshot.offsets.items()}
    first_append_ms: dict[int, int] = {}
    to_read = sum(max(0, end - log.starts.get(number, 0)) for number, end in until.items())
    for partition, records in log.read(until):
        if isinstance(records, Unread):
            first_append_ms.setdefault(partition, records.append_ms)
        elif records:
            first_append_ms.setdefault(partition, records[0].timestamp)
        feed(plain, partition, records)
        show(plain.records, to_read)
    return {number: LogPart(log.starts[number], first_append_ms.get(number)) for number in until}


def feed(plain: PlainCount, partition: int, records: Unread | Sequence[Any]) -> None:
    """Count a piece of a partition, as `LogReader.read` gives it."""
    if isinstance(records, Unread):
        plain.add_unread(partition, records.append_ms, records.reason, records.number)
    else:
        for record in records:
            plain.add(partition, record.timestamp, record.value)


def _oddities(snapshot: Snapshot, parts: dict[int, LogPart], rules: RecountRules) -> list[str]:
    notes = []
    if snapshot.catalog is not None and snapshot.catalog != rules.catalog.digest:
        notes.append(
            f"the counts in Redis were begun under other lists (catalog {snapshot.catalog}, here {rules.catalog.digest}): rows of codes "
            "that were added or removed may differ"
        )
    if snapshot.mark is not None:
        notes.append(f"Redis holds a chunk that was written only in part ({snapshot.mark}); workers refuse to go on")
    if snapshot.base:
        events = sum(number for key, number in snapshot.base.items() if key[0] == "e")
        notes.append(
            f"{events:,} events were carried over from {snapshot.continues}, whose log is gone: totals are compared without them"
        )
    begun = sorted(snapshot.first_offsets.items())
    return notes + [
        f"Redis began counting partition {number} at offset {first}, the log begins at {parts[number].start}"
        for number, first in begun
        if number in parts and first > parts[number].start
    ]
