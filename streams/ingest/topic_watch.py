"""Where does the log end, and is the topic still the one that is counted? Asked from Kafka by a client and a thread of their own.

Of their own, because Faust's client serves one call after the other: a question waits for fetches that wait for events, and after an
outage of Kafka its answers were seen to stay away while its fetches went on.

Kafka's client does not tell of a topic that was deleted and created anew: it goes on with the offsets of the old one, or begins again at
the start of the new one, without a word. Offsets of another log mean other events, so counting has to stop.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.background import BackgroundLoop, LoopRules
from streams.broker import KafkaAddress
from streams.connecting import explained
from streams.errors import DefectError, ServerError, StateError, VigieError
from streams.topics import TopicFacts, admin_client, identify_topic, log_ends, open_admin_client

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

log = logging.getLogger(__name__)

#: For at most this long events of another topic could be counted as if they were of this one, where its offsets happen to fit.
IDENTITY_SECONDS = 5.0
#: Once nobody knows any more which topic it is, going on counting would be a lie: so many defects in a row end the worker.
RULES = LoopRules(
    "topic-watch",
    1.0,
    "Kafka does not say where the log ends",
    "Kafka says again where the log ends",
    retry_seconds_max=1.0,
    hung_seconds=60.0,
    defects_max=5,
)
#: A broker that has just started may not know its topics yet: absence is believed when it was seen this often in a row.
ABSENT_TIMES = 3


@dataclass(frozen=True, slots=True)
class LogEnds:
    """By partition the offset after the last one, asked at `asked_at` (monotonic seconds)."""

    asked_at: float
    by_partition: dict[int, int]


class TopicWatch:
    """Watches one topic. `partitions` is how many it has: they may grow. `wanted` are those whose ends are asked for, `ends` the answer."""

    def __init__(self, address: KafkaAddress, facts: TopicFacts, on_problem: Callable[[VigieError], None]) -> None:
        self._address = address
        self._facts = facts
        self._on_problem = on_problem
        self._absent = 0
        self._client: KafkaAdminClient | None = None
        self._next_identity = 0.0
        self.loop = BackgroundLoop(
            self._round, RULES, on_failure=self._begin_anew, at_end=self._close, on_gone=self._give_up
        )
        self.partitions = facts.partitions
        self.wanted: tuple[int, ...] = ()
        self.ends = LogEnds(0.0, {})

    def start(self) -> None:
        """Begin to watch; `on_problem` is called once, from the watching thread, with the reason why counting must stop."""
        self.loop.start()

    def stop(self) -> None:
        """Stop watching; a look that is under way ends by itself."""
        self.loop.end()

    def look(self) -> None:
        """Ask Kafka now; where it does not answer, the next look will tell.

        Raises:
            StateError: the topic is another one of the same name.
        """
        try:
            with admin_client(self._address) as client:
                problem = self._compare(client)
        except ServerError as error:
            log.warning("Kafka does not say whether the topic is the same: %s", error)
            return
        if problem is not None:
            raise problem

    def _round(self) -> None:
        if self._client is None:
            self._client = open_admin_client(self._address)
        with explained(self._address):
            if time.monotonic() >= self._next_identity:
                self._next_identity = time.monotonic() + IDENTITY_SECONDS
                problem = self._compare(self._client)
                if problem is not None:
                    self.loop.end()
                    self._on_problem(problem)
                    return
            asked_at = time.monotonic()
            self.ends = LogEnds(asked_at, log_ends(self._client, self._facts.name, self.wanted))

    def _begin_anew(self) -> None:
        # A topic that is gone has no ends to tell: the identity is asked first next time.
        self._next_identity = 0.0
        self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _give_up(self, problem: str) -> None:
        self._on_problem(
            DefectError(f"nobody knows any more whether {self._facts.name} is still the same topic: {problem}")
        )

    def _compare(self, client: KafkaAdminClient) -> StateError | None:
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
