"""Is every figure right? Redis against a recount of the log in plain code, and against what the sender knows it sent."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from streams import edges
from streams.audit.log import LogReader, Unread, open_log
from streams.audit.recount import RecountRules, recount
from streams.catalog import Catalog
from streams.count import Cut
from streams.live import Snapshot
from streams.settings import Settings
from tests.servers.traffic import Sent
from tests.servers.workers import reader_of
from tests.waiting import wait_for

#: Rows of a difference that are told.
ROWS_MAX = 60


def log_ends(settings: Settings) -> dict[int, int]:
    """Where the log of each partition ends."""
    with open_log(edges.kafka_address(settings), settings.topic) as log:
        return dict(log.ends)


def all_records(log: LogReader) -> Iterator[tuple[int, Sequence[Any]]]:
    """(partition, records) of a log up to its end; every batch of it can be read."""
    for partition, records in log.read(log.ends):
        assert not isinstance(records, Unread)
        yield partition, records


def snapshot_of(settings: Settings) -> Snapshot:
    """What Redis holds but the minutes."""
    reader = reader_of(settings)
    try:
        return reader.snapshot()
    finally:
        reader.close()


def is_drained(settings: Settings) -> bool:
    """Whether Redis stands at the end of every partition."""
    offsets = snapshot_of(settings).offsets
    ends = log_ends(settings)
    return all(end == 0 or (number in offsets and offsets[number].next_offset == end) for number, end in ends.items())


def wait_drained(settings: Settings, seconds: float = 60.0) -> None:
    """Wait until everything in the log is counted."""
    wait_for("all counted", lambda: is_drained(settings), seconds)


def total(snapshot: Snapshot, cut: Cut) -> int:
    """The sum of a cut's totals."""
    return sum(number for key, number in snapshot.totals.items() if key[0] == cut)


def differences(settings: Settings, catalog: Catalog, sent: Sent | None = None) -> list[str]:
    """Return every row in which Redis differs from the recount (with visits), or from what was sent; empty where all is right."""
    bounds = edges.event_bounds(settings)
    rules = RecountRules(catalog, bounds, settings.lateness_seconds * 1000, settings.minutes_kept_hours, visits=True)
    reader = reader_of(settings)
    try:
        found = recount(edges.kafka_address(settings), settings.topic, reader, rules, lambda _read, _to_read: None)
        snapshot, minutes = reader.everything()
    finally:
        reader.close()
    differing = sorted(found.compared.differences, key=lambda each: (each.minute is not None, each.minute, each.row))
    rows = [f"recount: {each}" for each in differing]
    if not found.compared.minutes or not found.totals_compared:
        rows.append(f"recount compared {found.compared.minutes} minutes, totals {found.totals_compared}: {found.notes}")
    if sent is None:
        return rows[:ROWS_MAX]
    counted = Counter(
        {(m.minute, key[1], key[2]): n for m in minutes for key, n in m.counts.items() if key[0] == Cut.EVENTS}
    )
    rows += [
        f"sent: {key} Redis {counted[key]}, sent {sent.events[key]}"
        for key in sorted(counted | sent.events)
        if counted[key] != sent.events[key]
    ]
    rejected = {key[1]: number for key, number in snapshot.totals.items() if key[0] == Cut.REJECTED}
    if rejected != dict(sent.rejected):
        rows.append(f"sent: rejects {dict(sent.rejected)}, Redis {rejected}")
    if total(snapshot, Cut.DUPLICATE) != sent.duplicates:
        rows.append(f"sent: {sent.duplicates} repeats, Redis {total(snapshot, Cut.DUPLICATE)}")
    return rows[:ROWS_MAX]
