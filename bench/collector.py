"""`make bench-collector`: what one collector costs, on a real Kafka, over TLS, in batches of 500 events.

Connections of another process send batches that were made before. After a fifth of them, the events are divided by the CPU seconds (user +
system, all threads) that the collector spends on them. Then the topic is looked at: every event must lie there once, in the partition
where the SDK would have put it.
"""

import argparse
import gzip
import http.client
import os
import platform
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import orjson
from kafka import KafkaConsumer, TopicPartition

from bench.__main__ import cpu_seconds
from streams import edges
from streams.access import Grant, TokenFile
from streams.access.tokens import make_token
from streams.load_test.load_meter import memory_mib_max
from streams.local import Process, Program, free_ports, kafka
from streams.publish import new_event_id
from streams.publish.producer import partition_of
from streams.settings import Settings
from streams.topics import ensure_topics

GOAL = 40_000
BATCH_EVENTS = 500
SENDERS = 8
EVENTS_A_VISITOR = 10
HEADERS = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where batches go."""

    port: int
    token: str
    certificate: Path
    is_packed: bool


def make_bodies(batches: int, seed: int, *, is_packed: bool) -> list[bytes]:
    """Batches as ENT servers send them."""
    rnd = random.Random(seed)
    visitors = [f"{rnd.getrandbits(256):064x}" for _ in range(batches * BATCH_EVENTS // EVENTS_A_VISITOR)]
    now_ms = time.time_ns() // 1_000_000
    bodies = []
    for _ in range(batches):
        events = [
            {
                "v": 1,
                "id": new_event_id(),
                "ts": now_ms,
                "project": "mbn",
                "uai": "0541234Y",
                "service": "CAHIER_TEXTES",
                "profile": "ELEVE",
                "visitor": rnd.choice(visitors),
            }
            for _ in range(BATCH_EVENTS)
        ]
        body = b"\n".join(orjson.dumps(event) for event in events)
        bodies.append(gzip.compress(body, 6) if is_packed else body)
    return bodies


def send_all(target: Target, bodies: list[bytes]) -> None:
    """Send every body; a batch that is not taken as a whole is no figure."""
    shares = [bodies[number::SENDERS] for number in range(SENDERS)]
    headers = (
        HEADERS
        | {"Authorization": f"Bearer {target.token}"}
        | ({"Content-Encoding": "gzip"} if target.is_packed else {})
    )
    trust = ssl.create_default_context(cafile=str(target.certificate))

    def one(share: list[bytes]) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", target.port, context=trust, timeout=60)
        for body in share:
            connection.request("POST", "/v1/events", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200 or orjson.loads(said)["accepted"] != BATCH_EVENTS:
                raise SystemExit(f"a batch was not taken: {answer.status} {said[:500]!r}")
        connection.close()

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(one, shares))


def measure(target: Target, pid: int, batches: int, seed: int) -> tuple[float, float]:
    """Events per CPU-second of the collector, and per second on the wall; the first fifth warms up."""
    bodies = make_bodies(batches, seed, is_packed=target.is_packed)
    warm = batches // 5
    with get_context("spawn").Pool(1) as other:
        other.apply(send_all, (target, bodies[:warm]))
        cpu, wall = cpu_seconds(pid), time.monotonic()
        other.apply(send_all, (target, bodies[warm:]))
        cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
    events = (batches - warm) * BATCH_EVENTS
    return events / cpu, events / wall


def look_at_topic(settings: Settings, events: int) -> None:
    """Every event once, where the SDK puts it; else there is no figure."""
    consumer = KafkaConsumer(**edges.kafka_address(settings).client_options(), group_id=None, enable_auto_commit=False)
    parts = [TopicPartition(settings.topic, number) for number in range(settings.topic_partitions)]
    consumer.assign(parts)
    consumer.seek_to_beginning()
    ids: set[str] = set()
    records = 0
    while records < events:
        found = [record for some in consumer.poll(5000, max_records=20_000).values() for record in some]
        if not found:
            break
        records += len(found)
        for record in found:
            event = orjson.loads(record.value)
            ids.add(event["id"])
            if record.key != event["visitor"].encode() or record.partition != partition_of(record.key, len(parts)):
                raise SystemExit(f"an event lies in the wrong partition: {event}")
    consumer.close()
    if len(ids) != events or records != events:
        raise SystemExit(f"{events} events were taken, {len(ids)} are in the topic, in {records} records: no figure")


def certificate_of(directory: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    files = directory / "c.pem", directory / "c.key"
    kind = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=bench")
    words = (*kind, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(files[1]), "-out", str(files[0]))
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return files


def main() -> int:
    """Measure, print; 1 when the median of plain batches is below the goal."""
    parser = argparse.ArgumentParser(prog="make bench-collector", description=__doc__)
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as name, ExitStack() as running:
        directory = Path(name)
        kafka_port, controller_port, port = free_ports(3)
        certificate, key = certificate_of(directory)
        made = make_token(Grant(projects=("mbn",), events_per_second_max=10_000_000), datetime.now(UTC))
        TokenFile(directory / "tokens.json").add(made.token)
        settings = Settings(
            kafka_bootstrap_servers=f"127.0.0.1:{kafka_port}",
            collector_port=port,
            tokens_file=directory / "tokens.json",
            tls_certfile=certificate,
            tls_keyfile=key,
        )
        broker = Process(kafka(directory / "k", kafka_port, controller_port))
        running.callback(broker.stop)
        broker.wait_ready()
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        collector = start_collector(directory, settings)
        running.callback(collector.stop)
        collector.wait_ready()
        names = ("aiokafka", "msgspec", "uvicorn", "h11", "cramjam")
        print(
            f"{platform.machine()}, Python {platform.python_version()}, "
            + ", ".join(f"{n} {version(n)}" for n in names)
        )
        medians = {}
        for is_packed in (False, True):
            target = Target(port, made.text, certificate, is_packed)
            found = [measure(target, collector.pid, asked.batches, seed) for seed in range(asked.runs)]
            what = "gzip" if is_packed else "plain"
            for cpu, wall in found:
                print(f"  {what:<6}{cpu:>9,.0f} events per CPU-second   {wall:>9,.0f} events/s on the wall", flush=True)
            medians[is_packed] = statistics.median(cpu for cpu, _wall in found)
        look_at_topic(settings, 2 * asked.runs * asked.batches * BATCH_EVENTS)
        met = medians[False] >= GOAL
        print(
            f"batches of {BATCH_EVENTS} over TLS, {SENDERS} connections, load {os.getloadavg()[0]:.1f}, peak memory "
            f"{memory_mib_max(collector.pid):.0f} MiB: median {medians[False]:,.0f} events per CPU-second, {medians[True]:,.0f} as gzip; "
            f"goal {GOAL:,}: {'met' if met else 'NOT met'}"
        )
    return 0 if met else 1


def start_collector(directory: Path, settings: Settings) -> Process:
    """A collector; who starts it waits for it, and stops it."""
    names = ("kafka_bootstrap_servers", "collector_port", "tokens_file", "tls_certfile", "tls_keyfile")
    environment = {f"VIGIE_{name.upper()}": str(getattr(settings, name)) for name in names}
    environment["VIGIE_STACK_FILE"] = str(directory / "none.json")
    trust = ssl.create_default_context(cafile=str(settings.tls_certfile))

    def ready() -> bool:
        try:
            connection = http.client.HTTPSConnection("127.0.0.1", settings.collector_port, context=trust, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    argv = (sys.executable, "-m", "streams", "collect")
    log = directory / "collector.log"
    return Process(
        Program("collector", argv, directory, log, settings.collector_port, ready=ready, environment=environment)
    )


if __name__ == "__main__":
    sys.exit(main())
