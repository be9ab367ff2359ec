"""Outages on servers of a test's own: nothing is lost, memory stays bounded, the state is said, nobody has to help, a stop is bounded."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from streams.catalog import Catalog
from streams.count import Cut
from tests.servers.conftest import Installation
from tests.servers.own_servers import on_own_kafka, on_own_redis, varied
from tests.servers.supervised import Supervised
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.traffic import Traffic
from tests.servers.truth import differences, snapshot_of, total, wait_drained
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
STOP_SECONDS_MAX = 25.0
#: A worker holds at most 8 chunks and its memory of ids and visitors; its code alone takes about 110 MB.
RSS_BYTES_MAX = 400_000_000


def traffic_to(installation: Installation, catalog: Catalog) -> Traffic:
    return Traffic(installation.settings.kafka_bootstrap_servers, installation.settings.topic, catalog, 1)


def counting(installation: Installation, at_least: int = 200) -> Callable[[], bool]:
    def counts() -> bool:
        return total(snapshot_of(installation.settings), Cut.EVENTS) >= at_least

    return counts


def is_said(group: Supervised, text: str) -> Callable[[], bool]:
    """Whether a worker's /readyz gives this as its reason."""
    return lambda: any(text in reason for reason in group.unready())


def ends_in_time(group: Supervised) -> None:
    for code, seconds in group.stop_all():
        assert seconds < STOP_SECONDS_MAX
        # A worker that joined a moment ago may not have come to its signal handlers: it holds nothing yet.
        assert code in (0, 3, 70, -signal.SIGTERM), code


def nothing_is_lost(group: Supervised, traffic: Traffic, installation: Installation, catalog: Catalog) -> None:
    sent = traffic.end()
    wait_drained(installation.settings, 120)
    print(f"\nRSS at most {group.rss_bytes_max / 1e6:.0f} MB, exits {group.exits}")
    assert group.rss_bytes_max < RSS_BYTES_MAX
    wait_for("ready again", lambda: not group.unready(), 60)
    assert not (rows := differences(installation.settings, catalog, sent)), "\n".join(rows)


@pytest.mark.long
def test_both_are_down_at_the_start_then_kafka_is_killed_and_comes_back(
    installation: Installation, catalog: Catalog
) -> None:
    with on_own_kafka(installation) as (with_kafka, kafka_server), on_own_redis(with_kafka) as (own, redis_server):
        kafka_server.kill()
        redis_server.kill()
        with Supervised(own.environment, own.directory, 2) as group:
            wait_for("said", is_said(group, "Kafka at"), 40)
            group.remove(1)  # a stop while both are down
            kafka_server.start()
            wait_for("said", is_said(group, "Redis at"), 40)
            redis_server.start()
            traffic = traffic_to(own, catalog)
            traffic.begin(300)
            wait_for("counting", counting(own), 90)
            kafka_server.kill()
            wait_for("said", is_said(group, "Kafka does not say where the log ends"), 40)
            kafka_server.start()
            wait_for("ready again", lambda: not group.unready(), 60)
            with kafka_server.paused(), redis.Redis.from_url(redis_server.url) as client:
                client.flushall()  # to begin again asks Kafka where its log begins, and Kafka alone fails
                wait_for(
                    "said",
                    is_said(group, f"Kafka at {kafka_server.servers} does not answer as needed: no answer in time"),
                    60,
                )
                assert not is_said(group, "Redis")()
            nothing_is_lost(group, traffic, own, catalog)
            kafka_server.kill()
            ends_in_time(group)


def test_redis_is_killed_and_comes_back_while_a_worker_joins(installation: Installation, catalog: Catalog) -> None:
    """With the outage a rebalance: chunks in hand are given up, their counters discarded, and the events counted later."""
    with on_own_redis(installation) as (own, server), Supervised(own.environment, own.directory, 2) as group:
        traffic = traffic_to(own, catalog)
        traffic.begin(300)
        wait_for("counting", counting(own))
        server.kill()
        wait_for("said", is_said(group, "Redis at"), 40)
        wait_for("counted", lambda: group.metric("ent_worker_redis_failures_total") > 0, 20)
        group.remove(1)  # within its bound: checked by `stop`
        group.add(2)
        time.sleep(5.0)
        server.start()
        nothing_is_lost(group, traffic, own, catalog)
        server.kill()
        ends_in_time(group)


def test_redis_is_full_then_is_given_room(installation: Installation, catalog: Catalog) -> None:
    with on_own_redis(installation) as (own, server), Supervised(own.environment, own.directory, 1) as group:
        traffic = traffic_to(own, catalog)
        traffic.begin(300)
        wait_for("counting", counting(own))
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "1mb")
            wait_for("said", is_said(group, "used memory > 'maxmemory'"), 40)
            time.sleep(2.0)
            client.config_set("maxmemory", "0")
        nothing_is_lost(group, traffic, own, catalog)
        assert snapshot_of(own.settings).mark is None
        assert group.exits == []
        ends_in_time(group)


def test_redis_cannot_write_its_append_only_file(installation: Installation, catalog: Catalog) -> None:
    """The disk of the append-only file is full: Redis refuses writes until there is room again."""
    with (
        small_disk(installation.directory / "own-redis" / "redis") as disk,
        on_own_redis(installation) as (own, _server),
        Supervised(own.environment, own.directory, 1) as group,
    ):
        traffic = traffic_to(own, catalog)
        traffic.begin(300)
        wait_for("counting", counting(own))
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as out, suppress(OSError):
            while True:
                out.write(b"0" * 4096)
        wait_for("said", is_said(group, "MISCONF"), 40)
        ballast.unlink()
        nothing_is_lost(group, traffic, own, catalog)
        ends_in_time(group)


@pytest.mark.long
def test_redis_is_slow(installation: Installation, catalog: Catalog) -> None:
    """Half a second a call: behind, but nothing is lost, and it ends in time."""
    with (
        on_own_redis(installation) as (own, server),
        TcpProxy(server.port, 0.5) as proxy,
    ):
        slow = varied(own, redis_url=f"redis://127.0.0.1:{proxy.port}/0")
        with Supervised(slow.environment, slow.directory, 1) as group:
            traffic = traffic_to(own, catalog)
            traffic.begin(300)
            wait_for("counting", counting(own, 1000), 90)
            nothing_is_lost(group, traffic, own, catalog)
            assert group.exits == []
            ends_in_time(group)


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of 4 MB in memory; skipped where this user may not mount one."""
    directory.mkdir(parents=True)
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(directory)], capture_output=True, check=False
    )
    if not done or done.returncode != 0:
        pytest.skip("a full disk needs a small file system to fill: this user may not mount a tmpfs (root may)")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)
