"""Is the topic still the one that is counted? Asked from Kafka every few seconds, in a thread of its own.

Kafka's client does not tell: where a topic is deleted and created anew, it goes on with the offsets of the old one, or begins again at
the start of the new one, without a word. Offsets of another log mean other events, so counting has to stop.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from streams.broker import KafkaAddress
from streams.errors import ServerError, StateError
from streams.topics import TopicFacts, admin_client, identify_topic

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

log = logging.getLogger(__name__)

#: For at most this long events of another topic could be counted as if they were of this one, where its offsets happen to fit.
PERIOD_SECONDS = 5.0
#: A broker that has just started may not know its topics yet: absence is believed when it was seen this often in a row.
ABSENT_TIMES = 3


class TopicWatch:
    """Watches one topic. `partitions` is how many it has: they may grow."""

    def __init__(self, address: KafkaAddress, facts: TopicFacts, on_problem: Callable[[StateError], None]) -> None:
        self._address = address
        self._facts = facts
        self._on_problem = on_problem
        self._absent = 0
        self._ended = threading.Event()
        self.partitions = facts.partitions

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
        while not self._ended.wait(PERIOD_SECONDS):
            try:
                with admin_client(self._address) as client:
                    self._watch(client)
            except ServerError as error:
                log.debug("Kafka does not say whether the topic is there: %s", error)

    def _watch(self, client: KafkaAdminClient) -> None:
        while not self._ended.wait(PERIOD_SECONDS):
            problem = self._judge(client)
            if problem is not None:
                self._ended.set()
                self._on_problem(problem)

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
