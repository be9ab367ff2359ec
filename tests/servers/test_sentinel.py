"""Sentinel, with passwords, TLS and clients' certificates: what workers and commands are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from streams import edges
from streams.errors import RedisUnavailable
from streams.live import LiveReader
from streams.live.connection import RedisAddress, aclose, connect_async
from streams.settings import Settings
from tests.servers.sentinels import SERVICE, Guarded, guarded

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
        reader = LiveReader(replace(address, **changed), "p")  # type: ignore[arg-type]
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
