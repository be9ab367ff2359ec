"""One call for several partitions: all of it is written or nothing, whatever happens to it, and what is refused holds no other back."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from streams.catalog import Catalog
from streams.count import Delta
from streams.ingest import group_commit, ledger
from streams.ingest.chunks import Chunk
from streams.ingest.partition import Verdict
from streams.live import Applied
from tests.simulation.world import StoreDown, Worker, World

Apply = Callable[[Mapping[int, Sequence[Delta]]], Awaitable[dict[int, Applied]]]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", (0.0,))


def play(catalog: Catalog, scene: Callable[[World, Worker], Coroutine[Any, Any, None]]) -> None:
    """Play a scene on three partitions whose first batches are dense, of which one worker owns all."""
    for seed in range(200):
        world = World(seed, catalog, 0.0)
        firsts = [batches[0] for batches in world.log.partitions.values()]
        if all(each.values and list(each.offsets) == list(range(each.end)) for each in firsts):
            worker = Worker(world, "a")
            world.workers = [worker]
            asyncio.run(scene(world, worker))
            return
    pytest.fail("no seed made such a log")


def head(world: World, worker: Worker, partition: int) -> Chunk:
    """The first batch of a partition, as fetched in the worker's current epoch."""
    first = world.log.partitions[partition][0]
    return Chunk(partition, 0, first.end, [first], worker.epoch(partition))


async def count_heads(world: World, worker: Worker) -> None:
    await worker.assign([0, 1, 2])
    for partition in range(3):
        assert await worker.ingestor.handle([head(world, worker, partition)], worker._note_applied) == {
            partition: Verdict.COUNTED
        }
    assert world.store.states == {}


async def finish(world: World, worker: Worker) -> None:
    """Read on to the end; the counts must be the log's."""
    await worker.read_on(200)
    assert world.counted() == world.truth()


def calls_of(world: World, monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None]) -> list[set[int]]:
    """Note the partitions of every call; `before` and after it, with the number of the call, may raise."""
    apply: Apply = world.store.apply
    seen: list[set[int]] = []

    async def noted(deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
        seen.append(set(deltas))
        before(len(seen))
        return await apply(deltas)

    monkeypatch.setattr(world.store, "apply", noted)
    return seen


def test_all_that_was_counted_goes_in_one_call_and_is_acknowledged_behind_it(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World, worker: Worker) -> None:
        calls = calls_of(world, monkeypatch, lambda _number: None)
        await count_heads(world, worker)
        assert worker.applied == 0
        await worker.ingestor.commit()
        assert calls == [{0, 1, 2}]
        assert worker.applied == 3
        await worker.ingestor.commit()
        assert len(calls) == 1, "nothing is left to send"
        await finish(world, worker)

    play(catalog, scene)


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_call_that_was_lost_is_sent_again_whole(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await count_heads(world, worker)
        apply, tries = world.store.apply, 0

        async def once(deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
            nonlocal tries
            tries += 1
            answer = await apply(deltas) if tries > 1 or lost == "after" else None
            if tries == 1:
                raise StoreDown("lost")
            assert answer is not None
            return answer

        monkeypatch.setattr(world.store, "apply", once)
        await worker.ingestor.commit()
        assert tries == 2
        assert worker.applied == 3
        await finish(world, worker)

    play(catalog, scene)


def test_one_that_is_refused_holds_no_other_back(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: World, worker: Worker) -> None:
        other = Worker(world, "b")
        await other.assign([1])
        first = world.log.partitions[1]
        await other.count(Chunk(1, 0, first[1].end, first[:2], other.epoch(1)))
        await worker.ingestor.place({n: (0, world.log.end(n)) for n in (0, 2)})
        await worker.assign([0, 1, 2])
        stands = world.store.states.pop(1)  # for this worker, the other one's call comes a moment later
        await worker.assign([0, 1, 2])
        for partition in range(3):
            await worker.ingestor.handle([head(world, worker, partition)])
        world.store.states[1] = stands
        calls = calls_of(world, monkeypatch, lambda _number: None)
        await worker.ingestor.commit()
        assert calls == [{0, 1, 2}, {0, 2}]
        assert world.store.held_back == 2
        assert {n: state.next_offset for n, state in world.store.states.items()} == {
            0: world.log.partitions[0][0].end, 1: stands.next_offset, 2: world.log.partitions[2][0].end
        }  # fmt: skip
        await finish(world, worker)

    play(catalog, scene)


def test_what_is_counted_while_a_call_is_under_way_goes_with_the_next(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0, 1, 2])
        await worker.ingestor.handle([head(world, worker, 0)])
        apply, answered = world.store.apply, asyncio.Event()

        async def slow(deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
            answer = await apply(deltas)
            await answered.wait()
            return answer

        world.store.apply = slow  # type: ignore[method-assign]
        call = asyncio.create_task(worker.ingestor.commit())
        await asyncio.sleep(0)
        assert await worker.ingestor.handle([head(world, worker, 1)]) == {1: Verdict.COUNTED}
        answered.set()
        await call
        assert [len(worker.ingestor.ledgers[n].pending) for n in range(3)] == [0, 1, 0]
        await finish(world, worker)

    play(catalog, scene)


def test_a_rebalance_under_a_call_keeps_what_redis_took_and_counts_the_rest_again(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await count_heads(world, worker)
        apply = world.store.apply
        counters = [worker.ingestor.ledgers[n].counter for n in range(3)]

        async def meanwhile(deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
            world.store.apply = apply  # type: ignore[method-assign]
            answer = await apply(deltas)
            await worker.ingestor.place({n: (0, world.log.end(n)) for n in (0, 1)})
            return answer

        world.store.apply = meanwhile  # type: ignore[method-assign]
        await worker.ingestor.commit()
        assert [worker.ingestor.ledgers[n].counter for n in (0, 1)] == counters[:2], "Redis stands where they stand"
        await worker.assign([0, 1, 2])
        await finish(world, worker)

    play(catalog, scene)


def test_what_is_pending_is_sent_before_partitions_are_given_back(catalog: Catalog) -> None:
    """Else every rebalance under load would make whoever gets them read the end of the log again."""

    async def scene(world: World, worker: Worker) -> None:
        await count_heads(world, worker)
        counters = {n: worker.ingestor.ledgers[n].counter for n in range(3)}
        worker.stopping = True  # as in a rebalance
        await worker.ingestor.commit()
        assert world.store.states == {}, "no call is begun by itself then"
        await worker.ingestor.flush()
        worker.stopping = False
        assert len(world.store.states) == 3
        await worker.ingestor.place({n: (0, world.log.end(n)) for n in range(3)})
        assert {n: one.counter for n, one in worker.ingestor.ledgers.items()} == counters
        await worker.assign([0, 1, 2])
        await finish(world, worker)

    play(catalog, scene)


def test_a_heartbeat_while_something_is_pending_changes_nothing(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await count_heads(world, worker)
        known = dict(worker.ingestor.ledgers)
        await worker.ingestor.compare(dict.fromkeys(range(3)))
        assert all(worker.ingestor.ledgers[n] is one for n, one in known.items())
        assert all(one.applied_position == 0 < one.position for one in known.values())
        await finish(world, worker)

    play(catalog, scene)


def test_a_backlog_goes_at_once(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "CALL_COMMANDS_MAX", 1)

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0, 1, 2])
        await worker.ingestor.handle([head(world, worker, 0)])
        assert list(world.store.states) == [0]

    play(catalog, scene)


def test_a_chunk_is_counted_in_pieces_that_continue_one_another(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PIECE_RECORDS", 2)

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0, 1, 2])
        for partition, batches in world.log.partitions.items():
            whole = Chunk(partition, 0, batches[-1].end, list(batches), worker.epoch(partition))
            pieces = list(whole.pieces(2))
            assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
            assert pieces[-1].end == whole.end
            assert all(sum(len(batch.values) for batch in piece.batches) <= 2 for piece in pieces)
            assert await worker.ingestor.handle([whole], worker._note_applied) == {whole.partition: Verdict.COUNTED}
            assert len(worker.ingestor.ledgers[partition].pending) == len(pieces)
        await worker.ingestor.commit()
        assert worker.applied == 3, "a message is acknowledged once, with its last piece"
        assert world.counted() == world.truth()

    play(catalog, scene)
