"""What moves under a worker without a word: fetches of another assignment, a log that was cut, a Redis that went back in silence."""

from dataclasses import replace

import pytest

from streams.catalog import Catalog
from streams.errors import StateError
from streams.ingest.chunks import NO_EPOCH
from streams.ingest.partition import Verdict
from tests.simulation.test_single_faults import finish, piece, play
from tests.simulation.world import Worker, World


@pytest.mark.parametrize("told", ["epoch", "start"])
def test_a_fetch_that_did_not_begin_where_we_sought_skips_nothing(catalog: Catalog, told: str) -> None:
    """aiokafka forgets positions with every assignment and begins at Kafka's commit: events between must not be taken for a hole."""

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        elsewhere = piece(world, worker, 2, 3)
        chunk = replace(elsewhere, epoch=NO_EPOCH) if told == "epoch" else elsewhere
        assert await worker.count(chunk) is Verdict.AWAY
        assert world.store.states == {}
        await finish(world, worker)

    play(catalog, scene)


def test_a_log_that_was_cut_under_a_running_worker_stops_it(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 3))
        counted = world.store.snapshot()
        world.log.partitions[0] = world.log.partitions[0][:2]
        with pytest.raises(StateError, match="but the log ends at"):
            await worker.count(piece(world, worker, 0, 1))
        assert world.store.snapshot() == counted

    play(catalog, scene)


def test_a_topic_that_was_created_anew_stops_a_worker_at_the_first_step_back(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 2))

        async def another() -> None:
            raise StateError("created anew")

        worker.confirm_topic = another  # type: ignore[method-assign]
        with pytest.raises(StateError, match="created anew"):
            await worker.count(piece(world, worker, 1, 4))

    play(catalog, scene)


@pytest.mark.parametrize("emptied", [True, False])
def test_redis_that_went_back_is_noticed_at_a_heartbeat(catalog: Catalog, emptied: bool) -> None:
    """Nothing comes any more: no chunk would tell."""

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 2))
        saved = world.store.snapshot()
        await worker.count(piece(world, worker, 2, len(world.log.partitions[0])))
        world.store.restore(({}, type(world.store.totals)(), {}) if emptied else saved)
        world.store.prepared = not emptied
        stored = world.store.states.get(0)
        await worker.ingestor.compare({0: stored.next_offset if stored else None})
        await finish(world, worker)

    play(catalog, scene)


def test_a_heartbeat_that_was_overtaken_by_a_chunk_changes_nothing(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 1))
        before = world.store.states[0].next_offset
        await worker.count(piece(world, worker, 1, 2))
        known = worker.ingestor.ledgers[0]
        await worker.ingestor.compare({0: before})
        assert worker.ingestor.ledgers[0] is known

    play(catalog, scene)


def test_where_retention_left_nothing_the_rest_is_lost_at_once(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 2))
        position, end = world.store.states[0].next_offset, world.log.end(0)
        await worker.ingestor.pass_over_what_is_gone(0, end)
        assert world.store.states[0].next_offset == position  # it is all still there
        world.log.starts[0] = end
        await worker.ingestor.pass_over_what_is_gone(0, end)
        await worker.ingestor.commit()
        assert world.store.states[0].next_offset == end
        assert world.store.totals[("x",)] == end - position

    play(catalog, scene)


def test_a_rebalance_while_a_gap_is_judged_takes_the_counter_away(catalog: Catalog) -> None:
    """The counter may serve on in the new assignment: the old one must not feed it any more."""

    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        await worker.count(piece(world, worker, 0, 1))
        after = piece(world, worker, 2, 3)
        position = world.store.states[0].next_offset
        world.log.starts[0] = after.start  # retention took what lies between
        start = worker.log_start

        async def meanwhile(partition: int) -> int:
            await worker.assign([0])
            return await start(partition)

        worker.log_start = meanwhile  # type: ignore[method-assign]
        assert await worker.count(after) is Verdict.GIVEN_UP
        worker.log_start = start  # type: ignore[method-assign]
        assert worker.ingestor.ledgers[0].position == world.store.states[0].next_offset == position
        while worker.fetch():
            await worker.handle_one()
        await worker.ingestor.commit()
        assert world.store.states[0].next_offset == world.log.end(0)
        assert world.store.totals[("x",)] == after.start - position

    play(catalog, scene)


def test_a_store_that_another_worker_moved_meanwhile_is_no_log_that_lost_its_end(catalog: Catalog) -> None:
    """The log's end is asked, then another worker counts one event more, then Redis is read."""

    async def scene(world: World, worker: Worker) -> None:
        batches = world.log.partitions[0]
        world.log.partitions[0] = batches[:2]
        bounds = {0: (0, world.log.end(0))}
        world.log.partitions[0] = batches
        other = Worker(world, "b")
        await other.assign([0])
        await other.count(piece(world, other, 0, 3))
        assert await worker.ingestor.place(bounds) == {0: 0}  # its warm-up begins there
        await worker.seek(0, 0)
        await finish(world, worker)

    play(catalog, scene)


def test_what_stops_counting_stops_it_behind_what_came_before(catalog: Catalog) -> None:
    async def scene(world: World, worker: Worker) -> None:
        await worker.assign([0])
        chunk = replace(piece(world, worker, 0, 2), problem=StateError("stamped by its sender"))
        with pytest.raises(StateError, match="stamped"):
            await worker.count(chunk)
        assert world.store.states[0].next_offset == chunk.end
        nothing = replace(chunk, start=chunk.end, batches=[], problem=StateError("stamped by its sender"))
        with pytest.raises(StateError, match="stamped"):
            await worker.count(nothing)
        await finish(world, worker)

    play(catalog, scene)
