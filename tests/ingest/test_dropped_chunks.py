"""Chunks that a rebalance kept from being counted: Faust's loop holds its last message until the next one comes."""

import asyncio
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.count import Batch
from streams.ingest import batches
from streams.ingest.batches import BatchRecords, CoveredBatch, Hand
from streams.ingest.chunks import Chunk
from streams.ingest.transport import ChunkConsumer
from streams.record_batches import Unpacker

PARTITION = TP("visits", 3)
BOUND = 100


class Consumer(ChunkConsumer):
    """What reads of one partition, of which aiokafka has whatever is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self._read_offset: dict[TP, int | None] = {}
        self.assignment_now: object = object()

    def _assignment_now(self) -> object:
        return self.assignment_now

    async def fetch(self) -> list[Chunk]:
        """As Faust's loop does it: the chunks of one fetch."""
        found = await self._getmany(None, 0.0)
        return [chunk for records in found.values() for record in records for chunk in record.value]


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    hand = Hand(Unpacker(BOUND))
    monkeypatch.setattr(BatchRecords, "hand", hand, raising=False)
    monkeypatch.setattr(batches, "WAIT_SECONDS_MAX", 0.0)

    async def fetched(_self: object, _partitions: object, _timeout: float) -> dict[TP, list[Any]]:
        # A batch that alone fills the hand.
        return {PARTITION: [CoveredBatch(0, Batch(1, [b"a"], [None], [0], 1), hand.take(BOUND))]}

    monkeypatch.setattr(driver.Consumer, "_getmany", fetched)
    monkeypatch.setattr(driver.Consumer, "__init__", lambda _self: None)  # it would want a Kafka
    return Consumer()


def test_a_chunk_that_a_rebalance_dropped_gives_its_place_back(consumer: Consumer) -> None:
    (dropped,) = asyncio.run(consumer.fetch())
    assert asyncio.run(consumer.fetch()) == [], "the hand is full"
    consumer.assignment_now = object()
    assert len(asyncio.run(consumer.fetch())) == 1, "it is read again"
    assert not dropped.take(), "whoever gets it nevertheless must not count it: it would cover offsets without records"


def test_what_is_being_counted_stays(consumer: Consumer) -> None:
    (counted,) = asyncio.run(consumer.fetch())
    assert counted.take()
    consumer.assignment_now = object()
    assert asyncio.run(consumer.fetch()) == []
    assert len(counted.batches) == 1
    counted.let_go()
    assert len(asyncio.run(consumer.fetch())) == 1
