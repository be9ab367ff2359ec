"""Where does the log end, and is the topic still the one that is counted? Asked from Kafka by a client and a thread of their own.

Of their own, because Faust's client serves one call after the other: a question waits for fetches that wait for events, and after an
outage of Kafka its answers were seen to stay away while its fetches went on.

Kafka's client does not tell of a topic that was deleted and created anew: it goes on with the offsets of the old one, or begins again at
the start of the new one, without a word. Offsets of another log mean other events, so counting has to stop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.broker import KafkaAddress
from streams.errors import ServerError, StateError
from streams.topics import TopicFacts, admin_client, identify_topic, log_ends

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

log = logging.getLogger(__name__)

#: For at most this long events of another topic could be counted as if they were of this one, where its offsets happen to fit.
IDENTITY_SECONDS = 5.0
PERIOD_SECONDS = 1.0
#: A broker that has just started may not know its topics yet: absence is believed when it was seen this often in a row.
ABSENT_TIMES = 3


@dataclass(frozen=True, slots=True)
class LogEnds:
    """By partition the offset after the last one, asked at `asked_at` (monotonic seconds)."""

    asked_at: float
    by_partition: dict[int, int]


class TopicWatch:
    """Watches one topic. `partitions` is how many it has: they may grow. `wanted` are those whose ends are asked for, `ends` the answer."""

    def __init__(self, address: KafkaAddress, facts: TopicFacts, on_problem: Callable[[StateError], None]) -> None:
        self._address = address
        self._facts = facts
        self._on_problem = on_problem
        self._absent = 0
        self._ended = threading.Event()
        self._next_identity = 0.0
        self.partitions = facts.partitions
        self.wanted: tuple[int, ...] = ()
        self.ends = LogEnds(0.0, {})

    def start(self) -> None:
        """Begin to watch; `on_problem` is called once, from the watching thread, with the reason why counting must stop."""
        threading.Thread(target=self._run, name="topic-watch", daemon=True).start()

    def stop(self) -> None:
        """Stop watching; a look that is under way ends by itself."""
        self._ended.set()

    def look(self) -> None:
        """Ask Kafka now; where it does not answer, the next look will tell.

        Raises:
            StateError: the topic is another one of the same name.
        """
        try:
            with admin_client(self._address) as client:
                problem = self._judge(client)
        except ServerError as error:
            log.warning("Kafka does not say whether the topic is the same: %s", error)
            return
        if problem is not None:
            raise problem

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with admin_client(self._address) as client:
                    self._watch(client)
            except ServerError as error:
                # A topic that is gone has no ends to tell: the identity is asked first next time.
                self._next_identity = 0.0
                log.debug("Kafka does not say where the log ends: %s", error)
                self._ended.wait(PERIOD_SECONDS)

    def _watch(self, client: KafkaAdminClient) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            if began >= self._next_identity:
                self._next_identity = began + IDENTITY_SECONDS
                problem = self._judge(client)
                if problem is not None:
                    self._ended.set()
                    self._on_problem(problem)
            asked_at = time.monotonic()
            self.ends = LogEnds(asked_at, log_ends(client, self._facts.name, self.wanted))
            self._ended.wait(max(0.0, began + PERIOD_SECONDS - time.monotonic()))

    def _judge(self, client: KafkaAdminClient) -> StateError | None:
        found = identify_topic(client, self._facts.name)
        if found is None:
            self._absent += 1
            return self._gone() if self._absent >= ABSENT_TIMES else None
        self._absent = 0
        topic_id, partitions = found
        if topic_id != self._facts.topic_id:
            return self._another(topic_id)
        if partitions > self.partitions:
            log.warning("topic %s has %d partitions now, it had %d", self._facts.name, partitions, self.partitions)
            self.partitions = partitions
        return None

    def _gone(self) -> StateError:
        return StateError(
            f"topic {self._facts.name} was deleted while it was counted. Its counts are still in Redis. To count a new topic of that name, "
            "delete Vigie's keys in Redis (or set another redis_prefix), then restart the workers."
        )

    def _another(self, topic_id: str) -> StateError:
        return StateError(
            f"topic {self._facts.name} was deleted and created anew while it was counted (its id is {topic_id}, was "
            f"{self._facts.topic_id}): its offsets mean other events. To count it from its beginning, delete Vigie's keys in Redis (or set "
            "another redis_prefix), then restart the workers."
        )
