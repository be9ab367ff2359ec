"""A story: one seed decides which faults come when; then the store must hold the counts of the log, each exactly once."""

import asyncio
from dataclasses import dataclass

from streams.catalog import Catalog
from tests.simulation.world import Snapshot, Worker, World

STEPS = 80


@dataclass
class Events:
    """How eventful stories were: partitions refused, answers lost, chunks dropped on their way, partitions held back by others."""

    refusals: int = 0
    answers_lost: int = 0
    dropped: int = 0
    held_back: int = 0

    def add(self, other: "Events") -> None:
        self.refusals += other.refusals
        self.answers_lost += other.answers_lost
        self.dropped += other.dropped
        self.held_back += other.held_back


async def rebalance(world: World) -> None:
    """Spread the partitions over the workers anew; sometimes two believe they own the same one."""
    owners: dict[int, list[int]] = {n: [] for n in range(len(world.workers))}
    for partition in world.log.partitions:
        owners[world.rnd.randrange(len(world.workers))].append(partition)
        if world.rnd.random() < 0.35:
            owners[world.rnd.randrange(len(world.workers))].append(partition)
    for number, worker in enumerate(world.workers):
        await worker.assign(sorted(set(owners[number])))


async def story(world: World) -> None:
    """Random steps: fetch, count, call, crash in the middle, rebalance, forget; then everything is let run to the end.

    Chunks and calls are begun, and go on while other steps happen: a call meets rebalances, crashes and another worker's calls.
    """
    world.workers = [Worker(world, "a"), Worker(world, "b")]
    gone: list[Worker] = []  # stopped (SIGSTOP) and replaced; what they had begun goes on when they wake up
    await rebalance(world)
    saved = world.store.snapshot()
    for _ in range(STEPS):
        worker = world.rnd.choice(world.workers)
        dice = world.rnd.random()
        if dice < 0.30:
            worker.fetch()
        elif dice < 0.62:
            await worker.begin_one()
        elif dice < 0.82:
            worker.begin_call()
        elif dice < 0.85:  # kill -9
            world.workers[world.workers.index(worker)] = worker.killed()
            await rebalance(world)
        elif dice < 0.87:
            gone.append(worker)
            worker.begin_call()
            world.workers[world.workers.index(worker)] = Worker(world, worker.name)
            await rebalance(world)
        elif dice < 0.91:
            await rebalance(world)
        elif dice < 0.94:
            saved = world.store.snapshot()
        elif dice < 0.98:
            go_back(world, saved if dice < 0.97 else None)
        else:  # the worker lets go in mid-flight
            worker.stopping = True
            await worker.begin_one()
            await asyncio.sleep(0)
            worker.stopping = False
            await rebalance(world)
    await let_run_to_the_end(world, gone)


def go_back(world: World, saved: Snapshot | None) -> None:
    """Redis comes back as it was some time ago, or empty: offsets and counts go back together."""
    if saved is None:
        world.store.restore(({}, type(world.store.totals)(), {}))
        world.store.prepared = False
    else:
        world.store.restore(saved)


async def let_run_to_the_end(world: World, gone: list[Worker]) -> None:
    """No more faults: what was begun ends, and one worker reads all that is left."""
    world.store.fault_rate = world.drop_rate = 0.0
    for worker in (*world.workers, *gone):
        await worker.rest()
    last = Worker(world, "last")
    world.workers = [last]
    await rebalance(world)
    assert await last.read_on(400), "the log is not read to its end"


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
    return Events(world.store.refusals, world.store.answers_lost, world.dropped, world.store.held_back)
