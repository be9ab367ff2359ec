"""Real observers over a Redis that tests fill by hand, through the same writer as workers."""

import asyncio
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.clock import PARIS
from streams.count import Delta, Field
from streams.expose.observer import ObserverServer
from streams.live import HeartbeatLine, LiveWriter
from streams.live.connection import RedisAddress
from streams.local import Process, Program, free_ports
from streams.local.ports import http_ok
from streams.observe.loop import RULES
from streams.settings import Settings
from tests.servers.commands import Ended, run

TOPIC = "ent.visits"
DEDUPE_WINDOW_MS = 754_000
#: A Thursday; five and six weeks before were school, too, and no rentrée lies near.
SCHOOL_MORNING = datetime(2026, 12, 17, 10, tzinfo=PARIS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an observer under test reads, and a port where nobody listens in place of Kafka and Alertmanager."""

    redis_url: str
    prefix: str
    directory: Path
    calendar_shift_seconds: int = 0
    archive_dir: Path | None = None
    alertmanager_url: str = "http://127.0.0.1:9"
    metrics_all: bool = False
    #: Further settings of an observer in this process.
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of `vigie` commands."""
        archive = {} if self.archive_dir is None else {"VIGIE_ARCHIVE_DIR": str(self.archive_dir)}
        return archive | {
            "VIGIE_REDIS_URL": self.redis_url,
            "VIGIE_REDIS_PREFIX": self.prefix,
            "VIGIE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
            "VIGIE_ALERTMANAGER_URL": self.alertmanager_url,
            "VIGIE_CALENDAR_SHIFT_SECONDS": str(self.calendar_shift_seconds),
            "VIGIE_METRICS_ALL": str(self.metrics_all),
            "VIGIE_STACK_FILE": str(self.directory / "no-stack.json"),
        }

    def settings(self, observer_port: int) -> Settings:
        """The same for an observer in this process."""
        return Settings(
            redis_url=self.redis_url,
            redis_prefix=self.prefix,
            kafka_bootstrap_servers="127.0.0.1:9",
            calendar_shift_seconds=self.calendar_shift_seconds,
            archive_dir=self.archive_dir,
            alertmanager_url=self.alertmanager_url,
            observer_port=observer_port,
            metrics_all=self.metrics_all,
            **self.more,
        )


@dataclass(frozen=True, slots=True)
class Observer:
    """A running observer."""

    port: int

    def get(self, path: str, accept: str = "*/*") -> tuple[int, bytes, float]:
        """Return status, body and seconds of one request."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept})
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read(), time.monotonic() - began
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read(), time.monotonic() - began

    def json(self, path: str) -> tuple[int, Any]:
        """Return status and decoded body."""
        status, body, _seconds = self.get(path)
        return status, orjson.loads(body)

    def scrape(self, *, minutes: bool = True) -> dict[tuple[str, ...], float]:
        """Return every sample: (name, label values by label name..., time stamp where it has one) -> value.

        Without `minutes` those that carry their own time are left out: to parse thousands takes a second.
        """
        body = self._metrics()
        if not minutes:
            body = b"".join(line for line in body.splitlines(keepends=True) if not line.startswith(b"ent_minute_"))
        return {
            (sample.name, *sample.labels.values(), *([str(sample.timestamp)] if sample.timestamp else [])): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def lines(self) -> set[bytes]:
        """What `/metrics` says, a line each, unparsed."""
        return set(self._metrics().splitlines())

    def _metrics(self) -> bytes:
        status, body, _seconds = self.get("/metrics")
        assert status == 200
        return body


@contextmanager
def observing(place: Place, port: int | None = None) -> Iterator[Observer]:
    """Run an observer in a thread of this process until the block ends: a start of Python an observer is what makes a suite slow."""
    with observing_server(place, port) as (observer, _server):
        yield observer


@contextmanager
def observing_server(place: Place, port: int | None = None) -> Iterator[tuple[Observer, ObserverServer]]:
    """The same, with the server itself. It looks at Redis more often than once a second."""
    port = port or free_ports(1)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.observe.loop.RULES", replace(RULES, period_seconds=0.1, retry_seconds=0.1))
        server = ObserverServer(place.settings(port))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield Observer(port), server
        finally:
            server.stop()
            thread.join(15)
            assert not thread.is_alive()


@contextmanager
def observing_process(place: Place, descriptors: int | None = None) -> Iterator[tuple[Observer, Process]]:
    """Run `vigie serve` until the block ends; it may open so many `descriptors`, or as many as this process."""
    (port,) = free_ports(1)
    limited = () if descriptors is None else ("sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh")
    program = Program(
        role="observer",
        argv=(*limited, sys.executable, "-m", "streams", "serve", "--port", str(port)),
        directory=Path.cwd(),
        log_file=place.directory / f"observer-{port}.log",
        port=port,
        ready=partial(http_ok, port, "/healthz"),
        environment=place.environment,
    )
    process = Process(program)
    try:
        process.wait_ready()
        yield Observer(port), process
    finally:
        process.stop()


def vigie(place: Place, *words: str) -> Ended:
    """Run one `vigie` command to its end, in this process."""
    return run(place.environment, *words)


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
        delta = Delta(None, 0, 0, int(time.time() * 1000), watermark_ms, 100, minutes, dict(totals or {}))
        self.apply(delta)

    def apply(self, delta: Delta) -> None:
        """The same with these counts and sketches, whatever offsets they have."""
        delta.start = self.positions.get(0)
        delta.end = (delta.start or 0) + 100
        asyncio.run(self._apply(delta))
        self.positions[0] = delta.end

    async def _apply(self, delta: Delta) -> None:
        writer = LiveWriter(RedisAddress(self.place.redis_url), self.place.prefix)
        try:
            await writer.prepare(self.catalog_digest, TOPIC, "topic-id", self.partitions)
            assert (await writer.apply({0: [delta]}))[0].outcome == "applied"
            self.positions[0] = delta.end
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
        lines = [HeartbeatLine(0, position, position + 7, 0.25, dedupe_window_ms=DEDUPE_WINDOW_MS)]
        lines += [HeartbeatLine(number, 0, 0, 0.0) for number in range(1, self.partitions)]
        await writer.heartbeat("worker-test", 4242, 8001, lines)


def settled_past(observer: Observer, minute: int) -> bool:
    """Whether this observer says that the minute is settled."""
    return observer.scrape(minutes=False).get(("ent_settled_timestamp_seconds",), 0) >= (minute + 1) * 60


def say_the_same(one: Observer, two: Observer) -> bool:
    """Whether two observers, and a second scrape, give the same: what either says of itself comes a moment after its start.

    Lines are not parsed: heartbeats grow old while a slow machine parses.
    """
    first, second, third = one.lines(), two.lines(), one.lines()
    return first == second == third


def now_minute() -> int:
    """The epoch minute that is running."""
    return int(time.time()) // 60


def to_school_morning_seconds() -> int:
    """The `calendar_shift_seconds` that make now a school morning, far from midnight.

    What is expected of a minute depends on its weekday, its hour and the holidays: a test must not.
    """
    return round((SCHOOL_MORNING.timestamp() - time.time()) / 60) * 60


def events(number: int, region: str = "44", service: str = "NOTES") -> dict[Field, int]:
    """So many events of one kind in every cut, a visit for every third, a visit of the service for every second."""
    return {
        ("e", region, service): number,
        ("p", "mbn"): number,
        ("f", "ELEVE", region): number,
        ("a", "INCONNU"): number,
        ("v", region): number // 3,
        ("vp", "mbn"): number // 3,
        ("vf", "ELEVE", region): number // 3,
        ("va", "INCONNU"): number // 3,
        ("vs", region, service): number // 2,
    }
