"""A story: one seed decides which faults come when; then the store must hold the counts of the log, each exactly once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from streams.catalog import Catalog
from tests.simulation.world import Worker, World

STEPS = 60


@dataclass
class Events:
    """How eventful stories were: chunks refused, answers lost, chunks dropped on their way."""

    refusals: int = 0
    answers_lost: int = 0
    dropped: int = 0

    def add(self, other: Events) -> None:
        self.refusals += other.refusals
        self.answers_lost += other.answers_lost
        self.dropped += other.dropped


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


def _run(seed: int, catalog: Catalog, fault_rate: float = 0.15) -> World:
    world = World(seed, catalog, fault_rate)
    asyncio.run(story(world))
    return world


def tell(seed: int, catalog: Catalog) -> Events:
    """Run the story of one seed.

    Raises:
        AssertionError: a figure differs; the message names the seed.
    """
    world = _run(seed, catalog)
    assert world.counted() == world.truth(), f"seed {seed}"
    return Events(world.store.refusals, world.store.answers_lost, world.dropped)
