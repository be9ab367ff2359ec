"""Where a visitor's pseudonym still is, and until when. Reads Kafka; what is known by design is said without a look. Changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from streams.audit.log import Unread, open_log
from streams.audit.rejects import Rejected, parse, project_of
from streams.broker import KafkaAddress
from streams.events import VisitEvent, decode
from streams.topics import admin_client, describe_topic


@dataclass(slots=True)
class Traces:
    """Records of one topic that hold a visitor: how many by project, and the append time of the last one (epoch ms).

    `gone_ms` is when Kafka has removed the last one at the latest, None: never. `unread` records nobody can read.
    """

    topic: str
    by_project: Counter[str] = field(default_factory=Counter)
    last_ms: int = 0
    gone_ms: int | None = None
    unread: int = 0

    def note(self, project: str, append_ms: int) -> None:
        """One more."""
        self.by_project[project] += 1
        self.last_ms = max(self.last_ms, append_ms)


def traces_of(
    visitor: str, address: KafkaAddress, topics: tuple[str, str], look: Callable[[int], None]
) -> tuple[Traces, Traces]:
    """What the topic of events and that of rejected ones hold of a visitor, as of now. `look` is told how many records were read.

    All partitions are read: a publisher whose partitioner is wrong sends a visitor anywhere.

    Raises:
        ServerError: Kafka does not answer, or has no such topic.
    """
    events, rejected = Traces(topics[0]), Traces(topics[1])
    sought = visitor.encode(errors="surrogatepass")
    for record in _records(events, address, look):
        found = decode(record.value) if may_hold(record.value, sought) else None
        if isinstance(found, VisitEvent) and found.visitor == visitor:
            events.note(found.project or "-", record.timestamp)
    for record in _records(rejected, address, look):
        letter = parse(0, record)
        if isinstance(letter, Rejected) and (may_hold(letter.value, sought) or sought == letter.record_key):
            rejected.note(project_of(letter.value), record.timestamp)
    for traces in (events, rejected):
        traces.gone_ms = _gone_ms(address, traces)
    return events, rejected


def may_hold(value: bytes | None, sought: bytes) -> bool:
    """Whether a value may hold this text: as it is, or with escapes that could stand for it."""
    return value is not None and (sought in value or b"\\" in value)


def _records(traces: Traces, address: KafkaAddress, look: Callable[[int], None]) -> Iterator[Any]:
    read = 0
    with open_log(address, traces.topic) as log:
        for _partition, records in log.read(log.ends):
            if isinstance(records, Unread):
                traces.unread += records.number
            else:
                yield from records
                read += len(records)
                look(read)


def _gone_ms(address: KafkaAddress, traces: Traces) -> int | None:
    with admin_client(address) as client:
        facts = describe_topic(client, traces.topic)
    if facts is None:
        return traces.last_ms
    kept_ms = int(facts.configs.get("retention.ms", "-1"))
    # Kafka removes whole segments: the last record of one stays until the segment was begun anew.
    return None if kept_ms < 0 else traces.last_ms + kept_ms + int(facts.configs.get("segment.ms", "0"))
