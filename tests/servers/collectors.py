"""One `vigie collect` for tests, with TLS, and what ENTs send to it."""

import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from streams.addresses import CollectorAddress
from streams.events import VERSION
from streams.local import Process, Program
from streams.publish import new_event_id, pseudonym
from tests.certificates import make_certificate, trusting
from tests.servers.commands import run

SECRET = b"0123456789abcdef"


def event(**members: object) -> dict[str, object]:
    """One good event of now; None takes a member out."""
    now_ms = time.time_ns() // 1_000_000
    made = {"v": VERSION, "id": new_event_id(), "ts": now_ms, "project": "mbn", "uai": "0541234Y", "service": "NOTES"}
    made |= {"visitor": pseudonym(SECRET, "31415")} | members
    return {name: value for name, value in made.items() if value is not None}


def lines(*events: object) -> bytes:
    """NDJSON."""
    return b"\n".join(each if isinstance(each, bytes) else orjson.dumps(each) for each in events)


def vigie(environment: dict[str, str], *words: str) -> str:
    """What a command prints that goes well."""
    done = run(environment, *words)
    assert done.code == 0, done.said
    return done.stdout.decode().strip()


@dataclass(slots=True)
class Collector:
    """A running collector; `token` speaks for the project mbn."""

    url: str
    environment: dict[str, str]
    directory: Path
    token: str
    process: Process
    trust: ssl.SSLContext

    def client(self) -> httpx.Client:
        """A client that keeps its connection, without a token of its own."""
        return httpx.Client(base_url=self.url, verify=self.trust, timeout=60)

    def post(self, body: bytes, token: str | None = None, **headers: str) -> httpx.Response:
        """Send a body, as the project mbn if no token is named, as nobody with an empty one."""
        bearer = {} if token == "" else {"Authorization": f"Bearer {self.token if token is None else token}"}
        with self.client() as client:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.post("/v1/events", content=body, headers=bearer | given)

    def address(self) -> CollectorAddress:
        """As an ENT has it."""
        return CollectorAddress(self.url, self.token, str(self.directory / "server.pem"))

    def get(self, path: str) -> httpx.Response:
        """Ask for something else."""
        with self.client() as client:
            return client.get(path)

    def figures(self) -> dict[tuple[str, ...], float]:
        """What its /metrics says of itself: name and values of labels, in the order of their names -> value."""
        from prometheus_client.parser import text_string_to_metric_families

        families = text_string_to_metric_families(self.get("/metrics").text)
        samples: list[Any] = [sample for family in families for sample in family.samples]
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value for sample in samples
        }


@contextmanager
def collecting(environment: dict[str, str], directory: Path, port: int, **settings: object) -> Iterator[Collector]:
    """Run a collector until the block ends."""
    certificate, key = make_certificate(directory)
    trust = trusting(certificate)
    chosen = {
        "collector_port": port,
        "tokens_file": directory / "tokens.json",
        "tls_certfile": certificate,
        "tls_keyfile": key,
    }
    environment = environment | {f"VIGIE_{name.upper()}": str(value) for name, value in (chosen | settings).items()}
    token = vigie(environment, "token", "new", "--project", "mbn")
    url = f"https://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", verify=trust, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    argv = (sys.executable, "-m", "streams", "collect")
    program = Program(
        "collector", argv, directory, directory / "collector.log", port, ready=ready, environment=environment
    )
    process = Process(program)
    try:
        process.wait_ready()
        yield Collector(url, environment, directory, token, process, trust)
    finally:
        process.stop()
