"""Kafka as people run it: three brokers, two in sync at least. Killed, restarted one by one, too few in sync: counts stay exact.

Prints how long it took until counting went on. `PROVE_LONG=1 pytest -s tests/servers/test_three_brokers.py`
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from streams import edges
from streams.catalog import Catalog
from streams.count import Cut
from streams.topics import ensure_topics
from tests.servers.brokers import Broker, Cluster, three_brokers
from tests.servers.conftest import Installation, KafkaServer, RedisServer, install
from tests.servers.own_servers import varied
from tests.servers.supervised import Supervised
from tests.servers.test_outages import nothing_is_lost, traffic_to
from tests.servers.truth import snapshot_of, total
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.long]
RATE = 300
#: Events that a worker which takes over must read again before it counts.
REMEMBERED = 150_000
SESSION_SECONDS = 12
#: From `kill -9` of a worker until all of its partitions count again, beside the session timeout.
TAKEOVER_SECONDS_MAX = 15.0
GOES_ON_SECONDS_MAX = 60.0


class Running:
    """A chain under load on three brokers."""

    def __init__(self, cluster: Cluster, installation: Installation) -> None:
        self.cluster, self.settings = cluster, installation.settings
        self.table: list[str] = []

    def counted(self) -> int:
        return total(snapshot_of(self.settings), Cut.EVENTS)

    def fault(self, what: str, do: Callable[[], None]) -> None:
        """Do it, and note the longest time without any progress from its beginning until counting goes on."""
        with Standstill(self) as standstill:
            do()
            before = self.counted()
            wait_for(f"counting after: {what}", lambda: self.counted() > before + RATE, GOES_ON_SECONDS_MAX)
        self.table.append(f"{what}: stood still for {standstill.longest:.1f} s at most")

    def restart(self, broker: Broker) -> None:
        broker.stop()
        broker.begin()
        broker.wait()
        self.cluster.wait_in_sync(self.settings.topic)

    def need_in_sync(self, number: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.cluster.bootstrap_servers)
        admin.alter_configs([ConfigResource("topic", self.settings.topic, {"min.insync.replicas": str(number)})])
        admin.close()

    def too_few_in_sync(self) -> None:
        """All three must be in sync, and one is killed: nothing is confirmed until it is back."""
        topic = self.settings.topic
        self.need_in_sync(3)
        gone = self.cluster.leader_of(topic, 1)
        gone.kill()
        time.sleep(12)  # the others notice
        stands = self.counted()
        time.sleep(3)
        assert self.counted() - stands < RATE, "too few are in sync: nothing is confirmed"
        began = time.monotonic()
        gone.start()
        wait_for("counting goes on", lambda: self.counted() > stands + RATE, GOES_ON_SECONDS_MAX)
        self.table.append(
            f"too few in sync: counting went on {time.monotonic() - began:.1f} s after the broker was started"
        )
        self.cluster.wait_in_sync(topic)
        self.need_in_sync(2)

    def take_over(self, group: Supervised) -> None:
        """kill -9 of one of two workers, which stays away; until each of its partitions has moved on."""
        gone = group.worker(1).process.pid
        snapshot = snapshot_of(self.settings)
        its = [number for number, beat in snapshot.heartbeats.items() if beat.pid == gone]
        assert 0 < len(its) < snapshot.partitions, its
        group.lose(1)
        began = time.monotonic()
        stood = {number: snapshot_of(self.settings).offsets[number].next_offset for number in its}

        def moved_on() -> bool:
            offsets = snapshot_of(self.settings).offsets
            return all(offsets[number].next_offset > offset for number, offset in stood.items())

        wait_for("its partitions count again", moved_on, SESSION_SECONDS + TAKEOVER_SECONDS_MAX)
        seconds = time.monotonic() - began
        self.table.append(
            f"kill -9 of one of two workers, session of {SESSION_SECONDS} s, {REMEMBERED:,} events to be read again: its {len(its)} "
            f"partitions counted after {seconds:.1f} s"
        )
        group.add(1)


class Standstill:
    """Looks, from a thread, how long nothing more was counted."""

    def __init__(self, chain: Running) -> None:
        self.longest = 0.0
        self._chain, self._ended = chain, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Standstill":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        counted, since = self._chain.counted(), time.monotonic()
        while not self._ended.wait(0.1):
            now = self._chain.counted()
            self.longest = max(self.longest, time.monotonic() - since)
            if now != counted:
                counted, since = now, time.monotonic()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with three_brokers(tmp_path / "brokers") as found:
        yield found


def installed(cluster: Cluster, redis_server: RedisServer, directory: Path) -> Installation:
    """An installation whose topics have three replicas, two in sync at least."""
    broker = cluster.brokers[0]
    assert broker._process is not None
    plain = install(KafkaServer(cluster.bootstrap_servers, broker._process), redis_server, directory)
    own = varied(
        plain,
        topic=plain.settings.topic + ".r3",
        rejected_topic=plain.settings.rejected_topic + ".r3",
        topic_replication_factor=3,
        topic_min_insync_replicas=2,
        worker_session_seconds=SESSION_SECONDS,
    )
    ensure_topics(edges.kafka_address(own.settings), edges.topic_designs(own.settings))
    return own


def test_counts_are_exact_whatever_happens_to_brokers(
    cluster: Cluster, redis_server: RedisServer, tmp_path: Path, catalog: Catalog
) -> None:
    own = installed(cluster, redis_server, tmp_path)
    it = Running(cluster, own)
    with Supervised(own.environment, own.directory, 2) as group:
        traffic = traffic_to(own, catalog)
        traffic.send(REMEMBERED)
        traffic.flush()
        wait_for("counting", lambda: it.counted() > 0.9 * REMEMBERED)
        traffic.begin(RATE)
        leader = cluster.leader_of(own.settings.topic, 0)
        it.fault("kill -9 of the leader of partition 0", leader.kill)
        leader.start()
        cluster.wait_in_sync(own.settings.topic)
        for each in cluster.brokers:
            it.fault(f"broker {each.number} restarted", lambda each=each: it.restart(each))  # type: ignore[misc]

        it.too_few_in_sync()

        it.take_over(group)
        nothing_is_lost(group, traffic, own, catalog)
        print("\n" + "\n".join(it.table) + f"\nexits {group.exits}, difference 0")
