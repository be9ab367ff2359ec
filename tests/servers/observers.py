"""Real observers over a Redis that tests fill by hand, through the same writer as workers."""

from __future__ import annotations

import asyncio
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from streams.cli import cli
from streams.count import Delta, Field
from streams.errors import VigieError
from streams.live import HeartbeatLine, LiveWriter
from streams.live.connection import RedisAddress
from streams.local import Process, Program, free_ports
from streams.local.probes import http_ok

TOPIC = "ent.visits"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an observer under test reads, and a port where nobody listens in place of Kafka."""

    redis_url: str
    prefix: str
    directory: Path
    calendar_shift_seconds: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """The environment of `vigie` commands."""
        return {
            "VIGIE_REDIS_URL": self.redis_url,
            "VIGIE_REDIS_PREFIX": self.prefix,
            "VIGIE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
            "VIGIE_CALENDAR_SHIFT_SECONDS": str(self.calendar_shift_seconds),
            "VIGIE_STACK_FILE": str(self.directory / "no-stack.json"),
        }


@dataclass(frozen=True, slots=True)
class Observer:
    """A running `vigie serve`."""

    process: Process
    port: int

    def get(self, path: str, accept: str = "*/*") -> tuple[int, bytes, float]:
        """Return status, body and seconds of one request."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept})
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read(), time.monotonic() - began
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read(), time.monotonic() - began

    def json(self, path: str) -> tuple[int, Any]:
        """Return status and decoded body."""
        status, body, _seconds = self.get(path)
        return status, orjson.loads(body)

    def scrape(self) -> dict[tuple[str, ...], float]:
        """Return every sample: (name, label values..., time stamp where it has one) -> value."""
        status, body, _seconds = self.get("/metrics")
        assert status == 200
        return {
            (sample.name, *sample.labels.values(), *([str(sample.timestamp)] if sample.timestamp else [])): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }


@contextmanager
def observing(place: Place) -> Iterator[Observer]:
    """Run `vigie serve` until the block ends."""
    (port,) = free_ports(1)
    program = Program(
        role="observer",
        argv=(sys.executable, "-m", "streams", "serve", "--port", str(port)),
        directory=Path.cwd(),
        log_file=place.directory / f"observer-{port}.log",
        port=port,
        ready=partial(http_ok, port, "/healthz"),
        environment=place.environment,
    )
    process = Process(program)
    try:
        process.wait_ready()
        yield Observer(process, port)
    finally:
        process.stop()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: bytes
    message: str


def vigie(place: Place, *arguments: str) -> Ended:
    """Run one `vigie` command to its end, in this process: a start of Python a command is what makes a test suite slow."""
    result = CliRunner().invoke(cli, arguments, env=place.environment)
    if isinstance(result.exception, VigieError):
        return Ended(result.exception.exit_code, result.stdout_bytes, str(result.exception))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout_bytes, result.stderr)


@dataclass(slots=True)
class Filler:
    """Writes counts as one worker of a topic of `partitions` partitions would."""

    place: Place
    catalog_digest: str
    partitions: int = 1
    positions: dict[int, int] = field(default_factory=dict)

    def count(
        self, minutes: dict[int, dict[Field, int]], totals: dict[Field, int] | None = None, *, watermark_ms: int = 0
    ) -> None:
        """Apply one chunk to partition 0 and send a heartbeat of all partitions, all read to their ends but partition 0."""
        asyncio.run(self._count(minutes, totals or {}, watermark_ms))

    async def _count(self, minutes: dict[int, dict[Field, int]], totals: dict[Field, int], watermark_ms: int) -> None:
        writer = LiveWriter(RedisAddress(self.place.redis_url), self.place.prefix)
        try:
            await writer.prepare(self.catalog_digest, TOPIC, "topic-id", self.partitions)
            start = self.positions.get(0)
            end = (start or 0) + 100
            delta = Delta(start, 0, end, int(time.time() * 1000), watermark_ms, 100, minutes, dict(totals))
            for fields in minutes.values():
                for key, number in fields.items():
                    delta.add_total(key, number)
            assert (await writer.apply(0, delta)).outcome == "applied"
            self.positions[0] = end
            await self._beat(writer)
        finally:
            await writer.close()

    def beat(self) -> None:
        """Send a heartbeat alone."""
        asyncio.run(self._beat_alone())

    async def _beat_alone(self) -> None:
        writer = LiveWriter(RedisAddress(self.place.redis_url), self.place.prefix)
        try:
            await self._beat(writer)
        finally:
            await writer.close()

    async def _beat(self, writer: LiveWriter) -> None:
        position = self.positions.get(0, 0)
        lines = [HeartbeatLine(0, position, position + 7, 0.25)]
        lines += [HeartbeatLine(number, 0, 0, 0.0) for number in range(1, self.partitions)]
        await writer.heartbeat("worker-test", 4242, 8001, lines)


def wait_until(holds: Callable[[], bool], seconds_max: float = 15.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < deadline, f"did not come true within {seconds_max:.0f} s: {holds}"
        time.sleep(0.1)
