"""Counts the topic again, up to where Redis stands, and compares. Workers may go on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from streams.audit.compare import Compared, LogPart, compare, scope
from streams.audit.fetched import Unread
from streams.audit.log import LogReader, open_log
from streams.audit.plain import STRETCHES, PlainCount, stretch_ms
from streams.broker import KafkaAddress
from streams.catalog import Catalog
from streams.events import EventBounds
from streams.live import LiveReader, Snapshot


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
    notes = (*where.notes, *_oddities(snapshot, parts, rules))
    return Recount(plain.records, seconds, compared, where.totals, notes, service_visits)


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
        return
    add = plain.add
    for record in records:
        add(partition, record.timestamp, record.value)


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
    for number, first in sorted(snapshot.first_offsets.items()):
        if number in parts and first > parts[number].start:
            notes.append(
                f"Redis began counting partition {number} at offset {first}, the log begins at {parts[number].start}"
            )
    return notes
