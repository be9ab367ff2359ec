"""`make bench-live`: what live counting costs at a steady rate, on a real Kafka and a real Redis.

For each rate and number of partitions one worker counts what a generator sends. Printed are, over a window after the start: CPU of the
worker and of Redis an event (user and system, all threads), calls of scripts a second (one of them is the heartbeat) and Redis's CPU a
call, bytes that Redis receives an event. In a second window Redis is asked every 10 ms where partitions stand: that gives the delay from
the moment an event is handed to the producer until it is counted in Redis.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from confluent_kafka import Message, Producer

from bench.__main__ import cpu_seconds, redis_facts, servers
from bench.load import establishments, project_of
from streams import edges
from streams.catalog import load_catalog
from streams.errors import TopicNotAsDesigned
from streams.load_test.load_meter import memory_mib_max
from streams.settings import Settings, default_config_dir
from streams.topics import ensure_topics

RATES = (100, 1_000, 10_000, 36_000)
PARTITIONS = (8, 100)
WARM_SECONDS = 4.0
POLL_SECONDS = 0.01
TICK_SECONDS = 0.005
#: Of how many events one's delay is measured.
SAMPLE = 7


@dataclass(slots=True)
class Sent:
    """Events of the delay window: (partition, offset, when it was handed over)."""

    number: int = 0
    measuring: bool = False
    delivered: list[tuple[int, int, float]] = field(default_factory=list)


class Generator:
    """Sends visits of many ENTs at a steady rate from a thread of its own."""

    def __init__(self, settings: Settings, rate: int) -> None:
        rnd = random.Random(1)
        catalog = load_catalog(default_config_dir())
        uais = establishments(catalog, 3000, rnd)
        projects = [project_of(catalog, uai, rnd) for uai in uais]
        services = rnd.choices(catalog.services, [service.weight for service in catalog.services], k=4096)
        profiles = rnd.choices(catalog.profiles, [profile.share for profile in catalog.profiles], k=1024)
        self._visitors = [
            (
                f"{rnd.getrandbits(256):064x}".encode(),
                f'"project":"{projects[n % 3000]}","uai":"{uais[n % 3000]}","profile":"{profiles[n % 1024].code}"'.encode(),
            )
            for n in range(max(1000, rate * 60))
        ]
        self._services = [service.code.encode() for service in services]
        self._rnd, self._rate, self._topic = rnd, rate, settings.topic
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "linger.ms": 5,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 500_000,
            }
        )
        self.sent = Sent()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more; return when Kafka has all."""
        self._stopping.set()
        self._thread.join()
        self._producer.flush(60)

    def _run(self) -> None:
        begun, sent = time.monotonic(), self.sent
        while not self._stopping.is_set():
            due = int((time.monotonic() - begun) * self._rate)
            while sent.number < due:
                self._send(sent)
            self._producer.poll(0)
            time.sleep(TICK_SECONDS)

    def _send(self, sent: Sent) -> None:
        number = sent.number = sent.number + 1
        name, rest = self._visitors[self._rnd.randrange(len(self._visitors))]
        value = b'{"v":1,"id":"live-%d","ts":%d,%s,"service":"%s","visitor":"%s"}' % (
            number,
            time.time_ns() // 1_000_000,
            rest,
            self._services[number % 4096],
            name,
        )
        if sent.measuring and number % SAMPLE == 0:
            at = time.monotonic()

            def delivered(_error: Any, message: Message) -> None:
                sent.delivered.append((int(message.partition() or 0), int(message.offset() or 0), at))

            self._producer.produce(self._topic, value, key=name, on_delivery=delivered)
        else:
            self._producer.produce(self._topic, value, key=name)


@dataclass(frozen=True, slots=True)
class Row:
    """What one rate came to; delays in ms."""

    rate: int
    partitions: int
    events: int
    worker_us: float
    redis_us: float
    calls_a_second: float
    redis_ms_a_call: float
    bytes_an_event: float
    delays_ms: tuple[float, float, float]
    memory_mib: float


def measure(rate: int, partitions: int, seconds: float, directory: Path) -> Row:
    """Run one worker against fresh servers at this rate."""
    with servers(directory) as found:
        settings = found.model_copy(update={"topic_partitions": partitions})
        _make_topics(settings)
        own = {
            "VIGIE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "VIGIE_REDIS_URL": settings.redis_url,
            "VIGIE_WORKER_PORT": str(settings.worker_port),
            "VIGIE_TOPIC_PARTITIONS": str(partitions),
            "VIGIE_STACK_FILE": str(directory / "none.json"),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
        with (directory / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "streams", "worker"], env={**inherited, **own}, stdout=log, stderr=log
            )
        client = redis.Redis.from_url(settings.redis_url, decode_responses=True)
        offsets = "{" + settings.redis_prefix + "}:offsets"
        generator = Generator(settings, rate)
        try:
            deadline = time.monotonic() + 60
            while client.hlen(offsets) < min(partitions, rate // 20):
                if worker.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the worker does not count:\n{(directory / 'worker.log').read_text()[-2000:]}")
                time.sleep(0.2)
            time.sleep(WARM_SECONDS)
            return _windows(client, offsets, worker.pid, generator, (rate, partitions, seconds))
        finally:
            generator.stop()
            worker.terminate()
            worker.wait(30)
            client.close()


def _make_topics(settings: Settings) -> None:
    for last in (False, False, True):
        try:
            ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
            return
        except TopicNotAsDesigned:  # on a busy machine Kafka lists a hundred new partitions late
            if last:
                raise
            time.sleep(3.0)


def _windows(client: Any, offsets: str, pid: int, generator: Generator, asked: tuple[int, int, float]) -> Row:
    rate, partitions, seconds = asked
    before, cpu = redis_facts(client), cpu_seconds(pid)
    counted, begun = _counted(client, offsets), time.monotonic()
    time.sleep(seconds)
    events, wall = _counted(client, offsets) - counted, time.monotonic() - begun
    cpu, after = cpu_seconds(pid) - cpu, redis_facts(client)
    used = [now - then for now, then in zip(after, before, strict=True)]
    generator.sent.measuring = True
    delays = _delays(client, offsets, generator, seconds / 2)
    calls = max(1.0, used[1])
    return Row(
        rate,
        partitions,
        events,
        cpu / events * 1e6,
        used[0] / events * 1e6,
        calls / wall,
        used[0] / calls * 1e3,
        used[2] / events,
        delays,
        memory_mib_max(pid),
    )


def _counted(client: Any, offsets: str) -> int:
    return sum(int(text.split()[1]) for text in client.hvals(offsets))


def _delays(client: Any, offsets: str, generator: Generator, seconds: float) -> tuple[float, float, float]:
    """p50, p95 and p99 in ms."""
    looks: list[tuple[float, dict[int, int]]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end + 3.0:
        if time.monotonic() > end:
            generator.sent.measuring = False
        stands = {int(number): int(text.split()[1]) for number, text in client.hgetall(offsets).items()}
        looks.append((time.monotonic(), stands))
        time.sleep(POLL_SECONDS)
    found, by_partition = [], dict[int, int]()
    for partition, offset, at in sorted(generator.sent.delivered):
        look = by_partition.get(partition, 0)
        while look < len(looks) and looks[look][1].get(partition, 0) <= offset:
            look += 1
        by_partition[partition] = look
        found.append((looks[look][0] - at) * 1000 if look < len(looks) else float("inf"))
    found.sort()
    return tuple(found[min(len(found) - 1, int(len(found) * part))] for part in (0.5, 0.95, 0.99))  # type: ignore[return-value]


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="make bench-live", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES))
    parser.add_argument("--partitions", type=int, nargs="+", default=list(PARTITIONS))
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    print(f"one worker; load of the machine before: {os.getloadavg()[0]:.1f}\n")
    print(
        "| events/s | partitions | worker µs an event | Redis µs an event | calls/s | Redis ms a call | bytes an event | "
        "delay p50, p95, p99 ms | worker MiB |\n|---|---|---|---|---|---|---|---|---|"
    )
    for partitions in asked.partitions:
        for rate in asked.rates:
            with tempfile.TemporaryDirectory(prefix="vigie-bench-live-") as name:
                row = measure(rate, partitions, asked.seconds, Path(name))
            delays = ", ".join(f"{each:,.0f}" for each in row.delays_ms)
            print(
                f"| {row.rate:,} | {row.partitions} | {row.worker_us:,.1f} | {row.redis_us:,.1f} | {row.calls_a_second:,.1f} | "
                f"{row.redis_ms_a_call:,.2f} | {row.bytes_an_event:,.0f} | {delays} | {row.memory_mib:,.0f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
