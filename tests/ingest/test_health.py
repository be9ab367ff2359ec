"""What a worker answers over HTTP, to Prometheus, to probes, and to strangers."""

from __future__ import annotations

import gzip
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import orjson
import pytest
from prometheus_client import CollectorRegistry, Counter

from streams.errors import ServerError
from streams.ingest.health import HealthServer
from streams.local import free_ports

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
    server = HealthServer("127.0.0.1", port, registry, found)
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
        HealthServer("127.0.0.1", worker.port, CollectorRegistry(), worker)
