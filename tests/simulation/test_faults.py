"""Deterministic faults, one seed a story: whatever happens, the store ends with the counts of the log, each exactly once."""

import asyncio
import os

import pytest

from streams.catalog import Catalog
from streams.errors import StateError
from streams.ingest import group_commit
from streams.ingest.partition import Verdict
from tests.simulation.stories import Events, tell
from tests.simulation.world import Worker, World

#: As many as notice every guard that `make mutation` takes away; in parts, so that they run beside each other.
SEEDS, PARTS = int(os.environ.get("PROVE_SEEDS", "400")), 4


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "RETRY_SECONDS", (0.0,))


@pytest.mark.parametrize("part", range(PARTS))
def test_counts_equal_the_log_for_every_seed(catalog: Catalog, part: int) -> None:
    events = Events()
    seeds = range(part, SEEDS, PARTS)
    for seed in seeds:
        events.add(tell(seed, catalog))
    # The stories must really have been eventful, or this proves nothing.
    assert min(events.refusals, events.answers_lost, events.dropped, events.held_back) > len(seeds) / 10


def test_what_retention_removed_is_counted_as_lost(catalog: Catalog) -> None:
    async def scenario(world: World) -> None:
        worker = Worker(world, "a")
        world.workers = [worker]
        await worker.assign([0])
        worker.fetch()
        while await worker.handle_one() != {0: Verdict.COUNTED}:  # a log may begin with a hole, which is read twice
            worker.fetch()
        await worker.ingestor.commit()
        at = world.store.states[0].next_offset
        end = world.log.end(0)
        world.log.starts[0] = cut = (at + end) // 2 + 1
        fresh = Worker(world, "b")
        await fresh.assign([0])
        while fresh.fetch():
            await fresh.handle_one()
        await fresh.ingestor.commit()
        assert world.store.totals[("x",)] == cut - at
        assert world.store.states[0].next_offset == end

    for seed in range(20):
        world = World(seed, catalog, 0.0)
        if world.log.end(0) > 25:
            asyncio.run(scenario(world))
            return
    pytest.fail("no seed made a log long enough")


def test_a_stored_offset_past_the_end_of_the_log_stops_the_worker(catalog: Catalog) -> None:
    async def scenario(world: World) -> None:
        worker = Worker(world, "a")
        await worker.assign([0])
        worker.fetch()
        await worker.handle_one()
        await worker.ingestor.commit()
        world.log.partitions[0] = world.log.partitions[0][:1]
        world.store.states[0] = type(world.store.states[0])(world.log.end(0) + 1, 0, 0)
        with pytest.raises(StateError, match="the log ends at"):
            await Worker(world, "b").assign([0])

    asyncio.run(scenario(World(1, catalog, 0.0)))
