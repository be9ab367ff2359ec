"""One fault at a time, and what the ingestor does about it at once, without a rebalance to help."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from streams.catalog import Catalog
from streams.errors import StateError
from streams.ingest import group_commit, ledger
from streams.ingest.chunks import Chunk
from streams.ingest.partition import Verdict
from streams.live import Applied, Outcome
from tests.simulation.world import StoreDown, Worker, World


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", (0.0,))


def play(catalog: Catalog, scene: Callable[[World, Worker], Coroutine[Any, Any, None]]) -> None:
    """Play a scene on a log without holes, of at least five batches, whose only owner is one worker."""
    for seed in range(200):
        world = World(seed, catalog, 0.0)
        batches = world.log.partitions[0]
        dense = all(list(b.offsets) == list(range(b.first, b.end)) for b in batches)
        if dense and batches[0].first == 0 and all(a.end == b.first for a, b in pairwise(batches)):
            world.log.partitions = {0: batches}
            worker = Worker(world, "a")
            world.workers = [worker]
            asyncio.run(scene(world, worker))
            return
    pytest.fail("no seed made such a log")


def piece(world: World, worker: Worker, first: int, end: int) -> Chunk:
    """A chunk of whole batches, as fetched in the worker's current epoch."""
    batches = world.log.partitions[0][first:end]
    return Chunk(0, batches[0].first, batches[-1].end, list(batches), worker.epoch(0))


async def finish(world: World, worker: Worker) -> None:
    """Let the worker read on to the end, from wherever it was told to; the counts must be the log's."""
    await worker.read_on(60)
    assert world.counted() == world.truth()


def test_redis_that_went_back_is_followed_without_a_rebalance(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 1))
        saved = world.store.snapshot()
        await worker.count(piece(world, worker, 1, 2))
        world.store.restore(saved)
        assert await worker.count(piece(world, worker, 2, 3)) is Verdict.AWAY
        assert worker.ingestor.ledgers[0].position == world.store.states[0].next_offset
        await finish(world, worker)

    play(catalog, scene)


def test_a_chunk_that_comes_while_the_worker_lets_go_is_not_counted(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        worker.stopping = True
        assert await worker.count(piece(world, worker, 0, 1)) is Verdict.GIVEN_UP
        worker.stopping = False
        assert world.store.states == {}
        await finish(world, worker)

    play(catalog, scene)


def test_a_counter_that_was_refused_and_not_placed_anew_is_never_fed_again(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It remembers what was refused: fed again, those events would be repeats, and lost."""

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 1))
        world.store.restore(({}, Counter(), {}))

        async def down_and_stopped(_partitions: object) -> None:
            worker.stopping = True
            raise StoreDown("no connection")

        with monkeypatch.context() as once:
            once.setattr(world.store, "load", down_and_stopped)
            await worker.count(piece(world, worker, 1, 2))
        worker.stopping = False
        assert await worker.count(piece(world, worker, 1, 2)) is Verdict.GIVEN_UP
        assert world.store.states == {}
        await worker.assign([0])
        await finish(world, worker)

    play(catalog, scene)


def test_a_counter_is_kept_where_redis_stands_and_nowhere_else(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 1))
        saved = world.store.snapshot()
        counter = worker.ingestor.ledgers[0].counter
        await worker.assign([0])
        assert worker.ingestor.ledgers[0].counter is counter, "eager rebalancing must not blind everybody"
        await worker.count(piece(world, worker, 1, 2))
        world.store.restore(saved)
        await worker.assign([0])
        assert worker.ingestor.ledgers[0].counter is not counter
        assert worker.ingestor.ledgers[0].position == world.store.states[0].next_offset
        await finish(world, worker)

    play(catalog, scene)


def test_the_first_chunk_of_an_earlier_seek_does_not_make_a_hole(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        late = piece(world, worker, 2, 3)  # fetched right after a seek to its start ...
        await worker.seek(0, 0)  # ... but the partition was sought again meanwhile
        worker.ingestor.ledgers[0].epoch = worker.epoch(0)
        assert await worker.count(late) is Verdict.AWAY
        assert world.store.states == {}
        await finish(world, worker)

    play(catalog, scene)


def test_what_was_fetched_before_a_seek_is_ignored_and_kafka_is_not_suspected(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        late = piece(world, worker, 0, 3)  # on its way ...
        await worker.count(piece(world, worker, 0, 2))
        await worker.seek(0, world.store.states[0].next_offset)  # ... when the partition was sought
        worker.ingestor.ledgers[0].epoch = worker.epoch(0)

        async def suspected() -> None:
            raise AssertionError("a fetch of before the seek is no step back of the log")

        worker.confirm_topic = suspected  # type: ignore[method-assign]
        assert await worker.count(late) is Verdict.AWAY
        await finish(world, worker)

    play(catalog, scene)


def test_a_fetch_that_begins_before_what_is_next_counts_only_the_rest(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 2))
        assert await worker.count(piece(world, worker, 1, 4)) is Verdict.COUNTED
        await finish(world, worker)

    play(catalog, scene)


def test_a_piece_dropped_on_its_way_is_read_again(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 1))
        assert await worker.count(piece(world, worker, 2, 3)) is Verdict.AWAY
        assert worker.fetch_at[0] == world.store.states[0].next_offset
        await finish(world, worker)

    play(catalog, scene)


def test_a_mark_stops_the_worker(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])

        async def marked(*_args: object) -> dict[int, Applied]:
            return {0: Applied(Outcome.MARKED, "0 0 10")}

        monkeypatch.setattr(world.store, "apply", marked)
        with pytest.raises(StateError, match="written only in part"):
            await worker.count(piece(world, worker, 0, 1))

    play(catalog, scene)


def test_reading_again_for_ever_ends_in_a_clear_message(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        far = replace(piece(world, worker, 2, 3), start=10_000, end=10_010)
        for _ in range(ledger.REREADS_MAX):
            await worker.count(replace(far, epoch=worker.epoch(0)))
        with pytest.raises(StateError, match="read again 20 times without counting"):
            await worker.count(replace(far, epoch=worker.epoch(0)))

    play(catalog, scene)
