"""What a worker answers over HTTP, to Prometheus, to probes, and to strangers."""

import gzip
import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, Counter

from streams import edges
from streams.access import AccessScope, Grant, Lock, TokenBook, TokenFile
from streams.access.tokens import make_token
from streams.cli import cli
from streams.errors import ServerError, SettingsError
from streams.ingest.health import WORKER_ROUTES, HealthAddress, HealthServer
from streams.local import free_ports
from streams.settings import load_settings
from streams.web import TlsFiles
from tests.certificates import make_certificate, trusting

HALF_OPEN = 1015


@dataclass(slots=True)
class Worker:
    port: int
    unready: str | None = None
    dead: str | None = None

    def not_ready_because(self) -> str | None:
        return self.unready

    def not_alive_because(self) -> str | None:
        return self.dead

    def ask(
        self, method: str, path: str, source: str = "127.0.0.1", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=(source, 0))
        with closing(connection):
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            body = answer.read()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.getheaders() if name.lower() != "date"},
                body,
            )


@pytest.fixture
def worker() -> Iterator[Worker]:
    registry = CollectorRegistry()
    Counter("ent_things", "Things.", registry=registry).inc(3)
    (port,) = free_ports(1)
    found = Worker(port)
    server = HealthServer(HealthAddress("127.0.0.1", port), registry, found)
    yield found
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        found.ask("GET", "/healthz")


def test_probes_and_scrapes(worker: Worker) -> None:
    assert worker.ask("GET", "/readyz")[0] == 200
    worker.unready = "Kafka at kafka:9092 does not answer"
    status, _headers, body = worker.ask("GET", "/readyz")
    assert (status, orjson.loads(body)) == (503, {"ready": False, "reason": worker.unready})
    assert worker.ask("GET", "/healthz")[0] == 200
    worker.dead = "no call to Redis went through for 301 s"
    status, _headers, body = worker.ask("GET", "/healthz")
    assert (status, orjson.loads(body)) == (503, {"status": "not alive", "reason": worker.dead})
    status, headers, body = worker.ask("GET", "/metrics")
    assert (status, b"ent_things_total 3.0" in body, headers["content-type"].split(";")[0]) == (200, True, "text/plain")
    status, headers, packed = worker.ask(
        "GET", "/metrics", accept_encoding="gzip", accept="application/openmetrics-text;version=1.0.0"
    )
    assert gzip.decompress(packed).endswith(
        b"ent_things_total 3.0\n# EOF\n"
    ) or b"ent_things_created" in gzip.decompress(packed)
    assert (headers["content-encoding"], headers["content-type"].split(";")[0]) == (
        "gzip",
        "application/openmetrics-text",
    )
    status, _headers, body = worker.ask("GET", "/api/v1/minutes")
    assert (status, b"/metrics, /readyz and /healthz" in body) == (404, True)
    assert worker.ask("POST", "/metrics")[0] == 405


def test_head_and_headers_are_those_of_get_on_every_path(worker: Worker) -> None:
    for unready in (None, "starting"):
        worker.unready = unready
        for path in ("/metrics", "/healthz", "/readyz", "/nothing"):
            status, headers, body = worker.ask("GET", path)
            assert worker.ask("HEAD", path) == (status, headers, b"")
            assert int(headers["content-length"]) == len(body)
            assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


def test_a_thousand_half_open_requests(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.web.protocol.HEAD_SECONDS", 300.0)  # all are held, however busy the machine is
    monkeypatch.setattr("streams.web.protocol.REFUSED_SECONDS", 30.0)
    with ExitStack() as stack:
        for _ in range(HALF_OPEN):
            stack.enter_context(socket.create_connection(("127.0.0.1", worker.port), 20)).sendall(
                b"GET / HTTP/1.1\r\nX: "
            )
        assert worker.ask("GET", "/healthz")[0] == 503
        assert worker.ask("GET", "/metrics", source="127.0.0.2")[0] == 200


def test_a_taken_port_is_one_clear_message(worker: Worker) -> None:
    with pytest.raises(
        ServerError,
        match=r"^cannot listen on 127.0.0.1:\d+: Address already in use.* or choose another worker_port or --slot$",
    ):
        HealthServer(HealthAddress("127.0.0.1", worker.port), CollectorRegistry(), worker)


def test_over_tls_metrics_ask_for_their_scope_and_reasons_are_for_who_may_see_them(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    made = {scope: make_token(Grant((scope,), projects=("mbn",)), datetime.now(UTC)) for scope in AccessScope}
    for each in made.values():
        file.add(each.token)
    certificate, key = make_certificate(tmp_path)
    (port,) = free_ports(1)
    worker = Worker(port, unready="Kafka at kafka:9092 does not answer", dead="no call to Redis")
    address = HealthAddress("127.0.0.1", port, TlsFiles(certificate, key), Lock(TokenBook(file.path), "x" * 32))
    server = HealthServer(address, CollectorRegistry(), worker)

    def ask(path: str, who: AccessScope | None) -> tuple[int, bytes]:
        headers = {} if who is None else {"Authorization": f"Bearer {made[who].text}"}
        request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20, context=trusting(certificate)) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()

    try:
        may = [who for who in (None, *AccessScope) if ask("/metrics", who)[0] == 200]
        assert may == [AccessScope.METRICS, AccessScope.ADMIN]
        assert (ask("/metrics", None)[0], ask("/metrics", AccessScope.SEND)[0], ask("/else", None)[0]) == (
            401,
            403,
            401,
        )
        for path in WORKER_ROUTES.exact:
            if path != "/metrics":
                status, body = ask(path, None)
                assert (status, orjson.loads(body)["reason"]) == (503, None)
                assert orjson.loads(ask(path, AccessScope.METRICS)[1])["reason"]
        with pytest.raises((http.client.HTTPException, OSError)):
            worker.ask("GET", "/healthz")  # plain HTTP
    finally:
        server.stop()


def test_a_worker_that_others_reach_does_not_start_without_tls_and_a_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIGIE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("VIGIE_REDIS_URL", "redis://127.0.0.1:9/0")
    monkeypatch.setenv("VIGIE_WORKER_HOST", "0.0.0.0")
    done = CliRunner().invoke(cli, ["worker"])
    assert isinstance(done.exception, SettingsError), done.output
    assert "tls_certfile" in str(done.exception)
    monkeypatch.setenv("VIGIE_TLS_BY_PROXY", "true")
    done = CliRunner().invoke(cli, ["worker"])
    assert isinstance(done.exception, SettingsError), done.output
    assert "worker_host 0.0.0.0 is reached from other machines, and nothing says who may look" in str(done.exception)
    monkeypatch.setenv("VIGIE_WORKER_HOST", "127.0.0.1")
    assert edges.http_lock(load_settings(), "worker") is None
