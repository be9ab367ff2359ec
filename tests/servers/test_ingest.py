"""The worker on real Kafka and Redis: every event once, through kills, and every broken one in the dead-letter topic."""

import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from typing import Any

import orjson
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.load import fill
from streams import edges
from streams.count import Cut
from streams.events import Reason
from streams.local import Process, ScrapedPorts, free_ports, prometheus
from streams.settings import default_config_dir
from tests.servers.conftest import Installation
from tests.servers.workers import counted_records, reader_of, workers
from tests.test_events import BROKEN
from tests.waiting import wait_for

pytestmark = pytest.mark.servers


def total(installation: Installation, *cuts: str) -> int:
    reader = reader_of(installation.settings)
    try:
        return sum(number for field, number in reader.snapshot().totals.items() if field[0] in cuts)
    finally:
        reader.close()


@pytest.mark.parametrize("events", [200_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_two_workers_that_are_killed_while_they_count_count_all(installation: Installation, events: int) -> None:
    """Redis, /metrics, Prometheus and the recount agree to the unit."""
    settings = installation.settings
    load = fill(settings.kafka_bootstrap_servers, settings.topic, events, int(time.time() * 1000), default_config_dir())
    assert load.events == events
    rnd = random.Random(5)
    with workers(installation.environment, installation.directory, 2) as running:
        for part in (0, events // 4, events // 2):
            wait_for("counting goes on", lambda: total(installation, Cut.EVENTS) > part)  # noqa: B023  # called at once
            victim = rnd.randrange(2)
            running[victim].kill()
            running[victim] = type(running[victim])(installation.environment, installation.directory, victim)
        wait_for("all counted", lambda: total(installation, Cut.EVENTS) >= events, 180)
        time.sleep(1.0)  # whatever would be counted twice has a moment to arrive
        reader = reader_of(settings)
        snapshot, minutes = reader.snapshot(), reader.minutes()
        reader.close()
        exposed, scraped = exposed_and_scraped(installation, events)
        codes = [worker.stop() for worker in running]
    assert codes == [0, 0], running[0].log + running[1].log
    assert counted_records(snapshot) == events
    for cut in (Cut.EVENTS, Cut.PROJECT, Cut.PROFILE, Cut.ACADEMY):
        assert sum(n for field, n in snapshot.totals.items() if field[0] == cut) == events, cut
        assert sum(n for minute in minutes for field, n in minute.counts.items() if field[0] == cut) == events, cut
    assert (Cut.LOST,) not in snapshot.totals
    assert (Cut.DUPLICATE,) not in snapshot.totals
    assert (exposed, scraped) == (events, events)
    recounted = recount(installation)
    assert recounted["records"] == events
    assert recounted["differences_count"] == 0
    assert recounted["agrees"]


def exposed_and_scraped(installation: Installation, events: int) -> tuple[int, int]:
    """The total of ent_events_total as an observer exposes it, and as a Prometheus that scrapes it holds it."""
    (port,) = free_ports(1)
    observer_port = installation.settings.observer_port
    observer = subprocess.Popen(
        [sys.executable, "-m", "streams", "serve"], env=installation.environment, stderr=subprocess.DEVNULL
    )
    ports = ScrapedPorts(observers=(observer_port,), workers=(), prometheus=port, alertmanager=9, collector=9)
    server = Process(prometheus(installation.directory, ports))
    try:
        server.wait_ready()
        wait_for("Prometheus has it", lambda: scraped_total(port) == events, 40)
        with urllib.request.urlopen(f"http://127.0.0.1:{observer_port}/metrics", timeout=120) as answer:
            lines = answer.read().decode().splitlines()
        exposed = sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("ent_events_total{"))
        return int(exposed), scraped_total(port)
    finally:
        server.stop()
        observer.terminate()
        observer.wait(15)


def scraped_total(port: int) -> int:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/api/v1/query?query=sum(ent_events_total)", timeout=60
    ) as answer:
        found = orjson.loads(answer.read())["data"]["result"]
    return int(float(found[0]["value"][1])) if found else 0


def recount(installation: Installation) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "streams", "recount", "--json"],
        env=installation.environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def test_broken_events_are_kept_with_their_reason_and_good_ones_counted(installation: Installation) -> None:
    settings = installation.settings
    now = int(time.time() * 1000)
    producer = KafkaProducer(**edges.kafka_address(settings).client_options(), linger_ms=20)
    rnd = random.Random(3)
    expected: Counter[str] = Counter()
    originals: Counter[tuple[str, bytes | None]] = Counter()
    good = 0
    append_ms = 1_788_242_592_345
    for kind, (value, reason) in BROKEN.items():
        if reason in (Reason.TOO_OLD, Reason.TOO_FAR_AHEAD, Reason.NOT_PSEUDONYMOUS) and value is not None:
            # These depend on the clock: carry the distance over to now.
            members = orjson.loads(value) if b"99999999999999999999999" not in value else None
            if members is not None:
                value = orjson.dumps(
                    {
                        **members,
                        "ts": members["ts"] - append_ms + now + (600_000 if members["ts"] > append_ms else -60_000),
                    }
                )
        key = None if rnd.random() < 0.3 and value is not None else kind.encode()  # Kafka needs one of the two
        producer.send(settings.topic, value=value, key=key)
        expected[reason.value] += 1
        originals[(reason.value, value)] += 1
        for _ in range(rnd.randrange(1, 20)):
            event = {
                "v": 1,
                "id": f"g{good}",
                "ts": now,
                "visitor": f"{good % 50:032x}",
                "uai": "0541234Y",
                "service": "NOTES",
            }
            producer.send(settings.topic, value=orjson.dumps(event), key=str(good % 50).encode())
            good += 1
    producer.flush(30)
    producer.close()
    broken = len(BROKEN)
    with workers(installation.environment, installation.directory, 1) as (worker,):
        wait_for("all judged", lambda: total(installation, Cut.EVENTS, Cut.REJECTED) >= good + broken)
        assert worker.stop() == 0
    assert total(installation, Cut.EVENTS) == good
    assert total(installation, Cut.NOT_KEPT) == 0
    reader = reader_of(settings)
    rejected = {field[1]: number for field, number in reader.snapshot().totals.items() if field[0] == Cut.REJECTED}
    reader.close()
    assert rejected == dict(expected)
    kept = dead_letters(installation, broken)
    assert Counter((reason, value) for reason, value, _key in kept) == originals
    assert len({key for _reason, _value, key in kept}) == broken
    assert all(key.startswith(settings.topic.encode() + b"-") for _reason, _value, key in kept)


def dead_letters(installation: Installation, number: int) -> list[tuple[str, bytes | None, bytes]]:
    settings = installation.settings
    consumer = KafkaConsumer(**edges.kafka_address(settings).client_options(), enable_auto_commit=False)
    consumer.assign([TopicPartition(settings.rejected_topic, n) for n in range(settings.topic_partitions)])
    consumer.seek_to_beginning()
    found: list[tuple[str, bytes | None, bytes]] = []
    deadline = time.monotonic() + 20
    while len(found) < number and time.monotonic() < deadline:
        for records in consumer.poll(500).values():
            found += [(dict(r.headers)["reason"].decode(), r.value, r.key) for r in records]
    consumer.close()
    return found


def test_rejects_beyond_the_bound_are_counted_as_not_kept(installation: Installation) -> None:
    settings = installation.settings
    producer = KafkaProducer(**edges.kafka_address(settings).client_options(), linger_ms=20)
    producer.send(
        settings.topic, value=b"z" * 1_048_000
    )  # kept as a head: whole, Kafka would not take it a second time
    for number in range(300):
        producer.send(settings.topic, value=b"broken %d" % number)
    producer.flush(30)
    producer.close()
    environment = {**installation.environment, "VIGIE_REJECTS_KEPT_PER_MINUTE": "100"}
    with workers(environment, installation.directory, 1) as (worker,):
        wait_for("all judged", lambda: total(installation, Cut.REJECTED) >= 301)
        assert worker.stop() == 0
    not_kept = total(installation, Cut.NOT_KEPT)
    assert 1 < not_kept <= 200
    kept = dead_letters(installation, 301 - not_kept)
    assert Counter(reason for reason, _value, _key in kept) == {"not_json": 300 - not_kept, "too_large": 1}


def test_a_worker_shows_its_health_and_metrics(installation: Installation) -> None:
    with workers(installation.environment, installation.directory, 1) as (worker,):
        wait_for("alive", lambda: worker.get("/healthz")[0] == 200)
        wait_for("ready", worker.ready)
        wait_for("heartbeats", lambda: "ent_worker_partitions 8.0" in worker.get("/metrics")[1])
        assert worker.get("/nope")[0] == 404
        begun = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - begun < 25


def test_a_worker_without_kafka_waits_visibly_and_stops_at_once(installation: Installation) -> None:
    environment = {**installation.environment, "VIGIE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    with workers(environment, installation.directory, 1) as (worker,):
        wait_for("says why", lambda: "does not answer" in worker.get("/readyz")[1], 30)
        assert worker.get("/readyz")[0] == 503
        begun = time.monotonic()
        worker.stop()
        assert time.monotonic() - begun < 12


def test_a_wrong_topic_ends_the_worker_with_one_clear_message(installation: Installation) -> None:
    from kafka.admin import NewTopic

    from streams.topics import admin_client

    settings = installation.settings
    with admin_client(edges.kafka_address(settings)) as client:
        client.create_topics(
            [NewTopic(f"{settings.topic}.create", 1, 1, topic_configs={"message.timestamp.type": "CreateTime"})]
        )
    environment = {**installation.environment, "VIGIE_TOPIC": f"{settings.topic}.create"}
    with workers(environment, installation.directory, 1) as (worker,):
        assert worker.process.wait(30) == 3
    assert "message.timestamp.type is CreateTime, must be LogAppendTime" in worker.log
    assert "Traceback" not in worker.log
