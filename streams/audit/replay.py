"""Rejected events sent again after a fix, each at most once for ever: longer than workers remember ids.

What was replayed is remembered in the dead-letter topic itself, as marks under the key of the dead letter. They live at least as long as
the letter, and need no other store. For each group of events:

1. an `intent` is written for each, acknowledged by Kafka;
2. the events are published, each with a header that names its dead letter, acknowledged;
3. a `done` is written for each.

Whatever dies in between, the only doubt is an intent without a done. The next replay then looks for the header in the events topic, from
the intent's time on. If it finds it, the event is done. If not, the event was never published, and is replayed.

A replayed event keeps its id. The rules may have changed meanwhile (settings, another version). A worker that starts then reads the last
minutes of the log again *under the new rules*. It takes the rejected record for one that was counted, and would drop the replay as a
repeat. So such an event is replayed only when workers have forgotten its id, 10 to 20 minutes after it came.
"""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from kafka.errors import KafkaError

from streams.audit.log import Unread, open_log
from streams.audit.plain import IDS_STRETCH_MS
from streams.audit.rejects import DONE, ID_HEADER, INTENT, REPLAY_HEADER, Rejected, ReplayMark, Wanted, read_rejects
from streams.broker import KafkaAddress
from streams.errors import ServerError, StateError
from streams.events import EventBounds, Reason, validate
from streams.publish.outbox import PublisherLimits
from streams.publish.producer import open_producer

#: Header of a replayed event: the key of its dead letter.
ORIGIN_HEADER = "replay-of"
#: Events between two rounds of acknowledgements.
GROUP_MAX = 500
ACKNOWLEDGED_SECONDS_MAX = 60.0
#: This machine's clock may differ from the broker's by so much.
CLOCKS_APART_MS = 10_000

Mend = Callable[[list[bytes]], list[bytes]]
Look = Callable[[str, int], None]


@dataclass(slots=True)
class ReplayedBefore:
    """What was replayed before: keys of dead letters, and ids of events (a publisher's retry is rejected twice under one id)."""

    done: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    #: key -> mark, of those that may or may not have been published.
    doubtful: dict[str, ReplayMark] = field(default_factory=dict)

    def add(self, mark: ReplayMark) -> None:
        """Take one mark; a key's marks come in the order of the log."""
        if mark.stage == DONE:
            self.doubtful.pop(mark.key, None)
            self.done.add(mark.key)
            self.ids.add(mark.event_id)
        elif mark.key not in self.done:
            self.doubtful.setdefault(mark.key, mark)


@dataclass(slots=True)
class ReplayOutcome:
    """What became of the rejects that were meant: their number is the sum of all but `healed`, which earlier replays had left in doubt."""

    replayed: int = 0
    before: int = 0
    same_id: int = 0
    young: int = 0
    cut: int = 0
    still: Counter[str] = field(default_factory=Counter)
    healed: int = 0


@dataclass(frozen=True, slots=True)
class Replayer:
    """Replays rejects of `rejected_topic` into `topic`. `mend` makes of values what they should have been; None leaves them as they are."""

    address: KafkaAddress
    topic: str
    rejected_topic: str
    bounds: EventBounds
    mend: Mend | None = None
    dry_run: bool = False

    def run(self, wanted: Wanted, limit: int, look: Look) -> ReplayOutcome:
        """Replay at most `limit` of the rejects that are meant and would count now.

        `look` is told what is under way and how far it is.

        Raises:
            ServerError: Kafka does not answer or does not take events; running it again goes on, and counts nothing twice.
        """
        outcome = ReplayOutcome()
        memory = self._remember(look)
        with open_log(self.address, self.rejected_topic) as log:
            sender = None if self.dry_run else _Sender(self.address, self.topic, self.rejected_topic)
            with closing(sender) if sender else nullcontext():
                if memory.doubtful:
                    outcome.healed = self._resolve(memory, sender, look)
                found = read_rejects(log, wanted, lambda read: look("read", read))
                rejects = (each for each in found if isinstance(each, Rejected))
                while outcome.replayed < limit and (group := list(itertools.islice(rejects, GROUP_MAX))):
                    chosen = self._choose(group, memory, limit - outcome.replayed, outcome)
                    if chosen and sender is not None:
                        sender.replay(chosen)
                    outcome.replayed += len(chosen)
                    look("replayed", outcome.replayed)
        return outcome

    def _remember(self, look: Look) -> ReplayedBefore:
        """Read all marks: an event may have been replayed under another dead letter, long ago."""
        memory = ReplayedBefore()
        with open_log(self.address, self.rejected_topic) as log:
            for found in read_rejects(
                log, Wanted(until_ms=0), lambda read: look("looking for what was replayed before: read", read)
            ):
                if isinstance(found, ReplayMark):
                    memory.add(found)
                elif isinstance(found, Unread) and found.reason is Reason.CORRUPT:
                    raise StateError(
                        f"{self.rejected_topic} is damaged before offset {found.end}: what was replayed already may be noted there, and "
                        "would be replayed again. Restore the topic, or replay nothing"
                    )
        return memory

    def _resolve(self, memory: ReplayedBefore, sender: "_Sender | None", look: Look) -> int:
        """Find out which of the doubtful were published."""
        since_ms = min(mark.at_ms for mark in memory.doubtful.values())
        published: list[ReplayMark] = []
        read = 0
        with open_log(self.address, self.topic) as log:
            for _partition, records in log.read(log.ends, log.offsets_since(since_ms)):
                for record in () if isinstance(records, Unread) else records:  # what nobody can read was not counted
                    for name, value in record.headers or ():
                        if name == ORIGIN_HEADER and (mark := memory.doubtful.pop(value.decode(), None)):
                            published.append(mark)
                read += records.number if isinstance(records, Unread) else len(records)
                look("an earlier replay ended in its middle: looking for its events: read", read)
        memory.done.update(mark.key for mark in published)
        memory.ids.update(mark.event_id for mark in published)
        if sender is not None:
            sender.mark(DONE, published)
        return len(published)

    def _choose(
        self, group: list[Rejected], memory: ReplayedBefore, most: int, outcome: ReplayOutcome
    ) -> "list[_Chosen]":
        fresh = []
        for rejected in group:
            if rejected.key in memory.done:
                outcome.before += 1
            elif rejected.cut is not None:
                outcome.cut += 1  # only its head is kept, of which nobody can make what it was
            else:
                fresh.append(rejected)
        values = [rejected.value or b"" for rejected in fresh]
        chosen: list[_Chosen] = []
        for rejected, value in zip(fresh, self.mend(values) if self.mend and values else values, strict=True):
            now_ms = time.time_ns() // 1_000_000
            event = validate(value, now_ms, self.bounds)
            if isinstance(event, Reason):
                outcome.still[event.value] += 1
            elif self._may_be_remembered(rejected, now_ms):
                outcome.young += 1
            elif event.id in memory.ids:
                outcome.same_id += 1
            elif len(chosen) < most:
                memory.ids.add(event.id)
                chosen.append(_Chosen(rejected.key, rejected.partition, event.id, event.visitor.encode(), value))
        return chosen

    def _may_be_remembered(self, rejected: Rejected, now_ms: int) -> bool:
        """Whether a worker that started since could take the rejected record for a counted one."""
        forgotten = (now_ms - CLOCKS_APART_MS) // IDS_STRETCH_MS >= rejected.append_ms // IDS_STRETCH_MS + 2
        return not forgotten and not isinstance(validate(rejected.value, rejected.append_ms, self.bounds), Reason)


@dataclass(frozen=True, slots=True)
class _Chosen:
    key: str
    partition: int
    event_id: str
    visitor: bytes
    value: bytes


class _Sender:
    """Writes marks and events, and waits for Kafka's word on each."""

    def __init__(self, address: KafkaAddress, topic: str, rejected_topic: str) -> None:
        self._address, self._topic, self._rejected_topic = address, topic, rejected_topic
        self._producer = open_producer(address, topic, PublisherLimits(delivery_seconds_max=ACKNOWLEDGED_SECONDS_MAX))

    def replay(self, chosen: list[_Chosen]) -> None:
        """Steps 1 to 3."""
        self.mark(INTENT, chosen)
        # Under the visitor's key, whatever the key was: that is where its other events are.
        self._write((self._topic, each.value, each.visitor, [(ORIGIN_HEADER, each.key.encode())]) for each in chosen)
        self.mark(DONE, chosen)

    def mark(self, stage: str, events: Sequence[_Chosen | ReplayMark]) -> None:
        """Write a mark for each event: behind its letter, so that it lives at least as long."""
        topic, said = self._rejected_topic, (REPLAY_HEADER, stage.encode())
        self._write(
            (topic, None, each.key.encode(), [said, (ID_HEADER, each.event_id.encode())], each.partition)
            for each in events
        )

    def _write(self, records: Iterable[tuple[Any, ...]]) -> None:
        """Hand over records (topic, value, key, headers, partition), all of them before the first is waited for."""
        with self._explained():
            for future in [self._producer.send(*record) for record in records]:
                future.get(timeout=ACKNOWLEDGED_SECONDS_MAX + 10)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except KafkaError as error:
            raise ServerError(
                f"{self._address.explain(error)}. Run the same replay again: what went through is not sent twice"
            ) from error

    def close(self) -> None:
        """End the producer; everything is acknowledged or failed by now."""
        with self._explained():
            self._producer.close(timeout=10)
