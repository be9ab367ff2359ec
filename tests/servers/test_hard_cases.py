"""The hard cases of docs/guarantees.md on real Kafka and Redis: each has one defined outcome, and the figures are right afterwards."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from confluent_kafka import Producer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions
from kafka.structs import TopicPartition

from streams import edges
from streams.catalog import Catalog
from streams.count import Cut
from streams.live.keys import LAYOUT
from streams.settings import default_config_dir
from streams.topics import ensure_topics
from tests.servers.conftest import Installation
from tests.servers.own_servers import RedisHandle, on_own_redis, varied
from tests.servers.traffic import Traffic
from tests.servers.truth import differences, is_drained, log_ends, snapshot_of, total, wait_drained
from tests.servers.workers import WorkerProcess, reader_of, workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
EXIT_STATE = 4
#: As short as Kafka allows: a test waits for its end.
SESSION_SECONDS = 6


@contextmanager
def admin(installation: Installation) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=installation.settings.kafka_bootstrap_servers)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def raw_redis(installation: Installation) -> Iterator[Any]:
    with redis.Redis.from_url(installation.settings.redis_url, decode_responses=True) as client:
        yield client


def key(installation: Installation, name: str) -> str:
    return "{" + installation.settings.redis_prefix + "}:" + name


def forget_counts(installation: Installation) -> None:
    """What every message tells an operator to do to start over."""
    with raw_redis(installation) as client:
        for name in list(client.scan_iter(key(installation, "*"))):
            client.delete(name)


def traffic_to(installation: Installation, catalog: Catalog, seed: int = 1) -> Traffic:
    return Traffic(installation.settings.kafka_bootstrap_servers, installation.settings.topic, catalog, seed)


def ends_with(worker: WorkerProcess, code: int, message: str, seconds: float = 45.0) -> None:
    """The worker ends by itself, with this exit code and one clear message as its last line."""
    wait_for(f"the worker ends ({message})", lambda: worker.process.poll() is not None, seconds)
    assert worker.process.returncode == code, worker.log
    last = worker.log.rstrip().splitlines()[-1]
    assert message in last, worker.log
    assert last.startswith("vigie: ")


@pytest.fixture
def own_redis(installation: Installation) -> Iterator[tuple[Installation, RedisHandle]]:
    """The installation on a Redis of its own, which a test may kill, empty and set back, and few partitions: each takes its time."""
    few = varied(installation, topic=f"{installation.settings.topic}.few", topic_partitions=4)
    ensure_topics(edges.kafka_address(few.settings), edges.topic_designs(few.settings)[:1])
    with on_own_redis(few) as both:
        yield both


def test_holes_in_offsets_count_nothing_and_both_ways_of_reading_agree(
    installation: Installation, catalog: Catalog
) -> None:
    """Transaction markers, committed and aborted. Vigie reads uncommitted: an event of an aborted transaction was sent, and counts."""
    settings = installation.settings
    traffic = traffic_to(installation, catalog)
    transactional = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "transactional.id": settings.topic}
    )
    transactional.init_transactions(30)
    sent = 0
    now = time.time_ns() // 1_000_000
    for turn in range(6):
        traffic.send(60)
        traffic.flush()
        transactional.begin_transaction()
        for n in range(10):
            event = {
                "v": 1,
                "id": f"t{turn}-{n}",
                "ts": now,
                "visitor": f"{n:032x}",
                "uai": "0541234Y",
                "service": "NOTES",
            }
            transactional.produce(settings.topic, orjson.dumps(event), key=f"t{n}".encode())
            sent += 1
        transactional.flush(30)
        if turn % 2:
            transactional.abort_transaction(30)
        else:
            transactional.commit_transaction(30)
    ends = log_ends(settings)
    assert sum(ends.values()) > traffic.sent.records + sent  # there are markers
    with workers(installation.environment, installation.directory, 1) as (worker,):
        wait_drained(settings)
        # The log ends in markers: nothing is left, and settled time goes on.
        wait_for("idle", lambda: all(beat.idle_since_ms for beat in snapshot_of(settings).heartbeats.values()))
        assert worker.stop() == 0
    assert total(snapshot_of(settings), Cut.EVENTS) == traffic.sent.events.total() + sent
    assert total(snapshot_of(settings), Cut.LOST) == 0
    assert differences(settings, catalog) == []


def minutes_of(settings: object) -> list[tuple[int, dict[tuple[str, ...], int]]]:
    reader = reader_of(settings)  # type: ignore[arg-type]
    try:
        return [(m.minute, m.counts) for m in reader.minutes()]
    finally:
        reader.close()


def test_added_partitions_are_read_from_their_beginning_by_running_workers(
    installation: Installation, catalog: Catalog
) -> None:
    few = varied(installation, topic=f"{installation.settings.topic}.few", topic_partitions=2)
    ensure_topics(edges.kafka_address(few.settings), edges.topic_designs(few.settings)[:1])
    with workers(few.environment, few.directory, 1):
        before = traffic_to(few, catalog)
        before.send(300)
        before.flush()
        wait_drained(few.settings)
        assert snapshot_of(few.settings).partitions == 2
        with admin(few) as client:
            client.create_partitions({few.settings.topic: NewPartitions(5)})
        after = traffic_to(few, catalog, seed=2)
        after.send(600)
        after.flush()
        wait_for("the new partitions", lambda: len(log_ends(few.settings)) == 5 and is_drained(few.settings))
        wait_for("observers know", lambda: snapshot_of(few.settings).partitions == 5, 30)
        wait_for("all vouched for", lambda: len(snapshot_of(few.settings).heartbeats) == 5)
    assert differences(few.settings, catalog) == []
    assert total(snapshot_of(few.settings), Cut.EVENTS) == before.sent.events.total() + after.sent.events.total()


def test_a_topic_that_is_created_anew_stops_running_and_restarted_workers(
    installation: Installation, catalog: Catalog
) -> None:
    settings = installation.settings
    with workers(installation.environment, installation.directory, 1) as (worker,):
        traffic = traffic_to(installation, catalog)
        traffic.send(2000)
        traffic.flush()
        wait_drained(settings)
        counted = snapshot_of(settings).totals
        with admin(installation) as client:
            client.delete_topics([settings.topic])
            wait_for("deleted", lambda: settings.topic not in client.list_topics())
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        anew = traffic_to(installation, catalog, seed=2)
        anew.send(300)  # fewer than were counted: nothing of them may be added
        anew.flush()
        ends_with(worker, EXIT_STATE, "created anew")
    assert snapshot_of(settings).totals == counted
    with workers(installation.environment, installation.directory, 1) as (again,):
        ends_with(again, EXIT_STATE, "created anew")


@pytest.mark.long
def test_what_retention_removed_is_lost_to_the_unit(installation: Installation, catalog: Catalog) -> None:
    """Under a running worker; before a stopped one begins again; and where nothing is left that would come after."""
    installation = varied(installation, topic=f"{installation.settings.topic}.few", topic_partitions=3)
    settings = installation.settings
    ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings)[:1])
    traffic = traffic_to(installation, catalog)

    def remove(number: int, beyond: dict[int, int]) -> int:
        """Send; remove so many offsets beyond what is counted of each partition (None: all); return how many went uncounted."""
        positions = {n: state.next_offset for n, state in snapshot_of(settings).offsets.items()}
        traffic.send(number)
        traffic.flush()
        cuts = {n: min(end, positions[n] + beyond.get(n, end)) for n, end in log_ends(settings).items()}
        with admin(installation) as client:
            client.delete_records({TopicPartition(settings.topic, n): cut for n, cut in cuts.items()})
        return sum(cut - positions[n] for n, cut in cuts.items())

    def lost_and_all() -> tuple[int, int]:
        """Offsets lost, and all that is accounted for."""
        found = snapshot_of(settings)
        parts = [total(found, cut) for cut in (Cut.LOST, Cut.EVENTS, Cut.REJECTED, Cut.DUPLICATE)]
        return parts[0], sum(parts)

    with workers(installation.environment, installation.directory, 1) as (worker,):
        traffic.send(500)
        traffic.flush()
        wait_drained(settings)
        worker.process.send_signal(signal.SIGSTOP)  # shorter than its session
        gone = remove(200, dict.fromkeys(range(3), 7))
        worker.process.send_signal(signal.SIGCONT)
        wait_drained(settings)
        lost, accounted = lost_and_all()
        # What it had already been sent by Kafka when it was stopped is counted, not lost.
        assert 0 < lost <= gone
        assert accounted == traffic.sent.records
        assert worker.stop() == 0
    before = lost_and_all()[0]
    gone = remove(400, {0: 0, 1: 3})
    with workers(installation.environment, installation.directory, 1):
        wait_drained(settings)
    assert lost_and_all() == (before + gone, traffic.sent.records)


def test_a_stored_offset_past_the_end_of_the_log_stops_running_and_restarted_workers(
    installation: Installation, catalog: Catalog
) -> None:
    settings = installation.settings
    traffic = traffic_to(installation, catalog)
    with workers(installation.environment, installation.directory, 1) as (worker,):
        traffic.send(400)
        traffic.flush()
        wait_drained(settings)
        with raw_redis(installation) as client:
            stored = client.hget(key(installation, "offsets"), "0").split(" ")
            client.hset(key(installation, "offsets"), "0", " ".join([stored[0], "100000", *stored[2:]]))
        counted = snapshot_of(settings).totals
        traffic.send(200)
        traffic.flush()
        ends_with(worker, EXIT_STATE, "100000 offsets are counted but the log ends at")
    after = snapshot_of(settings).totals
    assert total_of(after, Cut.EVENTS) <= total_of(counted, Cut.EVENTS) + 200
    with workers(installation.environment, installation.directory, 1) as (again,):
        ends_with(again, EXIT_STATE, "100000 offsets are counted but the log ends at")


def total_of(totals: dict[tuple[str, ...], int], cut: Cut) -> int:
    return sum(n for k, n in totals.items() if k[0] == cut)


@pytest.mark.long
def test_redis_emptied_and_set_back_under_load(own_redis: tuple[Installation, RedisHandle], catalog: Catalog) -> None:
    """FLUSHALL, then an older copy of its files. Half of the partitions get no events meanwhile: they must be mended all the same."""
    installation, handle = own_redis
    settings = installation.settings
    traffic = traffic_to(installation, catalog)
    with workers(installation.environment, installation.directory, 2):
        traffic.send(2000)
        traffic.flush()
        wait_drained(settings)
        traffic.begin(200)
        with raw_redis(installation) as client:
            client.flushall()
        wait_for("counted again", lambda: total(snapshot_of(settings), Cut.EVENTS) > 1500)
        older = handle.copy()
        time.sleep(2.0)
        handle.kill()
        handle.start(older)
        time.sleep(1.0)
        sent = traffic.end()
        wait_drained(settings)
        with raw_redis(installation) as client:  # and now that nothing comes any more
            client.flushall()
        wait_drained(settings)
        handle.kill()
        handle.start(older)
        wait_drained(settings)
    assert not (rows := differences(settings, catalog, sent)), "\n".join(rows)


def test_a_worker_that_was_stopped_longer_than_its_session_counts_nothing_twice(
    installation: Installation, catalog: Catalog
) -> None:
    """SIGSTOP until its session is over: another takes over its partitions, and for a moment both believe that they own them."""
    installation = varied(installation, worker_session_seconds=SESSION_SECONDS)
    settings = installation.settings
    traffic = traffic_to(installation, catalog)
    with workers(installation.environment, installation.directory, 2) as (one, two):
        wait_for("both ready", lambda: one.ready() and two.ready())
        traffic.begin(300)
        wait_for("counting begins", lambda: total(snapshot_of(settings), Cut.EVENTS) > 100)
        one.process.send_signal(signal.SIGSTOP)
        wait_for("the other has all", lambda: "ent_worker_partitions 8.0" in two.get("/metrics")[1], 40)
        wait_for("the other counts all", lambda: lag_of(two) < 2.0, 40)
        one.process.send_signal(signal.SIGCONT)
        wait_for(
            "it is back",
            lambda: "ent_worker_partitions 4.0" in two.get("/metrics")[1] or one.process.poll() is not None,
            60,
        )
        sent = traffic.end()
        wait_drained(settings)
        assert one.process.poll() in (None, 3), one.log
    assert not (rows := differences(settings, catalog, sent)), "\n".join(rows)


def lag_of(worker: WorkerProcess) -> float:
    lines = [line for line in worker.get("/metrics")[1].splitlines() if line.startswith("ent_lag_seconds{")]
    return max((float(line.rpartition(" ")[2]) for line in lines), default=1e9)


def test_a_lua_error_in_mid_script_stops_every_worker_until_counts_are_deleted(
    installation: Installation, catalog: Catalog
) -> None:
    settings = installation.settings
    traffic = traffic_to(installation, catalog)
    with workers(installation.environment, installation.directory, 1) as (worker,):
        wait_for("ready", worker.ready)
        with raw_redis(installation) as client:  # the script writes totals, then minutes: here it breaks
            for ago in range(200):
                client.set(key(installation, f"minute:{int(time.time()) // 60 - ago}"), "not a hash")
        traffic.send(300)
        traffic.flush()
        ends_with(worker, EXIT_STATE, "written only in part")
    assert snapshot_of(settings).mark is not None
    with workers(installation.environment, installation.directory, 1) as (again,):
        ends_with(again, EXIT_STATE, "written only in part")
    forget_counts(installation)
    with workers(installation.environment, installation.directory, 1):
        wait_drained(settings)
    assert differences(settings, catalog, traffic.sent) == []


def test_another_key_layout_stops_and_another_catalog_is_shown(
    installation: Installation, catalog: Catalog, tmp_path: Path
) -> None:
    settings = installation.settings
    traffic = traffic_to(installation, catalog)
    with workers(installation.environment, installation.directory, 1) as (worker,):
        traffic.send(300)
        traffic.flush()
        wait_drained(settings)
        with raw_redis(installation) as client:
            client.hset(key(installation, "meta"), "layout", "0")
        traffic.send(100)
        traffic.flush()
        ends_with(worker, EXIT_STATE, "key layout 0, this version writes layout")
        with raw_redis(installation) as client:
            client.hset(key(installation, "meta"), "layout", LAYOUT)
    lists = tmp_path / "config"
    shutil.copytree(default_config_dir(), lists)
    services = lists / "services.yaml"
    services.write_text(services.read_text().replace("ABSENCES", "ABSENCES_2"))
    other = {**installation.environment, "VIGIE_CONFIG_DIR": str(lists)}
    with workers(other, installation.directory, 1) as (worker,):
        wait_drained(settings)
        assert "begun under other lists" in worker.log
    assert differences(settings, catalog, traffic.sent) == []


def test_a_compacted_topic_is_refused(installation: Installation) -> None:
    """A compacted log is no longer the state: the checks at the start refuse it, and name the command that mends it."""
    settings = installation.settings
    with admin(installation) as client:
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic, {"cleanup.policy": "compact"})])
    with workers(installation.environment, installation.directory, 1) as (worker,):
        wait_for("it ends", lambda: worker.process.poll() is not None, 30)
    assert worker.process.returncode == 3
    assert f"{settings.topic}: cleanup.policy is compact, must be delete: kafka-configs.sh" in worker.log
