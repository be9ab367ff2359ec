"""Real servers for tests: one Kafka and one Redis a session, on free ports, and a fresh installation (topics, keys) a test."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams import edges
from streams.local import Process, Program, free_ports, kafka, redis
from streams.settings import Settings
from streams.topics import ensure_topics

WORKER_SLOTS = 4


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """A running Kafka."""

    bootstrap_servers: str
    process: Process


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running Redis; `database` numbers are free to use, installations differ by prefix."""

    url: str
    process: Process


@dataclass(frozen=True, slots=True)
class Installation:
    """Settings of a fresh installation whose topics exist, and the environment that gives a `vigie` command the same settings."""

    settings: Settings
    environment: dict[str, str]
    directory: Path


def _run(program: Program) -> Iterator[Process]:
    process = Process(program)
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    port, controller_port = free_ports(2)
    for process in _run(kafka(tmp_path_factory.mktemp("kafka"), port, controller_port)):
        yield KafkaServer(f"127.0.0.1:{port}", process)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    (port,) = free_ports(1)
    for process in _run(redis(tmp_path_factory.mktemp("redis"), port)):
        yield RedisServer(f"redis://127.0.0.1:{port}/0", process)


def install(kafka_server: KafkaServer, redis_server: RedisServer, directory: Path) -> Installation:
    """A topic, a dead-letter topic, a consumer group, a key prefix and ports that nobody else uses."""
    run = uuid.uuid4().hex[:12]
    observer_port, worker_port, *_slots = free_ports(1 + WORKER_SLOTS)
    chosen: dict[str, Any] = {
        "kafka_bootstrap_servers": kafka_server.bootstrap_servers,
        "redis_url": redis_server.url,
        "topic": f"visits.{run}",
        "rejected_topic": f"visits.{run}.rejected",
        "consumer_group": f"group.{run}",
        "redis_prefix": f"test.{run}",
        "observer_port": str(observer_port),
        "worker_port": str(worker_port),
        # Nobody listens there: a test that needs Prometheus starts its own.
        "prometheus_url": "http://127.0.0.1:9",
        "alertmanager_url": "http://127.0.0.1:9",
    }
    settings = Settings(**chosen)
    ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
    own = {f"VIGIE_{name.upper()}": value for name, value in chosen.items()}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    stack_file = str(directory / "no-stack.json")
    return Installation(settings, {**inherited, **own, "VIGIE_STACK_FILE": stack_file}, directory)


@pytest.fixture
def installation(kafka_server: KafkaServer, redis_server: RedisServer, tmp_path: Path) -> Installation:
    """An installation that no other test uses."""
    return install(kafka_server, redis_server, tmp_path)


# The live page's tests share what follows; playwright is imported for them alone.


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium."""
    from tests.servers.browser import chromium

    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def scene(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A morning in Redis."""
    from tests.servers.page_scene import Scene

    return Scene(redis_server.url, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def address(scene: Any) -> Iterator[str]:
    """Where an observer of the scene serves its page."""
    from tests.servers.observers import observing

    with observing(scene.place) as observer:
        yield f"http://127.0.0.1:{observer.port}/"
