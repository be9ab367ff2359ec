"""Sentinel, with passwords, TLS and clients' certificates: what workers and commands are told, and failovers under load.

The long test prints a table; that of docs/guarantees.md is one of its runs.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from streams import edges
from streams.catalog import Catalog
from streams.errors import RedisUnavailable
from streams.live import LiveReader
from streams.live.connection import RedisAddress, aclose, connect_async
from streams.settings import Settings
from tests.servers.conftest import Installation
from tests.servers.own_servers import varied
from tests.servers.sentinels import SERVICE, Guarded, Node, guarded
from tests.servers.supervised import Supervised
from tests.servers.traffic import Traffic
from tests.servers.truth import differences, wait_drained
from tests.servers.workers import WorkerProcess
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
EVENTS_PER_SECOND = 300
CERTIFICATE = ("tls_ca_file", "tls_cert_file", "tls_key_file")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("sentinels")) as found:
        yield found


def address_of(servers: Guarded) -> RedisAddress:
    return edges.redis_address(Settings(**servers.settings()))  # type: ignore[arg-type]


def test_both_clients_find_the_primary_and_each_refusal_is_told(servers: Guarded) -> None:
    address = address_of(servers)
    reader = LiveReader(address, "p")
    assert reader.facts().master is None
    assert reader.snapshot().partitions == 0
    reader.close()
    asyncio.run(_ping(address))
    plain = address.url.replace("rediss", "redis")
    for changed, said in (
        ({"sentinel_password": "wrong"}, "check redis_sentinel_username and redis_sentinel_password"),
        ({"password": "wrong"}, "check redis_username and redis_password"),
        ({"url": address.url.replace(SERVICE, "another")}, "about to choose one: see their log, and the name"),
        ({"tls_ca_file": "/etc/ssl/certs/ca-certificates.crt"}, "redis_tls_ca_file and the client's certificate"),
        ({"tls_cert_file": None, "tls_key_file": None}, "redis_tls_ca_file and the client's certificate"),
        ({"url": plain, **dict.fromkeys(CERTIFICATE)}, "see whether they run"),
        ({"url": f"redis+sentinel://127.0.0.1:9/{SERVICE}", **dict.fromkeys(CERTIFICATE)}, "see whether they run"),
    ):
        reader = LiveReader(replace(address, **changed), "p")
        with pytest.raises(RedisUnavailable) as caught:
            reader.snapshot()
        assert said in str(caught.value)
        assert len(str(caught.value)) < 600
        assert address.password not in str(caught.value)  # type: ignore[operator]
        reader.close()


async def _ping(address: RedisAddress) -> None:
    client = connect_async(address)
    assert await client.ping()
    await aclose(client)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    promoted_seconds: float
    counting_seconds: float
    lost: int
    difference: int


class Failovers:
    """Faults under load, one after another on one chain; after each all is counted, and compared with a recount."""

    def __init__(self, servers: Guarded, installation: Installation, group: Supervised, catalog: Catalog) -> None:
        self.servers = servers
        self.settings = installation.settings
        self.environment = installation.environment
        self.directory = installation.directory
        self.alone: WorkerProcess | None = None
        self.group = group
        self.catalog = catalog
        self.rows: list[Row] = []
        self._seed = 0

    def run(self, what: str, fault: Callable[[Node], None], heal: Callable[[Node], None]) -> None:
        """`fault` befalls the primary, `heal` brings it back."""
        prefix = self.settings.redis_prefix
        self._seed += 1
        traffic = Traffic(self.settings.kafka_bootstrap_servers, self.settings.topic, self.catalog, self._seed)
        old = self.servers.primary()
        before = sum(old.offsets(prefix).values())
        traffic.begin(EVENTS_PER_SECOND)
        wait_for("counting", lambda: sum(old.offsets(prefix).values()) > before + EVENTS_PER_SECOND)
        self.acknowledged: dict[int, int] = {}
        self.began = time.monotonic()
        fault(old)
        new = self.servers.promoted(old)
        promoted = time.monotonic() - self.began
        held = new.offsets(prefix)
        wait_for("counting goes on", lambda: new.offsets(prefix) != held, 90)
        counting = time.monotonic() - self.began
        heal(old)
        wait_for("healthy", self.servers.healthy, 90)
        traffic.end()
        wait_drained(self.settings, 120)
        found = differences(self.settings, self.catalog)
        lost = sum(max(0, offset - held.get(n, 0)) for n, offset in self.acknowledged.items())
        self.rows.append(Row(what, promoted, counting, lost, len(found)))
        assert not found, "\n".join(found)

    def kill(self, old: Node) -> None:
        """kill -9 of the primary."""
        self.began = time.monotonic()
        old.kill()

    def lose_writes(self, old: Node) -> None:
        """Replicas that are cut off for some seconds, in which the primary goes on; then it is killed: what it acknowledged is gone."""
        for node in self.servers.nodes:
            if node is not old:
                with node.admin() as client:
                    client.config_set("masterauth", "wrong")
                    client.execute_command("CLIENT", "KILL", "TYPE", "MASTER")
        time.sleep(3.0)
        self.acknowledged = old.offsets(self.settings.redis_prefix)
        self.kill(old)

    def start(self, old: Node) -> None:
        """It comes back, and is made a replica."""
        from tests.servers.sentinels import PASSWORD

        for node in self.servers.nodes:
            if node is not old:
                with node.admin() as client:
                    client.config_set("masterauth", PASSWORD)
        old.start()

    def cut_off(self, old: Node) -> None:
        """Sentinels and replicas do not reach the primary any more, workers do; one worker is started anew and asks sentinels."""
        with old.admin() as client:
            client.execute_command("CLIENT", "KILL", "USER", "vigie")  # workers are back at once, for the next 30 s
        self.began = time.monotonic()
        old.shut_out("sentinel", "replica")
        self.servers.promoted(old)
        self.group.kill(1)

    def cut_off_with_a_worker(self, old: Node) -> None:
        """The same; a third worker reaches no other server, and counts on there although another one was promoted."""
        environment = self.environment | {"VIGIE_REDIS_URL": f"rediss://127.0.0.1:{old.port}/0"}
        del environment["VIGIE_REDIS_SENTINEL_PASSWORD"]
        self.alone = alone = WorkerProcess(environment, self.directory, 2)
        owns = re.compile(r"^ent_worker_partitions [1-9]", re.MULTILINE)
        wait_for("it counts", lambda: owns.search(alone.get("/metrics")[1]) is not None and alone.ready(), 60)
        self.cut_off(old)
        prefix = self.settings.redis_prefix
        then = sum(old.offsets(prefix).values())
        wait_for("both count", lambda: sum(old.offsets(prefix).values()) > then + 100, 25)

    def reunite(self, old: Node) -> None:
        """The partition is over; sentinels make it a replica."""
        alone, self.alone = self.alone, None
        if alone is not None:
            self.acknowledged = old.offsets(self.settings.redis_prefix)
        old.let_in("sentinel", "replica")
        if alone is not None:
            wait_for("it is told", lambda: "is a replica, which takes no writes" in alone.get("/readyz")[1], 60)
            alone.stop()


@pytest.mark.long
def test_failovers_under_load(servers: Guarded, installation: Installation, catalog: Catalog) -> None:
    own = varied(installation, **servers.settings())
    own = replace(own, settings=Settings(**{**installation.settings.model_dump(), **servers.settings()}))
    wait_for("healthy", servers.healthy)
    with Supervised(own.environment, own.directory, 2) as group:
        wait_for("ready", lambda: not group.unready(), 90)
        faults = Failovers(servers, own, group, catalog)
        faults.run("`kill -9` of the primary", faults.kill, faults.start)
        faults.run("the same, replicas 3 s behind: acknowledged writes lost", faults.lose_writes, faults.start)
        faults.run(
            "two primaries: the old one cut off from sentinels and replicas",
            faults.cut_off_with_a_worker,
            faults.reunite,
        )
        for node in servers.nodes:
            with node.admin() as client:
                client.config_set("min-replicas-to-write", 1)
                client.config_set("min-replicas-max-lag", 2)
        faults.run(
            "the same with `min-replicas-to-write 1`, `min-replicas-max-lag 2`",
            faults.cut_off,
            faults.reunite,
        )
        assert group.exits == []
    print(
        "\n| what | promoted after | counting goes on after | offsets counted anew | difference |\n|---|---|---|---|---|"
    )
    for row in faults.rows:
        print(
            f"| {row.what} | {row.promoted_seconds:.1f} s | {row.counting_seconds:.1f} s | {row.lost} | {row.difference} |"
        )
    assert faults.rows[1].lost > EVENTS_PER_SECOND, "no acknowledged write was lost: nothing was shown"
    assert faults.rows[2].lost > 0, "the one that was cut off counted nothing: nothing was shown"
    print(wait_costs(servers.primary()))


def wait_costs(primary: Node) -> str:
    """What one call costs, with and without `WAIT 1`: microseconds."""
    found = []
    with primary.admin() as client:
        for waits in (False, True):
            began = time.perf_counter()
            for number in range(500):
                client.set("cost", number)
                if waits:
                    client.wait(1, 1000)
            found.append((time.perf_counter() - began) / 500 * 1e6)
        client.delete("cost")
    return f"a write {found[0]:.0f} us, with WAIT 1 {found[1]:.0f} us"
