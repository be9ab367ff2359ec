"""Addresses in settings: those that are taken lead where they say, the others are refused in words, before any client sees them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.addresses import (
    CollectorAddress,
    SentinelPlace,
    check_host_port,
    check_http_url,
    check_redis_url,
    sentinel_place,
)
from streams.errors import InputError, SettingsError
from streams.live.connection import RedisAddress, connect
from streams.settings import load_settings

PEM = "/etc/ssl/certs/ca-certificates.crt"


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("redis://127.0.0.1:16379/0", ("127.0.0.1", 16379, 0)),
        ("redis://redis", ("redis", 6379, 0)),
        ("redis://redis_1.local./", ("redis_1.local.", 6379, 0)),
        ("rediss://redis.example.org:6380/15", ("redis.example.org", 6380, 15)),
        ("redis://[::1]:6379/2", ("::1", 6379, 2)),
        ("redis://[2001:db8::7]", ("2001:db8::7", 6379, 0)),
        ("unix:///run/redis/redis.sock?db=3", (None, None, 3)),
        ("unix:///run/redis.sock", (None, None, 0)),
    ],
)
def test_a_redis_url_leads_where_it_says(url: str, leads_to: tuple[str | None, int | None, int]) -> None:
    check_redis_url(url)
    client = connect(RedisAddress(url))
    found = client.connection_pool.connection_kwargs
    port = found.get("port", None if url.startswith("unix") else 6379)
    assert (found.get("host"), port, found.get("db", 0)) == leads_to
    client.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://", "names no host"),
        ("redis:///0", "names no host"),
        ("redis://:6379/0", "names no host"),
        ("rediss://", "names no host"),
        ("redis://a:6379,b:6379/0", "names several servers"),
        ("redis://a,b,c:6379", "names several servers"),
        ("redis://[::1]:6379,[::2]:6379", "names several servers"),
        ("redis://:secret@a:6379/0", "holds a user or a password"),
        ("redis://me:secret@a,b:6379/0", "names several servers"),
        ("redis://a:port/0", "has the port 'port'"),
        ("redis://a:/0", "has the port ''"),
        ("redis://a:0", "has the port '0'"),
        ("redis://a:65536", "has the port '65536'"),
        ("redis://a:６３７９", "has the port"),
        ("redis://::1:6379", "several colons"),
        ("redis://[::1", "brackets that are no IPv6 address"),
        ("redis://[host]:6379", "no IPv6 address"),
        ("redis://a:6379/x", "no number of a database"),
        ("redis://a:6379/-1", "no number of a database"),
        ("redis://a:6379/0/1", "no number of a database"),
        ("redis://a:6379/0?ssl_cert_reqs=none", "options after a question mark"),
        ("redis://a:6379?db=1", "options after a question mark"),
        ("redis://a:6379/0#x", "'#x' at its end"),
        ("redis://a b:6379", "no name of a host"),
        ("redis://-a:6379", "no name of a host"),
        ("unix://", "names no socket"),
        ("unix:///", "names no socket"),
        ("unix://run/redis.sock", "names no socket"),
        ("unix:///run/redis.sock?db=x", "another option than db"),
        ("unix:///run/redis.sock?db=1&password=secret", "another option than db"),
        ("http://a:6379", "pattern"),
        ("redis://a:6379,b:6379/0", "redis+sentinel://a:26379,b:26379/service/0"),
        ("redis+sentinel://", "names no host"),
        ("redis+sentinel:///mymaster/0", "names no host"),
        ("redis+sentinel://a:26379", "ends with ''"),
        ("redis+sentinel://a:26379/", "ends with '/'"),
        ("redis+sentinel://a:26379/my%20master", "ends with"),
        ("redis+sentinel://a:26379/mymaster/x", "ends with"),
        ("redis+sentinel://a:26379/mymaster/0/1", "ends with"),
        ("redis+sentinel://a,,b/mymaster", "names no host"),
        ("redis+sentinel://a,b:0/mymaster", "has the port '0'"),
        ("redis+sentinel://a;b:1/mymaster", "no name of a host"),
        ("redis+sentinel://:secret@a:26379/mymaster", "holds a user or a password"),
        ("redis+sentinel://a,me:secret@b:26379/mymaster", "holds a user or a password"),
        ("redis+sentinel://a:26379/mymaster?db=1", "options after a question mark"),
        ("redis+sentinel://a:26379/mymaster#x", "'#x' at its end"),
        ("rediss+sentinels://a/mymaster", "pattern"),
    ],
)
def test_a_redis_url_that_would_lead_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("VIGIE_REDIS_URL", url)
    with pytest.raises(SettingsError, match=r"redis_url: ") as caught:
        load_settings()
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_sentinels_and_what_they_are_asked_for() -> None:
    for url, hosts, service, database in (
        ("redis+sentinel://a/mymaster", (("a", 26379),), "mymaster", 0),
        ("redis+sentinel://a:1,b,c.local:3/vigie-1/", (("a", 1), ("b", 26379), ("c.local", 3)), "vigie-1", 0),
        ("redis+sentinel://[::1]:26380,[2001:db8::7]/m.y/7", (("::1", 26380), ("2001:db8::7", 26379)), "m.y", 7),
    ):
        check_redis_url(url)
        assert sentinel_place(url) == SentinelPlace(hosts, service, database, tls=False)
    assert (found := sentinel_place("rediss+sentinel://a/m")) is not None
    assert found.tls
    assert sentinel_place("redis://a") is None


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=30))
def test_whatever_url_is_taken_a_client_takes_it(rest: str) -> None:
    for scheme in ("redis://", "rediss://", "unix:///", "redis+sentinel://a,", "rediss+sentinel://"):
        try:
            check_redis_url(scheme + rest)
        except ValueError:
            continue
        connect(RedisAddress(scheme + rest)).close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("kafka_bootstrap_servers", "kafka://a:9092", "is an URL"),
        ("kafka_bootstrap_servers", "a:9092/b", "is an URL"),
        ("kafka_bootstrap_servers", "::1:9092", "several colons"),
        ("kafka_bootstrap_servers", "[::1]", "not host:port"),
        ("kafka_bootstrap_servers", "a:9092;b:9092", "several colons"),
        ("kafka_bootstrap_servers", "a:9092 b:9092", "several colons"),
        ("kafka_bootstrap_servers", "a b:9092", "no name of a host"),
        ("kafka_bootstrap_servers", "a:9092,,b:9092", "not host:port"),
        ("alert_smtp", "smtp://mail:25", "is an URL"),
        ("prometheus_url", "http://", "names no host"),
        ("prometheus_url", "http://a:9090,http://b:9090", "names several servers"),
        ("alertmanager_url", "http://a:9093,b:9093", "names several servers"),
        ("alertmanager_url", "https://me:secret@a", "holds a user or a password"),
        ("alert_webhook_url", "https://a:https/hook", "has the port 'https'"),
        ("grafana_url", "https://me:secret@a", "holds a user or a password"),
        ("grafana_url", "https://a:99999/g", "has the port '99999'"),
    ],
)
def test_other_addresses(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(f"VIGIE_{name.upper()}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"{name}: " in str(caught.value)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_address_of_a_collector_with_half_a_bracket_is_refused() -> None:
    with pytest.raises(InputError, match="has brackets that are no IPv6 address"):
        CollectorAddress("https://[::1", "t" * 20)


def test_what_is_right_is_taken() -> None:
    for text in ("kafka:9092", "127.0.0.1:19092", "[::1]:9092", "b-1.msk.eu-west-3.amazonaws.com:9096", "kafka_1:9092"):
        check_host_port(text)
    for url in ("http://127.0.0.1:9090", "https://prometheus/some/path/", "http://[::1]:9093"):
        check_http_url(url)
    check_http_url("https://me:token@example.org/hook?key=x", may_log_in=True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"redis_url": "redis://a", "redis_tls_ca_file": PEM}, "redis_tls_ca_file is of no use with a redis_url of redis://"),
        ({"redis_url": "unix:///a", "redis_tls_ca_file": PEM}, "redis_tls_ca_file is of no use with a redis_url of unix://"),
        ({"redis_tls_ca_file": PEM}, "redis_tls_ca_file is of no use"),
        ({"redis_url": "redis+sentinel://a/m", "redis_tls_ca_file": PEM}, "write rediss+sentinel:// for TLS"),
        ({"redis_tls_cert_file": PEM, "redis_tls_key_file": PEM}, "redis_tls_cert_file is of no use"),
        ({"redis_url": "rediss://a", "redis_tls_cert_file": PEM}, "redis_tls_cert_file and redis_tls_key_file go together"),
        ({"redis_sentinel_password": "x"}, "redis_sentinel_password is of no use with a redis_url of redis://"),
        ({"kafka_ssl_cafile": PEM}, "kafka_ssl_cafile is of no use with kafka_security_protocol=PLAINTEXT"),
        (
            {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ssl_certfile": PEM, "kafka_ssl_keyfile": PEM},
            "kafka_ssl_certfile is of no use with kafka_security_protocol=SASL_PLAINTEXT",
        ),
    ],
)  # fmt: skip
def test_encryption_that_was_meant_and_would_not_be_is_refused(given: dict[str, str], said: str) -> None:
    assert Path(PEM).is_file()
    with pytest.raises(SettingsError) as caught:
        load_settings(**given)
    assert said in str(caught.value)
    load_settings(redis_url="rediss://a", redis_tls_ca_file=PEM, kafka_security_protocol="SSL", kafka_ssl_cafile=PEM)
