"""Chunks of several partitions that are handled together: what befalls one befalls no other."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from streams.catalog import Catalog
from streams.count import Delta
from streams.events import Reason
from streams.ingest.chunks import Chunk, together
from streams.ingest.partition import Verdict
from tests.simulation.test_merged_calls import finish, head, play
from tests.simulation.world import Worker, World


def second(world: World, worker: Worker, partition: int, skip: int = 0) -> Chunk:
    """The batch behind the first one of a partition; with `skip`, so many later."""
    batch = world.log.partitions[partition][1 + skip]
    return Chunk(partition, batch.first, batch.end, [batch], worker.epoch(partition))


async def count_first(world: World, worker: Worker) -> None:
    await worker.assign([0, 1, 2])
    heads = [head(world, worker, partition) for partition in range(3)]
    assert await worker.ingestor.handle(heads) == dict.fromkeys(range(3), Verdict.COUNTED)
    await worker.ingestor.commit()
    assert set(world.store.states) == {0, 1, 2}


def test_a_partition_that_is_taken_away_while_another_one_waits_is_given_up(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await count_first(world, worker)
        asked: list[int] = []

        async def log_start(partition: int) -> int:
            if not asked:
                asked.append(partition)
                await worker.assign([0, 1, 2])
            return world.log.starts[partition]

        monkeypatch.setattr(worker, "log_start", log_start)
        begin = world.store.states[0].next_offset
        batch = next(each for each in world.log.partitions[0] if each.end > begin)
        chunk = Chunk(0, begin, batch.end, [batch], worker.epoch(0))
        found = await worker.ingestor.handle([chunk, second(world, worker, 1, skip=1)])
        assert asked == [1]
        assert found == {0: Verdict.GIVEN_UP, 1: Verdict.AWAY}
        await finish(world, worker)
        assert world.store.refusals == 0, "its counter was kept, and nothing was counted behind its back"

    play(catalog, scene)


def test_nobody_waits_for_dead_letters_of_another_one(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0, 1, 2])
        kept = asyncio.Event()

        async def keep(_partition: int, _delta: Delta) -> dict[Reason, int]:
            await kept.wait()
            return {}

        monkeypatch.setattr(world.dead_letters, "keep", keep)
        rejected = head(world, worker, 0)
        batch = rejected.batches[0]
        world.log.partitions[0][0] = bad = type(batch)(batch.append_ms, [b"x"], [None], [0], batch.end)
        rejected.batches[:] = [bad]
        handling = asyncio.create_task(worker.ingestor.handle([rejected, head(world, worker, 1)]))
        for _ in range(20):
            await asyncio.sleep(0)
        await worker.ingestor.commit()
        assert set(world.store.states) == {1}
        kept.set()
        assert await handling == dict.fromkeys(range(2), Verdict.COUNTED)
        await finish(world, worker)

    play(catalog, scene)


def test_what_is_acknowledged_is_the_whole_chunk(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0, 1, 2])
        monkeypatch.setattr("streams.ingest.ledger.PIECE_RECORDS", 2)
        ends: list[tuple[int, int]] = []
        chunks = [Chunk(n, 0, world.log.end(n), list(world.log.partitions[n]), worker.epoch(n)) for n in (0, 1)]
        whole = [(chunk.partition, chunk.end) for chunk in chunks]
        found = await worker.ingestor.handle(chunks, lambda chunk: ends.append((chunk.partition, chunk.end)))
        assert found == dict.fromkeys((0, 1), Verdict.COUNTED)
        assert ends == []
        await worker.ingestor.commit()
        assert sorted(ends) == whole
        assert not any(chunk.batches for chunk in chunks), "their memory is given back"
        await finish(world, worker)

    play(catalog, scene)


def sizes(groups: Sequence[Sequence[Chunk]]) -> list[list[tuple[int, int]]]:
    return [[(p.partition, sum(len(b.values) for b in p.batches)) for p in group] for group in groups]


def test_pieces_of_one_chunk_are_never_together(catalog: Catalog) -> None:
    for seed in range(30):
        world = World(seed, catalog, 0.0)
        chunks = [Chunk(n, 0, world.log.end(n), list(batches), 0) for n, batches in world.log.partitions.items()]
        groups = list(together(chunks, 8, 12))
        for group in sizes(groups):
            assert len({partition for partition, _ in group}) == len(group)
            assert len(group) == 1 or sum(records for _, records in group) <= 8
            assert all(records <= 12 for _, records in group)
        for chunk in chunks:
            pieces = [piece for group in groups for piece in group if piece.partition == chunk.partition]
            assert [batch.end for piece in pieces for batch in piece.batches][-1] == pieces[-1].end == chunk.end
            assert all(before.end == after.start for before, after in pairwise(pieces))
