"""The Faust transport: one message is one fetch, with a chunk of each partition, and the seek is ours.

What is overridden, and why (docs/architecture.md, "Ingest"):

- `Consumer._getmany`: one message a fetch. Stock Faust spends four asyncio tasks on each message.
- `Consumer.verify_event_path`: Faust looks for partitions whose messages stand still; ours carry many. `ent_lag_seconds` tells.
- `ConsumerThread._create_worker_consumer`: Faust has no setting for how long a fetch waits.
- `Consumer.seek_to_committed`: start where Redis stands, not at Kafka's commit. The only seek that Faust does not overwrite.
  It also sets how many bytes a fetch waits for, which follows the number of partitions.
- `Consumer._add_gap`, `_new_offset`: Faust's bookkeeping is per message and wrong for messages of many offsets; the commit is only a
  courtesy to lag tools here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import faust
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.errors import KafkaUnavailable
from streams.ingest.batches import BatchRecords
from streams.ingest.chunks import NO_EPOCH, Chunk, make_chunk

#: Everything awaited inside the seek, together. Slower than Faust's broker_request_timeout (30 s) would end its recovery service without
#: a word: the worker would live on and consume nothing.
SEEK_SECONDS_MAX = 20.0

#: The broker answers a fetch once it has so many bytes, or after so long: this is most of the delay of a quiet topic, and what a small
#: chunk costs.
FETCH_BYTES_MIN = 128 << 10
FETCH_WAIT_MS_MAX = 500
#: ... or so many for each partition, where that is more: a chunk of few events costs nearly as much as one of fifty.
FETCH_BYTES_A_PARTITION = 5 << 10


@dataclass(slots=True)
class FetchRecord:
    """What one fetch brought, in the shape of aiokafka's `ConsumerRecord`, as Faust's driver reads it: under its first partition."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: list[Chunk]
    timestamp_type: int = 1
    headers: Any = None
    key: Any = None
    checksum: Any = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


class FetchSchema(faust.Schema):
    """Passes chunks through: there is nothing to deserialize in them."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> None:
        """A fetch has no key."""

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> list[Chunk]:
        """The chunks themselves."""
        del app, kwargs
        chunks: list[Chunk] = message.value
        return chunks


#: Given the assigned partitions, their log starts and log ends, returns where to start each.
Placer = Callable[[Mapping[int, tuple[int, int]]], Awaitable[dict[int, int]]]


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread, whose fetches wait a while for more: chunks would else be of one or two records."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS_MAX
        return consumer


class ChunkConsumer(driver.Consumer):
    """Faust's consumer with chunks for messages, our seek, and no gap bookkeeping."""

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: Seeks a partition has seen.
        self.epochs: dict[int, int] = {}
        #: aiokafka's assignment at the last seek of a partition. A new one forgets every position and begins at Kafka's commit, until we
        #: seek again: what is fetched between is of no use.
        self._sought_under: dict[int, object] = {}
        #: What the last fetch brought, and aiokafka's assignment when it began.
        self._brought: list[Chunk] = []
        self._brought_under: object = None

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[FetchRecord]]:
        self._let_go_of_what_was_dropped()
        if not await BatchRecords.hand.wait():
            return {}
        epochs = dict(self.epochs)  # before the fetch: a seek meanwhile makes what it returns stale
        assignment = self._assignment_now()
        fetched = await super()._getmany(active_partitions, timeout)
        known = assignment is self._assignment_now()
        for tp in fetched:
            # Faust drops what lies below the last offset it read, silently: after a seek back that offset may be one of before the seek,
            # and a log that was cut or created anew must be seen.
            self._read_offset.pop(tp, None)
        found: dict[TP, Chunk] = {}
        for tp, records in fetched.items():
            if records:
                under = known and self._sought_under.get(tp.partition) is assignment
                found[tp] = make_chunk(tp.partition, records, epochs.get(tp.partition, 0) if under else NO_EPOCH)
                records.clear()  # Faust's thread keeps what it returned until the next call: the chunk alone must hold it
        if not found:
            return {}
        self._brought = list(found.values())
        self._brought_under = assignment
        tp, first = next(iter(found.items()))
        return {tp: [FetchRecord(tp.topic, tp.partition, first.end - 1, first.batches[0].append_ms, self._brought)]}

    def acknowledge(self, tp: TP, end: int) -> None:
        """What this partition has below the offset `end` is in Redis: Faust may commit it."""
        self._acked[tp].append(end - 1)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Look no further than the fetches of this partition."""
        self._thread._verify_aiokafka_event_path(now, tp)

    def _let_go_of_what_was_dropped(self) -> None:
        """Let go of chunks that a rebalance kept from being counted: they are read again, from where Redis stands.

        Faust's loop keeps its last message until the next one comes. Where a rebalance dropped that message, and its chunk alone fills
        the hand, no next one could ever come.
        """
        if self._brought and self._assignment_now() is not self._brought_under:
            for chunk in self._brought:
                if not chunk.taken:
                    chunk.let_go()
            self._brought = []

    def _assignment_now(self) -> object:
        subscription = self._thread._ensure_consumer()._subscription.subscription
        return None if subscription is None else subscription.assignment

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek, wait until it took hold, and begin a new epoch of these partitions."""
        assignment = (
            self._assignment_now()
        )  # before: should another come meanwhile, this seek may be of no effect on it
        await super().seek_wait(partitions)
        for tp in partitions:
            self._sought_under[tp.partition] = assignment
            self.epochs[tp.partition] = self.epochs.get(tp.partition, 0) + 1

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition to where Redis stands; may run twice in one rebalance.

        Raises:
            KafkaUnavailable: it took longer than `SEEK_SECONDS_MAX`, of which Redis may take the smaller part and then says so itself;
                the worker ends and is started again, which is the cure.
        """
        place: Placer = self.app.vigie_place
        tps = {tp.partition: tp for tp in self.assignment()}
        bytes_min = max(FETCH_BYTES_MIN, FETCH_BYTES_A_PARTITION * len(tps))
        self._thread._ensure_consumer()._fetcher._fetch_min_bytes = bytes_min  # aiokafka's setting cannot follow
        try:
            async with asyncio.timeout(SEEK_SECONDS_MAX):
                bounds = await self.log_bounds(tps)
                targets = {tps[number]: offset for number, offset in (await place(bounds)).items()}
                if targets:
                    await self.seek_wait(targets)
        except TimeoutError:
            raise KafkaUnavailable(
                f"Kafka did not tell where its partitions begin and end within {SEEK_SECONDS_MAX:.0f} s of an assignment: it is slow or "
                "down; see its log"
            ) from None
        return targets

    async def log_bounds(self, tps: Mapping[int, TP]) -> dict[int, tuple[int, int]]:
        """Return (log start, log end) of partitions, asked from Kafka now."""
        if not tps:
            return {}
        starts = await self.earliest_offsets(*tps.values())
        ends = await self.highwaters(*tps.values())
        return {number: (starts[tp], ends[tp]) for number, tp in tps.items()}

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """No gaps: a chunk holds many offsets, and Redis knows where we are."""

    def _new_offset(self, tp: TP) -> int | None:
        """Commit up to the last acknowledged chunk."""
        acked = self._acked[tp]
        if not acked:
            return None
        newest: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return newest + 1


class ChunkTransport(driver.Transport):
    """Faust's aiokafka transport with `ChunkConsumer`; its URL scheme is `vigie://`."""

    Consumer = ChunkConsumer


def register_transport() -> None:
    """Make `vigie://host:port` known to Faust."""
    TRANSPORTS.aliases["vigie"] = f"{__name__}:ChunkTransport"
