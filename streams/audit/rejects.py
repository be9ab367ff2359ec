"""The dead-letter topic read back: rejected events, each once, which of them were replayed, and how many there are of a kind.

A dead letter is written at least once; its key (`topic-partition-offset` of the rejected record) tells repeats. Beside them the topic holds
replay marks (see `streams.audit.replay`), under the same keys.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from streams.audit.log import LogReader, Unread
from streams.clock import scenario_time
from streams.decoded_types import known
from streams.errors import InputError
from streams.events import VisitEvent

#: Header of a replay mark; its value is one of the stages below.
REPLAY_HEADER = "replay"
INTENT, DONE = "intent", "done"
ID_HEADER = "id"
#: Headers of a letter of which only a head is kept.
BYTES_HEADER, DIGEST_HEADER = "value-bytes", "value-sha256"
#: What stands for a project that cannot be read from the event.
NO_PROJECT = "-"


@dataclass(frozen=True, slots=True)
class Rejected:
    """One rejected record. `key` names it; `project` is what its value says, as far as it can be read.

    `partition` is that of its dead letter. Where `cut` is given, `value` is only the head.
    """

    key: str
    reason: str
    append_ms: int
    record_key: bytes | None
    value: bytes | None
    project: str
    partition: int
    cut: "Whole | None" = None


@dataclass(frozen=True, slots=True)
class Whole:
    """What a value was of which only the head is kept."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ReplayMark:
    """That the rejected record `key` is about to be replayed (`intent`) or was (`done`), as the event `event_id`."""

    key: str
    partition: int
    stage: str
    event_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rejects are meant; None: all. Times are the broker's append times, `until_ms` not included."""

    reasons: tuple[str, ...] = ()
    project: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def fits(self, rejected: Rejected) -> bool:
        """Whether this one is meant."""
        return (
            (not self.reasons or rejected.reason in self.reasons)
            and (self.project is None or rejected.project == self.project)
            and (self.since_ms is None or rejected.append_ms >= self.since_ms)
            and (self.until_ms is None or rejected.append_ms < self.until_ms)
        )


def read_rejects(
    log: LogReader, wanted: Wanted, look: Callable[[int], None] = lambda _read: None
) -> Iterator[Rejected | ReplayMark | Unread]:
    """Yield the rejects that are meant, each once, and every replay mark read on the way. `look` is told how many records were read.

    What nobody can read is yielded too: it may be either.

    Order is that of the log within a partition. Memory grows by some 100 bytes a reject.

    Raises:
        ServerError: Kafka fell silent.
    """
    # A dead letter is never written before the record it keeps.
    starts = None if wanted.since_ms is None else log.offsets_since(wanted.since_ms)
    seen: set[str] = set()
    read = 0
    for partition, records in log.read(log.ends, starts):
        if isinstance(records, Unread):
            yield records
            continue
        for record in records:
            found = parse(partition, record)
            if isinstance(found, ReplayMark):
                yield found
            elif found is not None and found.key not in seen:
                seen.add(found.key)
                if wanted.fits(found):
                    yield found
        read += len(records)
        look(read)


def parse(partition: int, record: Any) -> Rejected | ReplayMark | None:
    """Return what one record of the dead-letter topic is; None for one that Vigie did not write."""
    headers = dict(record.headers or ())
    key = (record.key or b"").decode(errors="replace")
    if stage := headers.get(REPLAY_HEADER):
        return ReplayMark(key, partition, stage.decode(), headers.get(ID_HEADER, b"").decode(), record.timestamp)
    try:
        reason, append_ms = headers["reason"].decode(), int(headers["append_ms"])
        cut = Whole(int(headers[BYTES_HEADER]), headers[DIGEST_HEADER].decode()) if BYTES_HEADER in headers else None
    except (KeyError, ValueError, AttributeError):
        return None
    return Rejected(key, reason, append_ms, headers.get("key"), record.value, project_of(record.value), partition, cut)


def project_of(value: bytes | None) -> str:
    """Return the project that a value names, `NO_PROJECT` where it does not."""
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return NO_PROJECT
    project = document.get("project") if isinstance(document, dict) else None
    return project if isinstance(project, str) and project else NO_PROJECT


def explain(value: bytes | None) -> str | None:
    """Return what the decoder says is wrong with a value, None where its structure is right."""
    try:
        msgspec.json.decode(value or b"", type=known(VisitEvent))
    except (ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None


def printable(value: bytes | None, characters_max: int | None = None) -> str:
    """Return a value as one line of text: what is not printable is escaped."""
    if value is None:
        return "(no value)"
    text = value.decode(errors="backslashreplace")
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: characters_max or None]
    )
    return shown + "…" if characters_max is not None and len(text) > characters_max else shown


GROUPINGS = ("reason", "project", "hour")
#: Rows of a table; the projects of broken events may be anything.
ROWS_MAX = 1000
OTHERS = "(others)"


@dataclass(slots=True)
class RejectsRow:
    """`kept` dead letters, of which `replayed` were sent again."""

    kept: int = 0
    replayed: int = 0


@dataclass(slots=True)
class Table:
    """Rows by (group, reason)."""

    by: str
    rows: dict[tuple[str, str], RejectsRow] = field(default_factory=dict)

    def totals(self) -> RejectsRow:
        """All rows together."""
        return RejectsRow(sum(row.kept for row in self.rows.values()), sum(row.replayed for row in self.rows.values()))


def tally(found: Iterable[Rejected | ReplayMark], by: str, shift_seconds: int = 0) -> Table:
    """Count rejects by `by` and reason; hours are those of Paris, `shift_seconds` after the clock (a scenario's).

    Raises:
        InputError: there is no such grouping.
    """
    if by not in GROUPINGS:
        raise InputError(f"--by {by!r}: rejects are counted by {', '.join(GROUPINGS)}")
    table = Table(by)
    where: dict[str, tuple[str, str]] = {}
    replayed: set[str] = set()
    for each in found:
        if isinstance(each, Rejected):
            cell = (_group(each, by, shift_seconds), each.reason)
            if cell not in table.rows and len(table.rows) >= ROWS_MAX:
                cell = (OTHERS, each.reason)
            table.rows.setdefault(cell, RejectsRow()).kept += 1
            where[each.key] = cell
        elif each.stage == DONE:  # perhaps read before its dead letter: they may lie in different partitions
            replayed.add(each.key)
    for key in replayed & where.keys():
        table.rows[where[key]].replayed += 1
    return table


def _group(rejected: Rejected, by: str, shift_seconds: int) -> str:
    if by == "project":
        return rejected.project[:64]
    if by == "hour":
        taken = scenario_time(rejected.append_ms, shift_seconds)
        return taken.replace(minute=0, second=0, microsecond=0).isoformat(sep=" ", timespec="minutes")
    return rejected.reason
