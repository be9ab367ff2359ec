"""The dead-letter topic: rejected events, kept up to a bound a minute and reason (`streams.ingest.letters`)."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.async_broker import async_client_options
from streams.broker import KafkaAddress
from streams.count import Cut, Delta, Reject
from streams.events import Reason
from streams.ingest.letters import RejectBudget, letter_headers, letter_value
from streams.ingest.worker_metrics import WorkerMetrics

log = logging.getLogger(__name__)

#: What an outage of the dead-letter topic may delay a chunk by.
KEEP_SECONDS_MAX = 5.0
#: After a failure nothing is tried for this long: an outage delays counting once, not at every chunk.
PAUSE_SECONDS = 30.0

#: Dead letters travel in batches of this size at most, which costs a fifth of sending each by itself.
BATCH_BYTES_MAX = 262_144


class DeadLetterTopic:
    """Keeps rejects in Kafka. Never stops counting: what cannot be kept in time is counted as not kept."""

    def __init__(
        self, address: KafkaAddress, topic: str, source: str, budget: RejectBudget, metrics: WorkerMetrics
    ) -> None:
        self._address = address
        self._topic = topic
        self._source = source
        self._budget = budget
        self._metrics = metrics
        self._producer: AIOKafkaProducer | None = None
        self._paused_until = 0.0
        self._ending: set[asyncio.Task[None]] = set()

    async def keep(self, partition: int, delta: Delta) -> dict[Reason, int]:
        """Keep a chunk's rejects, acknowledged by Kafka; return how many are not kept, by reason."""
        rejected = {reason: n for reason in Reason if (n := delta.without_minute.get((Cut.REJECTED, reason.value)))}
        spent = self._budget.is_spent(rejected, delta.append_ms)
        chosen = [] if spent else self._budget.choose(delta.rejects)
        failed = await self._send(partition, chosen)
        kept = Counter(each.reason for each in chosen if each.offset not in failed)
        return {reason: number - kept[reason] for reason, number in rejected.items() if number > kept[reason]}

    async def close(self) -> None:
        """Close the producer."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def _send(self, partition: int, rejects: list[Reject]) -> set[int]:
        """Send rejects; return the offsets of those that Kafka did not acknowledge."""
        unsent = {reject.offset for reject in rejects}
        if not rejects or time.monotonic() < self._paused_until:
            return unsent
        sending: list[tuple[asyncio.Future[Any], list[int]]] = []
        try:
            async with asyncio.timeout(KEEP_SECONDS_MAX):
                producer = await self._started()
                target = partition % len(await producer.partitions_for(self._topic))
                for batch, offsets in self._batches(producer, partition, rejects):
                    sending.append((await producer.send_batch(batch, self._topic, partition=target), offsets))
                await asyncio.wait([sent for sent, _ in sending])
        except (TimeoutError, KafkaError, OSError) as error:
            log.error(
                "the dead-letter topic %s does not take events: %s", self._topic, str(error) or type(error).__name__
            )
        for sent, offsets in sending:
            if sent.done() and not sent.cancelled() and sent.exception() is None:
                unsent.difference_update(offsets)
        if unsent:
            self._metrics.dead_letter_failure(len(unsent))
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self._begin_anew()
        return unsent

    def _batches(
        self, producer: AIOKafkaProducer, partition: int, rejects: list[Reject]
    ) -> Iterator[tuple[BatchBuilder, list[int]]]:
        """Batches that are full or the last one, each with the offsets of its rejects."""
        batch, offsets = producer.create_batch(), list[int]()
        for reject in rejects:
            key = f"{self._source}-{partition}-{reject.offset}".encode()
            headers = letter_headers(self._source, partition, reject)
            letter = {"timestamp": None, "key": key, "value": letter_value(reject.value), "headers": headers}
            if batch.append(**letter) is None:
                yield batch, offsets
                batch, offsets = producer.create_batch(), []
                batch.append(**letter)
            offsets.append(reject.offset)
        batch.close()  # sent at once
        yield batch, offsets

    def _begin_anew(self) -> None:
        """Take a new producer next time: one whose sequence Kafka refused would fail for ever."""
        producer, self._producer = self._producer, None
        if producer is not None:
            task = asyncio.create_task(_end(producer))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **async_client_options(self._address),
                enable_idempotence=True,
                acks="all",
                max_batch_size=BATCH_BYTES_MAX,
                compression_type="lz4",
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer


async def _end(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(KEEP_SECONDS_MAX):
            await producer.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        log.debug("the producer of dead letters did not end cleanly: %r", error)
