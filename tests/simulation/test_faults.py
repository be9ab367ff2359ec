"""Deterministic faults, one seed a story: whatever happens, the store ends with the counts of the log, each exactly once."""

from __future__ import annotations

import asyncio
import os

import pytest

from streams.catalog import Catalog
from streams.errors import StateError
from streams.ingest import ledger
from streams.ingest.ledger import Verdict
from tests.simulation.world import Worker, World

SEEDS = int(os.environ.get("PROVE_SEEDS", "1000"))
STEPS = 60


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "RETRY_SECONDS", (0.0,))


async def rebalance(world: World) -> None:
    """Spread the partitions over the workers anew; sometimes two believe they own the same one."""
    owners: dict[int, list[int]] = {n: [] for n in range(len(world.workers))}
    for partition in world.log.partitions:
        owners[world.rnd.randrange(len(world.workers))].append(partition)
        if world.rnd.random() < 0.15:
            owners[world.rnd.randrange(len(world.workers))].append(partition)
    for number, worker in enumerate(world.workers):
        await worker.assign(sorted(set(owners[number])))


async def story(world: World) -> None:
    """Random steps: fetch, count, crash in the middle, rebalance, forget; then everything is let run to the end."""
    world.workers = [Worker(world, "a"), Worker(world, "b")]
    await rebalance(world)
    saved = world.store.snapshot()
    for _ in range(STEPS):
        worker = world.rnd.choice(world.workers)
        dice = world.rnd.random()
        if dice < 0.40:
            worker.fetch()
        elif dice < 0.80:
            await worker.handle_one()
        elif dice < 0.86:  # kill -9: memory and everything fetched is gone
            world.workers[world.workers.index(worker)] = Worker(world, worker.name)
            await rebalance(world)
        elif dice < 0.91:
            await rebalance(world)
        elif dice < 0.94:
            saved = world.store.snapshot()
        elif dice < 0.97:  # Redis comes back as it was some time ago: offsets and counts go back together
            world.store.restore(saved)
        elif dice < 0.98:  # Redis is emptied
            world.store.restore(({}, type(world.store.totals)(), {}))
            world.store.prepared = False
        else:  # the worker lets go in mid-flight
            worker.stopping = True
            await worker.handle_one()
            worker.stopping = False
            await rebalance(world)
    world.store.fault_rate = world.drop_rate = 0.0
    last = Worker(world, "last")
    world.workers = [last]
    await rebalance(world)
    for _ in range(400):
        last.fetch()
        if await last.handle_one() is None:
            return
    raise AssertionError("the log is not read to its end")


def run(seed: int, catalog: Catalog, fault_rate: float = 0.15) -> World:
    world = World(seed, catalog, fault_rate)
    asyncio.run(story(world))
    return world


def test_counts_equal_the_log_for_every_seed(catalog: Catalog) -> None:
    refusals = answers_lost = dropped = 0
    for seed in range(SEEDS):
        world = run(seed, catalog)
        assert world.counted() == world.truth(), f"seed {seed}"
        refusals += world.store.refusals
        answers_lost += world.store.answers_lost
        dropped += world.dropped
    # The stories must really have been eventful, or this proves nothing.
    assert refusals > SEEDS / 10
    assert answers_lost > SEEDS / 10
    assert dropped > SEEDS / 10
    print(
        f"\n{SEEDS} seeds, {refusals} refused chunks, {answers_lost} lost answers, {dropped} dropped chunks: difference 0"
    )


def test_what_retention_removed_is_counted_as_lost(catalog: Catalog) -> None:
    async def scenario(world: World) -> None:
        worker = Worker(world, "a")
        world.workers = [worker]
        await worker.assign([0])
        worker.fetch()
        while await worker.handle_one() is not Verdict.COUNTED:  # a log may begin with a hole, which is read twice
            worker.fetch()
        at = world.store.states[0].next_offset
        end = world.log.end(0)
        world.log.starts[0] = cut = (at + end) // 2 + 1
        fresh = Worker(world, "b")
        await fresh.assign([0])
        while fresh.fetch() or fresh.fetched:
            await fresh.handle_one()
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
        world.log.partitions[0] = world.log.partitions[0][:1]
        world.store.states[0] = type(world.store.states[0])(world.log.end(0) + 1, 0, 0)
        with pytest.raises(StateError, match="the log ends at"):
            await Worker(world, "b").assign([0])

    asyncio.run(scenario(World(1, catalog, 0.0)))
