"""The state of the chain as one object."""

import socket
import threading
import time

import msgspec
import orjson
import pytest

from streams.count import PartitionState
from streams.expose.probes import probe_kafka
from streams.expose.status import Installation, KafkaState, RedisState, build_status
from streams.live.observers import MISSED_MS, ObserverSaid

NOW_MS = 1_788_242_592_345
KAFKA = KafkaState(True, ("127.0.0.1:19092",))
NO_KAFKA = KafkaState(False, ("127.0.0.1:19092",), "Kafka does not take connections; start it")
REDIS = RedisState(True, "yes")
NO_REDIS = RedisState(False, error="Redis does not answer; start it")


@pytest.fixture
def build(catalog, make_snapshot, census):
    def build(snapshot=None, redis=REDIS, kafka=KAFKA, stack=None, shift=0, **changes):
        if redis.up and snapshot is None:
            snapshot = make_snapshot(**changes)
        known = census if snapshot else None
        return build_status(
            Installation(catalog, 20_000, shift),
            snapshot,
            known,
            redis=redis,
            kafka=kafka,
            stack=stack,
            clock_ms=NOW_MS + 1,
        )

    return build


def test_a_sound_chain(build, catalog):
    found = build()
    assert found.ready
    assert found.problems == ()
    assert found.settled_to == "2026-09-01T06:02:51.345Z"
    assert found.settled_age_seconds == 21.0
    assert (found.events, found.late, found.lost, found.not_kept) == (27, 2, 9, 1)
    assert (found.visits, found.duplicates, found.dedupe_window_seconds) == (7, 6, 720.5)
    assert found.visit_window_seconds == 2050
    assert (found.users, found.establishments) == ({"5m": 9, "15m": 12, "day": 400}, 3)
    assert found.rejected is not None
    assert {reason: n for reason, n in found.rejected.items() if n} == {"not_json": 4}
    assert (found.lag_events, found.lag_seconds) == (5, 1.5)
    assert (found.catalog.ours, found.catalog.stored) == (catalog.digest, catalog.digest)
    assert found.simulation is None


def test_partitions(build):
    held = build().partitions
    assert (held.count, held.unowned, held.stale, held.warming) == (2, 0, 0, 0)
    first = held.rows[0]
    assert (first.partition, first.offset, first.log_end, first.lag_events, first.owner) == (0, 110, 115, 5, "worker-a")
    assert first.watermark == "2026-09-01T06:02:51.345Z"


def test_no_offset_lies_above_the_end(build):
    """What is counted is read more often than Kafka is asked where its log ends."""
    counted = {0: PartitionState(121, NOW_MS, NOW_MS), 1: PartitionState(7, NOW_MS, NOW_MS)}
    first = build(offsets=counted).partitions.rows[0]
    assert (first.offset, first.log_end, first.lag_events) == (121, 121, 0)


def test_what_nobody_vouches_for_is_null_and_named(build):
    found = build(now_ms=NOW_MS + 60_000)
    assert (found.partitions.unowned, found.partitions.stale) == (2, 2)
    assert [(p.owner, p.log_end, p.lag_events, p.stale) for p in found.partitions.rows] == [
        (None, None, None, True)
    ] * 2
    assert (found.lag_events, found.lag_seconds) == (None, None)
    assert any("2 of 2 partitions have no worker" in problem for problem in found.problems)
    assert found.ready  # the servers answer; exit 0


def test_a_kafka_that_hangs_is_named(build, make_snapshot):
    def silent(confirmed_ms):
        beats = make_snapshot().heartbeats.items()
        return build(
            heartbeats={n: msgspec.structs.replace(b, log_end=None, confirmed_ms=confirmed_ms) for n, b in beats}
        ).problems

    (problem,) = silent(NOW_MS - 20_000)
    assert problem.startswith("Kafka has not told any worker for 20 s where the log ends, though it takes connections")
    assert "since they started" in silent(None)[0]
    assert silent(NOW_MS - 14_000) == ()


def test_a_warm_up_is_shown_and_named_when_events_wait_long_for_it(build, make_snapshot):
    def warming(lag_seconds):
        beats = make_snapshot().heartbeats
        return build(heartbeats={**beats, 1: msgspec.structs.replace(beats[1], warming=0.417, lag_seconds=lag_seconds)})

    found = warming(29.0)
    assert [p.warming for p in found.partitions.rows] == [None, 0.417]
    assert (found.partitions.warming, found.problems) == (1, ())
    (problem,) = warming(44.0).problems
    assert problem.startswith(
        "partitions 1 are still reading their last hour again (42% done) and their events wait, up to 44 s"
    )
    assert warming(44.0).ready


def test_what_observers_and_workers_say_of_themselves_is_named_and_who_is_silent(build, make_snapshot):
    said = {
        "a:8000": ObserverSaid(1, NOW_MS - 4_000, ("archivist: no space is left",)),
        "b:8000": ObserverSaid(2, NOW_MS - MISSED_MS - 1_000, ()),
        "c:8000": ObserverSaid(3, NOW_MS - 4_000, ()),
    }
    beats = {
        n: msgspec.structs.replace(beat, problem="topic-watch: hangs since 70 s")
        for n, beat in make_snapshot().heartbeats.items()
    }
    found = build(observers=said, heartbeats={**beats, 1: msgspec.structs.replace(beats[1], worker=beats[0].worker)})
    assert found.problems == (
        "observer a:8000: archivist: no space is left",
        "observer b:8000 has said nothing for 31 s: see whether it runs, and its log",
        f"worker {beats[0].worker}: topic-watch: hangs since 70 s",
    )
    assert found.ready


def test_workers_are_known_from_their_heartbeats_where_no_stack_runs(build):
    assert build().processes == (
        {"role": "worker", "pid": 71, "state": "running", "port": 8001, "name": "worker-a", "partitions": [0]},
        {"role": "worker", "pid": 72, "state": "running", "port": 8002, "name": "worker-b", "partitions": [1]},
    )
    assert [process["state"] for process in build(now_ms=NOW_MS + 15_000).processes] == ["stale", "stale"]


def test_the_processes_of_a_local_stack_are_those_it_recorded(build):
    recorded = [{"role": "worker", "slot": 0, "pid": None, "state": "restarting", "started_at": 1.5}]
    told = ({**recorded[0], "started_at": "1970-01-01T00:00:01Z"},)
    assert build(stack={"processes": recorded}).processes == told
    assert build(stack={"processes": recorded}, redis=NO_REDIS).processes == told


def test_redis_down(build):
    found = build(redis=NO_REDIS)
    assert not found.ready
    assert found.problems == ("Redis does not answer; start it",)
    assert (found.events, found.rejected, found.settled_to, found.lag_events) == (None, None, None, None)
    assert (found.visits, found.users, found.establishments) == (None, None, None)
    assert (found.duplicates, found.dedupe_window_seconds) == (None, None)
    assert found.at == "2026-09-01T06:03:12.346Z"


def test_kafka_down(build):
    found = build(kafka=NO_KAFKA)
    assert not found.ready
    assert found.problems == ("Kafka does not take connections; start it",)
    assert found.events == 27


@pytest.mark.parametrize(
    ("changes", "ready", "words"),
    [
        ({"layout": "0"}, False, "key layout 0"),
        ({"mark": "3 10 20"}, False, "written only in part"),
        ({"catalog": "other"}, True, "other lists"),
        ({"partitions": 0}, True, "no worker has come up"),
    ],
)
def test_problems_of_what_redis_holds(build, changes, ready, words):
    found = build(**changes)
    assert found.ready is ready
    assert any(words in problem for problem in found.problems)


def test_a_redis_without_append_only_file_is_named(build):
    assert any("appendonly" in problem for problem in build(redis=RedisState(True, "no")).problems)


def test_a_simulation_says_so(build):
    assert build(shift=-3600).simulation == "simulation du mardi 1er septembre 2026, 07:03"


def test_it_is_json(build):
    members = orjson.loads(orjson.dumps(build(redis=NO_REDIS)))
    assert members["partitions"] == {"count": 0, "unowned": 0, "stale": 0, "warming": 0, "rows": []}
    assert members["redis"] == {"up": False, "appendonly": "unknown", "error": "Redis does not answer; start it"}


@pytest.mark.alone
def test_kafka_is_up_when_somebody_answers_or_hangs_up_and_down_when_nobody_does() -> None:
    """A process that is held still takes connections: its kernel does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = f"127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        assert not probe_kafka((server,), 0.3).up
        assert time.monotonic() - began < 2.0

        def hang_up() -> None:
            for _ in range(2):  # the first is the connection of before
                listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert probe_kafka((server,), 5.0).up
        thread.join()
    assert not probe_kafka((server,), 0.3).up
