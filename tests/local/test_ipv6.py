"""Addresses of IPv6: where a process listens, how it is looked for, and how a URL shows it."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from aiokafka.conn import collect_hosts as collect_for_aiokafka
from faust.transport.drivers.aiokafka import server_list
from kafka.cluster import collect_hosts
from yarl import URL

from streams.addresses import host_port
from streams.errors import ServerError
from streams.local import ScrapedPorts, prometheus
from streams.local.ports import http_ok
from streams.web.server import listen

SERVERS = ["[::1]:9092", "kafka.example.org:9093"]


@pytest.mark.parametrize(
    ("host", "shown"),
    [("::1", "[::1]:8000"), ("127.0.0.1", "127.0.0.1:8000"), ("localhost", "localhost:8000"), ("::", "[::]:8000")],
)
def test_a_url_has_an_ipv6_address_in_brackets(host: str, shown: str) -> None:
    assert host_port(host, 8000) == shown


def test_every_client_of_kafka_reads_brackets() -> None:
    urls = [URL(f"vigie://{server}") for server in SERVERS]  # as the worker hands them to Faust
    for found in (collect_hosts(SERVERS), collect_for_aiokafka(server_list(urls, 9092))):
        assert {(host, port) for host, port, _family in found} == {("::1", 9092), ("kafka.example.org", 9093)}


class _Ok(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.mark.parametrize("host", ["::1", "::"])
def test_a_stack_finds_its_processes_where_they_listen(host: str) -> None:
    listening = listen(host, 0, "set another")
    port = listening.getsockname()[1]
    server = HTTPServer(("", port), _Ok, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert http_ok(port, "/readyz", host)
        with pytest.raises(ServerError, match=r"cannot listen on \[::1?\]:"):
            listen(host, port, "set another")
    finally:
        server.shutdown()
        server.server_close()


def test_prometheus_scrapes_processes_where_they_listen(tmp_path: Path) -> None:
    program = prometheus(tmp_path, ScrapedPorts((8000,), (8001, 8002), 9090, 9093, 8400, "::", "::1"))
    jobs = yaml.safe_load((program.directory / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    assert targets["vigie-observer"] == ["[::1]:8000"]
    assert targets["vigie-worker"] == ["[::1]:8001", "[::1]:8002"]
    assert targets["prometheus"] == ["127.0.0.1:9090"]
