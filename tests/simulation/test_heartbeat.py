"""What a heartbeat says of a server that does not answer: the name of that server, whatever the error is called in Python."""

import asyncio
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from streams.broker import KafkaAddress
from streams.catalog import Catalog
from streams.errors import KafkaUnavailable
from streams.ingest import faust_app as ingest_app
from streams.ingest.faust_app import FaustLog, WorkerState
from streams.ingest.heartbeat import Heart
from streams.ingest.topic_watch import LogEnds
from streams.live.connection import redis_silence
from tests.simulation.test_single_faults import finish, piece, play
from tests.simulation.world import StoreDown, Worker, World


class SilentKafka:
    """Faust's application over a Kafka that takes every question and answers none."""

    rebalancing = should_stop = False

    @property
    def consumer(self) -> "SilentKafka":
        return self

    async def earliest_offsets(self, *_: object) -> None:
        await asyncio.sleep(3600)

    highwaters = seek_wait = earliest_offsets


class StoreWriter:
    """The heartbeat's side of the world's store: it tells that another offset is stored, or is down."""

    def __init__(self, world: World, *, down: bool = False) -> None:
        self._world = world
        self._down = down

    async def heartbeat(self, _worker: object, _pid: object, _port: object, lines: Any, *_: object) -> Any:
        self.lines = lines
        if self._down:
            raise StoreDown("Redis at nowhere does not answer")
        states = self._world.store.states
        return {n: states[n].next_offset if n in states else None for n in self._world.log.partitions}


async def beat(worker: Worker, writer: Any) -> WorkerState:
    state, watch = WorkerState("a", 1, None), SimpleNamespace(partitions=1, wanted=(), ends=LogEnds(0.0, {}))
    await Heart(SilentKafka(), worker.ingestor, writer, state, watch).beat()  # type: ignore[arg-type]
    return state


def test_a_slow_kafka_is_not_told_as_a_redis_that_is_down(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_app, "SEEK_SECONDS_MAX", 0.05)

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 1))
        world.store.states.clear()  # Redis was emptied: the position is to be found anew, which asks Kafka
        address = KafkaAddress(("kafka-a:9092", "kafka-b:9092"))
        worker.ingestor.kafka = FaustLog(SilentKafka(), address, "ent.visits", SimpleNamespace())  # type: ignore[arg-type]
        state = await beat(worker, StoreWriter(world))
        assert state.unready is not None
        assert state.unready.startswith(
            "Kafka at kafka-a:9092,kafka-b:9092 does not answer as needed: no answer in time"
        )
        assert worker.ingestor.metrics.registry.get_sample_value("ent_worker_redis_failures_total") == 0

    play(catalog, scene)


def test_a_seek_that_kafka_did_not_answer_is_made_at_the_next_heartbeat(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await finish(world, worker)
        world.store.restore(({}, Counter(), {}))  # Redis was emptied, and nothing more is sent that would tell

        async def unanswered(*_: object) -> None:
            raise KafkaUnavailable("Kafka at nowhere does not answer")

        with monkeypatch.context() as once:
            once.setattr(worker, "seek", unanswered)
            assert (await beat(worker, StoreWriter(world))).unready == "Kafka at nowhere does not answer"
        assert (await beat(worker, StoreWriter(world))).unready == "Kafka does not say where the log ends"
        await finish(world, worker)

    play(catalog, scene)


def test_a_redis_that_is_down_is_told_and_counted_as_such(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        state = await beat(worker, StoreWriter(world, down=True))
        assert state.unready == "Redis at nowhere does not answer"
        assert worker.ingestor.metrics.registry.get_sample_value("ent_worker_redis_failures_total") == 1

    play(catalog, scene)


def test_what_is_pending_is_not_vouched_for(catalog: Catalog) -> None:
    """Settled time follows what Redis holds: a partition is not read to its end before its counts are there."""

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        chunk = piece(world, worker, 0, 1)
        await worker.ingestor.handle([chunk])
        writer = StoreWriter(world)
        await beat(worker, writer)
        assert [(line.position, line.counted) for line in writer.lines] == [(0, None)]
        await worker.ingestor.commit()
        await beat(worker, writer)
        assert [(line.position, line.counted) for line in writer.lines] == [(chunk.end, chunk.end)]

    play(catalog, scene)


def test_a_worker_without_partitions_says_so_when_redis_is_away_and_forgets_it_when_it_is_back(
    catalog: Catalog,
) -> None:
    """It has nothing to count that would tell; a supervisor must neither start it again for ever nor never."""

    async def scene(world: World, worker: Worker) -> None:
        state, watch = WorkerState("a", 1, None), SimpleNamespace(partitions=1, wanted=(), ends=LogEnds(0.0, {}))
        writer = StoreWriter(world)
        heart = Heart(SilentKafka(), worker.ingestor, writer, state, watch)  # type: ignore[arg-type]
        for unready in (None, "waiting for Kafka to assign partitions"):
            state.unready = unready
            await heart.beat()
            assert writer.lines == []
            assert state.unready == unready
            writer._down = True
            for _ in range(2):
                await heart.beat()
                assert state.unready == "Redis at nowhere does not answer"
            writer._down = False
            await heart.beat()
            assert state.unready == unready

    play(catalog, scene)


def test_how_long_redis_may_be_silent_before_a_process_is_not_alive() -> None:
    answered = time.monotonic() - 100
    assert redis_silence(answered, 0) is None
    assert redis_silence(answered, 101) is None
    assert "no call to Redis went through for 100 s" in (redis_silence(answered, 99) or "")
