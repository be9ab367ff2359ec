"""`make bench-live`: what live counting costs at a steady rate, on a real Kafka and a real Redis.

For each number of workers, partitions and events a second the workers count what a generator sends. Printed are, over a window after the
start: CPU of all workers and of Redis an event (user and system, all threads), calls of scripts a second (some of them are heartbeats) and
Redis's CPU a call, bytes that Redis receives an event. In a second window Redis is asked every 10 ms where partitions stand: that gives the
delay from the moment an event is handed to the producer until it is counted in Redis. In a third one an observer is scraped again and
again: event number n is visible when the sum of `ent_events_total` has reached n.

`--idle` measures what two workers and an observer take of a core while nothing is sent.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import redis
from confluent_kafka import Message, Producer

from bench.__main__ import cpu_seconds, redis_facts, servers
from bench.load import establishments, project_of
from bench.scrape import events_counted, scrape
from streams import edges
from streams.catalog import load_catalog
from streams.errors import TopicNotAsDesigned
from streams.load_test.load_meter import memory_mib_max
from streams.local import Process, Program, free_ports
from streams.local.ports import http_ok
from streams.settings import Settings, default_config_dir
from streams.topics import ensure_topics

RATES = (100, 1_000, 10_000, 36_000)
PARTITIONS = (8, 100)
WORKERS = (1, 2, 4)
#: Kafka has compiled what it does by then: until then it takes a core of its own, which a broker that has run for a day does not.
WARM_SECONDS = 30.0
OBSERVER_WARM_SECONDS = 4.0
POLL_SECONDS = 0.01
#: Between two scrapes: each takes 20 to 60 ms of a core.
SCRAPE_PAUSE_SECONDS = 0.05
TICK_SECONDS = 0.005
#: Of how many events one's delay is measured.
SAMPLE = 7
#: What is counted this long after a window was counted in it.
AFTER_SECONDS = 3.0
#: Silence settles after a minute, and the first settled one has the detector look at the whole day: that is a start, not idling.
IDLE_WARM_SECONDS, IDLE_SECONDS, IDLE_WORKERS, IDLE_GOAL = 180.0, 120.0, 2, 0.03

#: Delays at these parts of the events.
Quantiles = tuple[float, ...]
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(slots=True)
class Sent:
    """Events of the delay window: (partition, offset, its number, when it was handed over)."""

    number: int = 0
    measuring: bool = False
    delivered: list[tuple[int, int, int, float]] = field(default_factory=list)


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
                "log_level": 2,  # that Kafka is stopped at the end is no news
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
                sent.delivered.append((int(message.partition() or 0), int(message.offset() or 0), number, at))

            self._producer.produce(self._topic, value, key=name, on_delivery=delivered)
        else:
            self._producer.produce(self._topic, value, key=name)


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the table: what is sent, to whom, and for how long a window is looked at."""

    rate: int
    partitions: int
    workers: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """What one rate came to; delays in ms, `memory_mib` of the largest worker."""

    worker_us: float
    redis_us: float
    calls_a_second: float
    redis_ms_a_call: float
    bytes_an_event: float
    counted_ms: Quantiles
    visible_ms: Quantiles
    memory_mib: float


@contextmanager
def _running(programs: Sequence[Program]) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        running = []
        for program in programs:
            running.append(Process(program))
            stack.callback(running[-1].stop)
        for process in running:
            process.wait_ready()
        yield running


def _programs(settings: Settings, directory: Path, role: str, number: int = 1) -> list[Program]:
    """So many workers (`worker`), or observers (`serve`), each on a port of its own."""
    names = ("kafka_bootstrap_servers", "redis_url", "topic_partitions")
    own = {f"VIGIE_{name.upper()}": str(getattr(settings, name)) for name in names}
    own["VIGIE_STACK_FILE"] = str(directory / "none.json")
    ports = free_ports(number)
    own["VIGIE_WORKER_PORT"] = str(ports[0])
    programs = []
    for slot, port in enumerate(ports):
        told, ready = (("--slot", str(slot)), "/healthz") if role == "worker" else (("--port", str(port)), "/readyz")
        argv = (sys.executable, "-m", "streams", role, *told)
        log, is_ready = directory / f"{role}-{slot}.log", partial(http_ok, port, ready)
        programs.append(Program(role, argv, Path.cwd(), log, port=port, ready=is_ready, environment=own))
    return programs


@contextmanager
def _workers(partitions: int, number: int) -> Iterator[tuple[Settings, Path, list[Process]]]:
    """Workers on fresh servers; yields settings, the directory of logs, and the workers."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-live-") as name, servers(Path(name)) as found:
        settings = found.model_copy(update={"topic_partitions": partitions})
        _make_topics(settings)
        with _running(_programs(settings, Path(name), "worker", number)) as running:
            yield settings, Path(name), running


def measure(asked: Asked) -> Row:
    """Run workers against fresh servers at this rate."""
    with _workers(asked.partitions, asked.workers) as (settings, directory, workers):
        client = redis.Redis.from_url(settings.redis_url, decode_responses=True)
        offsets = "{" + settings.redis_prefix + "}:offsets"
        generator = Generator(settings, asked.rate)
        try:
            deadline = time.monotonic() + 60
            while client.hlen(offsets) < min(asked.partitions, asked.rate // 20):
                if time.monotonic() > deadline:
                    raise SystemExit(f"the workers do not count:\n{(directory / 'worker-0.log').read_text()[-2000:]}")
                time.sleep(0.2)
            time.sleep(WARM_SECONDS)
            return _windows(client, offsets, workers, generator, (settings, directory, asked))
        finally:
            generator.stop()
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


def _windows(
    client: Any,
    offsets: str,
    workers: Sequence[Process],
    generator: Generator,
    about: tuple[Settings, Path, Asked],
) -> Row:
    settings, directory, asked = about
    before, cpu = redis_facts(client), _cpu(workers)
    counted, begun = _counted(client, offsets), time.monotonic()
    time.sleep(asked.seconds)
    events, wall = _counted(client, offsets) - counted, time.monotonic() - begun
    cpu, after = _cpu(workers) - cpu, redis_facts(client)
    used = [now - then for now, then in zip(after, before, strict=True)]
    counted_ms = _counted_delays(client, offsets, generator.sent, asked.seconds / 2)
    with _running(_programs(settings, directory, "serve")) as [observer]:
        time.sleep(OBSERVER_WARM_SECONDS)
        visible_ms = _visible_delays(observer, generator.sent, asked.seconds / 2)
    calls = max(1.0, used[1])
    return Row(
        cpu / events * 1e6,
        used[0] / events * 1e6,
        calls / wall,
        used[0] / calls * 1e3,
        used[2] / events,
        counted_ms,
        visible_ms,
        max(memory_mib_max(worker.pid) for worker in workers),
    )


def _cpu(processes: Sequence[Process]) -> float:
    return sum(cpu_seconds(process.pid) for process in processes)


def _counted(client: Any, offsets: str) -> int:
    return sum(int(text.split()[1]) for text in client.hvals(offsets))


def _measuring(sent: Sent, seconds: float, pause_seconds: float) -> Iterator[None]:
    """Once for each look: events sent in the first `seconds` are measured, and looked for a while longer."""
    sent.delivered.clear()
    sent.measuring = True
    end = time.monotonic() + seconds
    while time.monotonic() < end + AFTER_SECONDS:
        if time.monotonic() > end:
            sent.measuring = False
        yield
        time.sleep(pause_seconds)


def _counted_delays(client: Any, offsets: str, sent: Sent, seconds: float) -> Quantiles:
    looks: list[tuple[float, dict[int, int]]] = []
    for _ in _measuring(sent, seconds, POLL_SECONDS):
        stands = {int(number): int(text.split()[1]) for number, text in client.hgetall(offsets).items()}
        looks.append((time.monotonic(), stands))
    found, by_partition = [], dict[int, int]()
    for partition, offset, _number, at in sorted(sent.delivered):
        look = by_partition.get(partition, 0)
        while look < len(looks) and looks[look][1].get(partition, 0) <= offset:
            look += 1
        by_partition[partition] = look
        found.append((looks[look][0] - at) * 1000 if look < len(looks) else float("inf"))
    return _quantiles(found)


def _visible_delays(observer: Process, sent: Sent, seconds: float) -> Quantiles:
    """By number: all that was sent before an event is sent to other partitions, too, and is counted at about the same time."""
    looks: list[tuple[float, float]] = []
    for _ in _measuring(sent, seconds, SCRAPE_PAUSE_SECONDS):
        total = events_counted(scrape(observer.program.port or 0)[0])
        looks.append((time.monotonic(), total))
    rest, found = iter(looks), []
    at_look, total = next(rest)
    for number, at in sorted((number, at) for _partition, _offset, number, at in sent.delivered):
        while total < number:
            at_look, total = next(rest, (float("inf"), float("inf")))
        found.append((at_look - at) * 1000)
    return _quantiles(found)


def _quantiles(delays: list[float]) -> Quantiles:
    found = sorted(delays) or [float("inf")]  # on a machine that is too busy Kafka takes nothing for seconds
    return tuple(found[min(len(found) - 1, int(len(found) * part))] for part in QUANTILES)


def idle() -> float:
    """Which part of a core two workers and an observer take while nothing is sent."""
    with (
        _workers(PARTITIONS[0], IDLE_WORKERS) as (settings, directory, workers),
        _running(_programs(settings, directory, "serve")) as observers,
    ):
        time.sleep(IDLE_WARM_SECONDS)
        running = [*workers, *observers]
        before, begun = _cpu(running), time.monotonic()
        time.sleep(IDLE_SECONDS)
        return (_cpu(running) - before) / (time.monotonic() - begun)


def main() -> int:
    """Measure and print a table; with `--idle` 1 where the goal is missed."""
    parser = argparse.ArgumentParser(prog="make bench-live", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES))
    parser.add_argument("--partitions", type=int, nargs="+", default=list(PARTITIONS))
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--idle", action="store_true", help="what the chain takes without traffic; no table")
    asked = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}\n")
    if asked.idle:
        part = idle()
        print(f"{IDLE_WORKERS} workers and an observer, nothing sent: {part:.1%} of a core (goal {IDLE_GOAL:.0%})")
        return int(part > IDLE_GOAL)
    quantiles = "p50, p95, p99 ms"
    print(
        "| events/s | partitions | workers | worker µs an event | Redis µs an event | calls/s | Redis ms a call | bytes an event | "
        f"counted {quantiles} | visible {quantiles} | worker MiB |\n{'|---' * 11}|"
    )
    for workers, partitions, rate in itertools.product(asked.workers, asked.partitions, asked.rates):
        row = measure(Asked(rate, partitions, workers, asked.seconds))
        counted, visible = (", ".join(f"{ms:,.0f}" for ms in delays) for delays in (row.counted_ms, row.visible_ms))
        print(
            f"| {rate:,} | {partitions} | {workers} | {row.worker_us:,.1f} | {row.redis_us:,.1f} | {row.calls_a_second:,.1f} | "
            f"{row.redis_ms_a_call:,.2f} | {row.bytes_an_event:,.0f} | {counted} | {visible} | {row.memory_mib:,.0f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
