"""A failover that keeps sockets open: the primary becomes a replica, its name or address leads to another server, nobody is told."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError

from streams.catalog import Catalog
from streams.count import Cut
from streams.errors import RedisUnavailable
from streams.live import LiveReader, failover
from streams.live.connection import RedisAddress, aclose, connect, connect_async
from tests.servers.conftest import Installation
from tests.servers.observers import Place, observing
from tests.servers.own_servers import RedisHandle, varied
from tests.servers.supervised import Supervised
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.test_outages import counting, ends_in_time, nothing_is_lost, traffic_to
from tests.servers.truth import snapshot_of, total
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
#: From the failover until counts go on, on a busy machine; the connections were never healed before they were left.
SECONDS_MAX = 20.0
#: What a call raises, and a pipeline that nobody explains.
REFUSED = (RedisUnavailable, RedisError)


@contextmanager
def two(directory: Path) -> Iterator[tuple[RedisHandle, RedisHandle]]:
    """A primary and its replica, in step."""
    first = RedisHandle(directory / "first")
    second = RedisHandle(directory / "second", "--replicaof", "127.0.0.1", str(first.port))
    try:
        with redis.Redis.from_url(second.url) as client:
            wait_for("in step", lambda: client.info()["master_link_status"] == "up")
        yield first, second
    finally:
        first.kill()
        second.kill()


def fail_over(old: RedisHandle, new: RedisHandle, proxy: TcpProxy) -> None:
    """What a person or a managed service does: nobody's connection is cut."""
    with redis.Redis.from_url(old.url) as was, redis.Redis.from_url(new.url) as becomes:
        becomes.replicaof("NO", "ONE")
        was.replicaof("127.0.0.1", new.port)
    proxy.target = new.port


def test_counting_goes_on_by_itself_where_the_primary_became_a_replica(
    installation: Installation, catalog: Catalog
) -> None:
    with two(installation.directory) as (first, second), TcpProxy(first.port) as proxy:
        own = varied(installation, redis_url=f"redis://127.0.0.1:{proxy.port}/0", alive_without_redis_seconds=3)
        place = Place(own.settings.redis_url, own.settings.redis_prefix, installation.directory)
        with Supervised(own.environment, own.directory, 1) as group, observing(place) as observer:
            traffic = traffic_to(own, catalog)
            traffic.begin(300)
            wait_for("counting", counting(own))
            wait_for("observing", lambda: observer.get("/readyz")[0] == 200)
            fail_over(first, second, proxy)
            began, before = time.monotonic(), total(snapshot_of(own.settings), Cut.EVENTS)
            wait_for("counting goes on", counting(own, before + 300), SECONDS_MAX)
            print(f"\ncounting went on after {time.monotonic() - began:.1f} s")
            told_ms = time.time() * 1000
            wait_for(
                "observers write",
                lambda: any(said.at_ms > told_ms for said in snapshot_of(own.settings).observers.values()),
                SECONDS_MAX,
            )
            # Another loop than the one that told: its next round may be a second away.
            wait_for("the observer is ready", lambda: observer.get("/readyz")[0] == 200, SECONDS_MAX)
            nothing_is_lost(group, traffic, own, catalog)
            assert group.exits == []
            second.kill()
            worker = group.worker(0)
            wait_for("no longer alive", lambda: worker.get("/healthz")[0] == 503, 30)
            assert "no call to Redis went through for" in worker.get("/healthz")[1]
            assert observer.get("/healthz")[0] == 200  # its setting is the usual one: it waits for minutes
            second.start()
            with redis.Redis.from_url(second.url) as client:
                client.replicaof("NO", "ONE")  # its options still say whose replica it was
            wait_for("alive again", lambda: worker.get("/healthz")[0] == 200, 30)
            ends_in_time(group)


def test_a_connection_that_only_reads_is_opened_anew_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A primary that was cut off does not say so: it goes on answering."""
    monkeypatch.setattr(failover, "CONNECTION_SECONDS_MAX", 0.3)
    with two(tmp_path) as (first, second), TcpProxy(first.port) as proxy:
        reader = LiveReader(RedisAddress(f"redis://127.0.0.1:{proxy.port}/0"), "p")
        assert reader.facts().master is None
        proxy.target = second.port
        wait_for("the other one", lambda: reader.facts().master == f"127.0.0.1:{first.port}", 10)
        reader.close()


def in_a_transaction(client: redis.Redis) -> object:
    pipeline = client.pipeline(transaction=True)
    pipeline.set("a", 1)
    return pipeline.execute()


def test_a_server_that_takes_no_writes_is_left_after_one_call(tmp_path: Path) -> None:
    """Whether it says so alone, in a transaction or of a script, and of either client."""
    lonely = RedisHandle(tmp_path / "lonely", "--min-replicas-to-write", "1")
    replica = RedisHandle(tmp_path / "replica", "--replicaof", "127.0.0.1", "9")  # nobody is there
    try:
        for server in (lonely, replica):
            client = connect(RedisAddress(server.url))
            refused: list[Callable[[], object]] = [
                partial(client.set, "a", 1),
                partial(in_a_transaction, client),
                partial(client.eval, "return redis.call('set', KEYS[1], 1)", 1, "a"),
            ]
            for call in refused:
                before = client.client_id()
                assert client.client_id() == before
                with pytest.raises(
                    REFUSED, match=r"NOREPLICAS|read only|takes no writes|MASTERDOWN|Link with MASTER|EXECABORT"
                ):
                    call()
                assert client.client_id() != before
            client.close()
            asyncio.run(_left_by_asyncio(server.url))
        with connect(RedisAddress(replica.url)) as reading, redis.Redis.from_url(replica.url) as admin:
            before = reading.client_id()
            admin.config_set("replica-serve-stale-data", "no")
            with pytest.raises(REFUSED, match="Link with MASTER"):
                reading.get("a")
            admin.config_set("replica-serve-stale-data", "yes")
            assert reading.client_id() != before
    finally:
        lonely.kill()
        replica.kill()


async def _left_by_asyncio(url: str) -> None:
    client = connect_async(RedisAddress(url))
    before = await client.client_id()
    assert await client.client_id() == before
    with pytest.raises(REFUSED, match=r"NOREPLICAS|takes no writes"):
        await client.eval("return redis.call('set', KEYS[1], 1)", 1, "a")
    assert await client.client_id() != before
    await aclose(client)
