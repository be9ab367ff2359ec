"""Servers of a test's own, which it may kill, start again on the same data and port, and set back."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from streams import edges
from streams.local import Process, Program, free_ports, kafka, redis
from streams.topics import ensure_topics
from tests.servers.conftest import Installation


class Killable:
    """A server that a test starts on its data, kills, and starts again. Who inherits sets `_program`."""

    _program: Program
    _process: Process | None = None

    def start(self) -> None:
        """Start it on its data."""
        self._process = Process(self._program)
        self._process.wait_ready()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()


class RedisHandle(Killable):
    """A Redis with its append-only file; `arguments` are further options of redis-server."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._program = redis(directory, self.port)
        self._program = replace(self._program, argv=(*self._program.argv, *arguments))
        self.start()

    @property
    def data(self) -> Path:
        """Where its files are."""
        return self._directory / "redis"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, data: Path | None = None) -> None:
        """Start it on its data, or on a copy that `copy` made."""
        if data is not None:
            shutil.rmtree(self._directory / "redis")
            shutil.copytree(data, self._directory / "redis")
        super().start()

    def copy(self) -> Path:
        """Copy its files as they are now, while it goes on."""
        target = self._directory / "copy"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self._directory / "redis", target)
        return target


class KafkaHandle(Killable):
    """A Kafka of one node."""

    def __init__(self, directory: Path) -> None:
        self.port, controller_port = free_ports(2)
        self.servers = f"127.0.0.1:{self.port}"
        self._program = kafka(directory, self.port, controller_port, heap_mib=384)
        self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """SIGSTOP, then SIGCONT: it takes connections, and answers nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)


def varied(installation: Installation, **changed: str | int) -> Installation:
    """The same installation with other settings."""
    own = {f"VIGIE_{name.upper()}": str(value) for name, value in changed.items()}
    settings = installation.settings.model_copy(update=changed)
    return replace(installation, settings=settings, environment={**installation.environment, **own})


@contextmanager
def on_own_redis(installation: Installation, *arguments: str) -> Iterator[tuple[Installation, RedisHandle]]:
    """The installation on a Redis of its own."""
    handle = RedisHandle(installation.directory / "own-redis", *arguments)
    try:
        yield varied(installation, redis_url=handle.url), handle
    finally:
        handle.kill()


@contextmanager
def on_own_kafka(installation: Installation) -> Iterator[tuple[Installation, KafkaHandle]]:
    """The installation on a Kafka of its own, its topics created."""
    handle = KafkaHandle(installation.directory / "own-kafka")
    try:
        own = varied(installation, kafka_bootstrap_servers=handle.servers)
        ensure_topics(edges.kafka_address(own.settings), edges.topic_designs(own.settings))
        yield own, handle
    finally:
        handle.kill()
