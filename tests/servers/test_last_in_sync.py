"""A leader that is the last copy in sync: nothing is confirmed until another one is; what is published meanwhile waits, or is refused.

Prints how long it took until counting went on. `PROVE_LONG=1 pytest -s tests/servers/test_last_in_sync.py`
"""

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import edges
from streams.catalog import Catalog
from streams.publish import BufferFull, PublisherLimits, VisitPublisher
from tests.servers.brokers import Broker, Cluster, three_brokers
from tests.servers.commands import run
from tests.servers.conftest import Installation, RedisServer
from tests.servers.observers import Place, observing
from tests.servers.supervised import Supervised
from tests.servers.test_outages import nothing_is_lost, traffic_to
from tests.servers.test_three_brokers import RATE, Running, installed
from tests.servers.traffic import Sent
from tests.servers.truth import snapshot_of
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.servers,
    pytest.mark.long,
    # kafka-python leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
#: Events that the portal's publisher may hold: few, so that some are refused.
HELD_MAX = 50
#: Until counting begins or goes on, on a machine that does much else; how long it took is printed.
GOES_ON_SECONDS_MAX = 180.0
#: How long nothing is confirmed.
STANDS_SECONDS = 10.0


class Portal:
    """An ENT that publishes: what is refused it keeps, and publishes again under the same id."""

    def __init__(self, installation: Installation, sent: Sent) -> None:
        limits = PublisherLimits(buffer_events_max=HELD_MAX, delivery_seconds_max=600)
        address, topic = edges.kafka_address(installation.settings), installation.settings.topic
        self.publisher = VisitPublisher(address, {"mbn": "0123456789abcdef"}, topic=topic, limits=limits)
        self.refused: list[tuple[str, int]] = []
        self._sent, self._number = sent, 0

    def visits(self, number: int) -> None:
        """So many visits, each of another user."""
        for _ in range(number):
            self._number += 1
            self._publish(f"portal-{self._number}", time.time_ns() // 1_000_000)

    def again(self) -> None:
        """Publish what was refused."""
        refused, self.refused = self.refused, []
        for event_id, ts_ms in refused:
            assert self.publisher.flush() == 0
            self._publish(event_id, ts_ms)
        assert not self.refused

    def _publish(self, event_id: str, ts_ms: int) -> None:
        try:
            self.publisher.publish(service="NOTES", uai="0541234Y", user_id=event_id, id=event_id, ts_ms=ts_ms)
        except BufferFull:
            self.refused.append((event_id, ts_ms))
        else:
            self._sent.events[ts_ms // 60_000, "44", "NOTES"] += 1


class Alone:
    """Brings every partition to a leader that is the last copy in sync, and back."""

    def __init__(self, chain: Running, group: Supervised, portal: Portal) -> None:
        self.chain, self.group, self.portal = chain, group, portal
        self.cluster, self.topic = chain.cluster, chain.settings.topic

    def leaders(self) -> set[object]:
        return {each["leader_id"] for each in self.cluster.described(self.topic)}

    def in_sync(self) -> set[object]:
        return {number for each in self.cluster.described(self.topic) for number in each["isr_nodes"]}  # type: ignore[attr-defined]

    def settled_ms(self) -> int:
        return snapshot_of(self.chain.settings).settled_ms or 0

    def begin(self) -> tuple[Broker, Broker, Broker]:
        """One follower falls out of sync, then the leader of partition 0 is killed. Return who fell out, who led, who is left alone."""
        led = self.cluster.leader_of(self.topic, 0)
        behind, last = (broker for broker in self.cluster.brokers if broker is not led)
        behind.kill()
        wait_for("one is out of sync", lambda: self.in_sync() == {led.number, last.number}, GOES_ON_SECONDS_MAX)
        before = self.chain.counted()
        wait_for("two in sync are enough", lambda: self.chain.counted() > before + RATE, GOES_ON_SECONDS_MAX)
        led.kill()
        wait_for(
            "the last one leads alone", lambda: self.leaders() == self.in_sync() == {last.number}, GOES_ON_SECONDS_MAX
        )
        return behind, led, last

    def stands_still(self) -> int:
        """Nothing is confirmed or counted, also by a worker that starts now; a publisher holds what it can, and refuses more."""
        publisher = self.portal.publisher
        delivered = publisher.delivered
        self.portal.visits(2 * HELD_MAX)
        self.group.kill(1)
        time.sleep(STANDS_SECONDS / 2)
        stands, settled_ms = self.chain.counted(), self.settled_ms()
        time.sleep(STANDS_SECONDS / 2)
        self.chain.table.append(
            f"meanwhile workers say {self.group.unready() or 'that they are ready'}, and settled time moved by "
            f"{(self.settled_ms() - settled_ms) / 1000:.0f} s in {STANDS_SECONDS / 2:.0f} s"
        )
        assert self.chain.counted() == stands, "what no second broker has is not counted"
        found = publisher.deliveries()
        assert (found.delivered, found.pending, found.failed) == (delivered, HELD_MAX, 0)
        assert len(self.portal.refused) == HELD_MAX
        assert "has not confirmed an event for" in str(publisher.health().problem)
        return stands

    def goes_on(self, what: str, stands: int, broker: Broker) -> None:
        """Start that broker; everything that waited arrives."""
        began = time.monotonic()
        broker.start()
        wait_for(f"counting after: {what}", lambda: self.chain.counted() > stands + RATE, GOES_ON_SECONDS_MAX)
        self.chain.table.append(f"{what}: counting went on {time.monotonic() - began:.1f} s after it was started")

    def all_back(self) -> None:
        self.cluster.wait_in_sync(self.topic)
        self.portal.again()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with three_brokers(tmp_path / "brokers", controller_apart=True) as found:
        yield found
    gc.collect()


def test_a_leader_that_is_the_last_copy_in_sync(
    cluster: Cluster, redis_server: RedisServer, tmp_path: Path, catalog: Catalog
) -> None:
    own = installed(cluster, redis_server, tmp_path)
    it = Running(cluster, own)
    place = Place(own.settings.redis_url, own.settings.redis_prefix, own.directory)
    with Supervised(own.environment, own.directory, 2) as group, observing(place):
        traffic = traffic_to(own, catalog)
        traffic.begin(RATE)
        wait_for("counting", lambda: it.counted() > RATE, GOES_ON_SECONDS_MAX)
        portal = Portal(own, traffic.sent)
        portal.visits(10)
        assert portal.publisher.flush() == 0
        alone = Alone(it, group, portal)

        behind, led, last = alone.begin()
        stands = alone.stands_still()
        alone.goes_on("the follower that had fallen behind comes back", stands, behind)
        led.start()
        alone.all_back()

        behind, led, last = alone.begin()
        stands = alone.stands_still()
        last.kill()
        behind.start()
        led.start()
        time.sleep(STANDS_SECONDS)
        assert behind.number not in alone.leaders(), "one that lacks confirmed events leads"
        assert it.counted() == stands
        alone.goes_on("the last one in sync was killed, too, and comes back last", stands, last)
        alone.all_back()

        assert portal.publisher.close().failed == 0
        nothing_is_lost(group, traffic, own, catalog)
        recount = run(own.environment, "recount")
        assert recount.code == 0, recount.said
        assert all(code in (0, 3) for _slot, code in group.exits), group.exits
        print("\n" + "\n".join(it.table) + f"\nexits {group.exits}, difference 0")
