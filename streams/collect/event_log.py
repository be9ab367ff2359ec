"""The topic as the collector writes to it: records are handed over in batches, and each is waited for until Kafka has confirmed it.

aiokafka's batches: one future a batch, not one an event (docs/decisions/0015, `make bench-collector`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.async_broker import async_client_options
from streams.broker import KafkaAddress
from streams.collect.collector_limits import NotConfirmed
from streams.errors import ServerError, VigieError
from streams.publish.producer import partition_of
from streams.topics import admin_client, identify_topic

log = logging.getLogger(__name__)

BATCH_BYTES_MAX = 524_288
#: How often Kafka is looked for: while it is not there, and while it is.
CONNECT_SECONDS = 1.0
LOOK_SECONDS = 2.0
#: How long a look may take.
LOOK_SECONDS_MAX = 5.0
#: How long the end of a producer may take: what it still holds was never confirmed.
END_SECONDS_MAX = 2.0

Records = Sequence[tuple[bytes, bytes]]


class EventLog:
    """Connects to one topic, in the background, and stays connected; used from one event loop."""

    def __init__(self, address: KafkaAddress, topic: str, confirm_seconds_max: float) -> None:
        self._address, self._topic = address, topic
        self._confirm_seconds_max = confirm_seconds_max
        self._producer: AIOKafkaProducer | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._problem: str | None = "it is not connected to Kafka yet"

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._stay_connected())

    async def stop(self) -> None:
        """End; what is not confirmed by then was not answered for either."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._begin_anew(self._producer)
        if self._ending:
            await asyncio.wait(self._ending, timeout=END_SECONDS_MAX + 1)

    @property
    def problem(self) -> str | None:
        """Why Kafka takes no events now, None where it does."""
        if self._task is not None and self._task.done():
            return "the task that stays connected to Kafka has ended: restart this process, and report its log"
        return self._problem

    async def send(self, records: Records, on_end: Callable[[], None]) -> None:
        """Send keys and values, and wait until Kafka has confirmed all of them; `on_end` is called once none of them is held any more,
        which may be later.

        Raises:
            NotConfirmed: it did not, in time.
        """
        if (producer := self._producer) is None or self.problem is not None:
            on_end()
            raise NotConfirmed("Kafka takes no events now")
        batches = self._batches(
            producer, records, partitions=len(producer.client.cluster.partitions_for_topic(self._topic))
        )
        tasks = [asyncio.create_task(self._deliver(producer, batch, partition)) for partition, batch in batches]
        left = set(tasks)

        def ended(task: asyncio.Task[None]) -> None:
            left.discard(task)
            self._sending.discard(task)
            if task.cancelled() or task.exception() is not None:
                self._begin_anew(producer)
            if not left:
                on_end()

        self._sending.update(tasks)
        for task in tasks:
            task.add_done_callback(ended)
        _done, late = await asyncio.wait(tasks, timeout=self._confirm_seconds_max)
        failed = [task for task in tasks if task not in late and (task.cancelled() or task.exception() is not None)]
        if late or failed:
            raise NotConfirmed(
                f"Kafka did not confirm {len(late) + len(failed)} of {len(tasks)} batches ({len(late)} late, {len(failed)} failed)"
            )

    async def _deliver(self, producer: AIOKafkaProducer, batch: BatchBuilder, partition: int) -> None:
        await (await producer.send_batch(batch, self._topic, partition=partition))

    @staticmethod
    def _batches(producer: AIOKafkaProducer, records: Records, partitions: int) -> list[tuple[int, BatchBuilder]]:
        filling: dict[int, BatchBuilder] = {}
        full: list[tuple[int, BatchBuilder]] = []
        for key, value in records:
            partition = partition_of(key, partitions)
            if (batch := filling.get(partition)) is None:
                batch = filling[partition] = producer.create_batch()
            if batch.append(timestamp=None, key=key, value=value) is None:
                full.append((partition, batch))
                batch = filling[partition] = producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        for batch in filling.values():
            batch.close()  # sent as they are
        return [*full, *filling.items()]

    # --- staying connected

    async def _stay_connected(self) -> None:
        while True:
            try:
                if self._producer is None:
                    self._producer = await self._connect()
                    log.info("Kafka takes events")
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes as the answer does, and this would never end.
                async with asyncio.timeout(LOOK_SECONDS_MAX):
                    up = await self._producer.client.force_metadata_update()
                self._tell(None if up else self._address.explain(TimeoutError("no broker answers")))
            except (KafkaError, OSError, VigieError) as error:  # a TimeoutError is an OSError
                self._tell(error if isinstance(error, VigieError) else self._address.explain(error))
            await asyncio.sleep(CONNECT_SECONDS if self._producer is None else LOOK_SECONDS)

    def _tell(self, problem: VigieError | None) -> None:
        if (problem is None) != (self._problem is None):
            log.log(logging.INFO if problem is None else logging.WARNING, "%s", problem or "Kafka answers again")
        self._problem = None if problem is None else str(problem)

    async def _connect(self) -> AIOKafkaProducer:
        await asyncio.to_thread(_see_topic, self._address, self._topic)
        producer = AIOKafkaProducer(
            **async_client_options(self._address),
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            max_batch_size=BATCH_BYTES_MAX,
        )
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                await producer.start()
                await producer.partitions_for(self._topic)
        except BaseException:
            self._ending_of(producer)
            raise
        return producer

    def _begin_anew(self, producer: AIOKafkaProducer | None) -> None:
        """Take a new producer next time: one whose sequence Kafka refused would fail for ever."""
        if producer is not None and producer is self._producer:
            self._producer = None
            self._ending_of(producer)

    def _ending_of(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_end(producer))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _end(producer: Any) -> None:
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            await producer.stop()
    except (KafkaError, OSError) as error:
        log.debug("a producer did not end cleanly: %r", error)


def _see_topic(address: KafkaAddress, topic: str) -> None:
    """See that the topic is there: a client that asks for one that is not may create it, as nobody wants it.

    Raises:
        ServerError: it is not, or Kafka is away.
    """
    with admin_client(address) as client:
        if identify_topic(client, topic) is None:
            raise ServerError(f"Kafka has no topic {topic!r}: `vigie check` creates it, or set another topic")
