"""`make bench`: what one worker costs, on a real Kafka and a real Redis, counting everything: duplicates, visits, users, establishments.

Fills a topic, runs one `vigie worker` over it, and divides the events by the CPU seconds (user + system, all threads) that the worker
process spent between its first counted chunk and its last. Start-up is left out. Load generator, Kafka and Redis are other processes
and are not in the figure; what Redis spent in the same time stands beside it. The counts in Redis are compared with what was sent: a
fast wrong count is no figure. `--batch 1` writes the topic as a quiet one is written, an event a record batch.

`--against DIR` runs the worker of another checkout in turn with this one, on the same topic, and prints how many times as many events this
one counts: `git worktree add ../before v0.1.0`, then `python -m bench --against ../before`.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from redis import Redis

from bench.load import Load, fill
from streams import edges
from streams.load_test import load_meter
from streams.local import Process, free_ports, kafka, redis
from streams.settings import Settings, default_config_dir
from streams.topics import ensure_topics

GOAL = 300_000
ROOT = Path(__file__).resolve().parents[1]
#: Prints how many events Redis holds. The version that counted them reads them: another one may have another key layout.
COUNTED = """
import sys
from streams.count import Cut
from streams.edges import redis_address
from streams.live import LiveReader
from streams.settings import Settings
reader = LiveReader(redis_address(Settings(redis_url=sys.argv[1])), sys.argv[2])
print(sum(number for field, number in reader.snapshot().totals.items() if field[0] == Cut.EVENTS))
"""
WAIT_SECONDS_MAX = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a worker: `cpu_seconds` over `events` after the first chunk, `redis_seconds` of Redis's CPU meanwhile."""

    events: int
    cpu_seconds: float
    redis_seconds: float
    wall_seconds: float
    memory_mib: float

    @property
    def per_cpu_second(self) -> float:
        """The figure."""
        return self.events / self.cpu_seconds

    @property
    def per_cpu_second_of_both(self) -> float:
        """The same, Redis's CPU counted in."""
        return self.events / (self.cpu_seconds + self.redis_seconds)


@contextmanager
def servers(directory: Path) -> Iterator[Settings]:
    """A Kafka and a Redis of our own; yields settings that point at them."""
    kafka_port, controller_port, redis_port, worker_port = free_ports(4)
    running = [
        Process(kafka(directory / "k", kafka_port, controller_port)),
        Process(redis(directory / "r", redis_port)),
    ]
    try:
        for process in running:
            process.wait_ready()
        yield Settings(
            kafka_bootstrap_servers=f"127.0.0.1:{kafka_port}",
            redis_url=f"redis://127.0.0.1:{redis_port}/0",
            worker_port=worker_port,
        )
    finally:
        for process in running:
            process.stop()


def measure(settings: Settings, number: int, events: int, directory: Path, checkout: Path = ROOT) -> Run:
    """Run one worker, of this checkout or another one, of a fresh consumer group and prefix over the whole topic."""
    prefix = f"bench{number}"
    own = {
        "VIGIE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "VIGIE_REDIS_URL": settings.redis_url,
        "VIGIE_WORKER_PORT": str(settings.worker_port),
        "VIGIE_REDIS_PREFIX": prefix,
        "VIGIE_CONSUMER_GROUP": prefix,
        "VIGIE_STACK_FILE": str(directory / "none.json"),
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")} | own
    python = checkout / ".venv" / "bin" / "python"
    begin = [str(python) if python.exists() else sys.executable]
    log = directory / f"worker-{number}.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [*begin, "-m", "streams", "worker"], cwd=checkout, env=environment, stdout=output, stderr=output
        )
    try:
        run = watch(worker, settings, events, log)
    finally:
        worker.terminate()
        worker.wait(30)
    ask = [*begin, "-c", COUNTED, settings.redis_url, prefix]
    counted = int(subprocess.run(ask, cwd=checkout, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    if counted != events:
        raise SystemExit(f"{counted} events are counted in Redis, {events} were sent: no figure")
    return run


def watch(worker: subprocess.Popen[bytes], settings: Settings, events: int, log: Path) -> Run:
    """Wait until it has counted so many events; return what that cost."""
    client = Redis.from_url(settings.redis_url, decode_responses=True)
    first: tuple[int, float, float, float] | None = None
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        if worker.poll() is not None:
            raise SystemExit(f"the worker ended with {worker.returncode}:\n{log.read_text()[-2000:]}")
        done, cpu = _counted(settings.worker_port), cpu_seconds(worker.pid)
        if done and first is None:
            first = (done, cpu, redis_facts(client)[0], time.monotonic())
        if first and done >= events:
            spent, wall = redis_facts(client)[0] - first[2], time.monotonic() - first[3]
            return Run(events - first[0], cpu - first[1], spent, wall, load_meter.memory_mib_max(worker.pid))
        time.sleep(0.25 if first else 0.02)
    raise SystemExit(f"not done within {WAIT_SECONDS_MAX:.0f} s:\n{log.read_text()[-2000:]}")


def _counted(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return 0
    return next(
        (int(float(line.split()[1])) for line in text.splitlines() if line.startswith("ent_worker_events_total")), 0
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process that runs, all threads."""
    spent = load_meter.cpu_seconds(pid)
    if spent is None:
        raise SystemExit(f"process {pid} is gone: no figure")
    return spent


def redis_facts(client: Any) -> tuple[float, float, float]:
    """CPU seconds, calls of scripts, bytes received."""
    cpu, stats, commands = client.info("cpu"), client.info("stats"), client.info("commandstats")
    scripts = commands.get("cmdstat_evalsha", {"calls": 0})
    return cpu["used_cpu_user"] + cpu["used_cpu_sys"], scripts["calls"], stats["total_net_input_bytes"]


def _report(load: Load, runs: list[Run]) -> bool:
    print(
        f"{load.events:,} events of {load.bytes_mean:.0f} bytes on average, lz4, 8 partitions; one worker; load {os.getloadavg()[0]:.1f}"
    )
    names = ("faust-streaming", "aiokafka", "msgspec", "redis", "hiredis")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        + ", ".join(f"{n} {version(n)}" for n in names)
    )
    for run in runs:
        print(
            f"  {run.per_cpu_second:>9,.0f} events per CPU-second   {run.per_cpu_second_of_both:>9,.0f} with Redis's CPU "
            f"({run.redis_seconds / run.events * 1e6:.2f} µs an event)   {run.events / run.wall_seconds:>9,.0f} events/s on the wall   "
            f"peak memory {run.memory_mib:.0f} MiB"
        )
    median = statistics.median(run.per_cpu_second for run in runs)
    met = median >= GOAL
    print(
        f"decode + count (duplicates, visits, users) + Redis: median {median:,.0f} events per CPU-second "
        f"({statistics.median(run.per_cpu_second_of_both for run in runs):,.0f} with Redis's CPU); "
        f"goal {GOAL:,}: {'met' if met else 'NOT met'}"
    )
    return met


def _compare(runs: list[Run], others: list[Run]) -> None:
    figures: dict[str, Callable[[Run], float]] = {
        "": lambda run: run.per_cpu_second,
        " with Redis's CPU": lambda run: run.per_cpu_second_of_both,
    }
    for name, figure in figures.items():
        ours, theirs = list(map(figure, runs)), list(map(figure, others))
        pairs = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        print(
            f"{statistics.median(ours):>9,.0f} events per CPU-second{name}, {statistics.median(theirs):,.0f} of the other checkout: "
            f"{statistics.median(pairs):.3f} times (pairs {pairs[0]:.3f} to {pairs[-1]:.3f})"
        )


def main() -> int:
    """Fill, measure, print; 1 when the median is below the goal."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=10_000, help="events of a record batch, at most")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, run in turn with this one")
    parser.add_argument("--of", type=Path, metavar="DIR", default=ROOT, help="this checkout, in place of its own")
    asked = parser.parse_args()
    checkouts = [each.resolve() for each in (asked.of, asked.against) if each]
    if strange := [each for each in checkouts if not (each / "streams" / "__main__.py").is_file()]:
        parser.error(f"{strange[0]} is no checkout of Vigie: make one with git worktree add DIR COMMIT")
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as name, servers(Path(name)) as settings:
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        print(f"sending {asked.events:,} events ...", flush=True)
        load = fill(
            settings.kafka_bootstrap_servers,
            settings.topic,
            asked.events,
            int(time.time() * 1000),
            default_config_dir(),
            batch=asked.batch,
        )
        runs: list[list[Run]] = [[] for _ in checkouts]
        for number in range(asked.runs):
            # Every second round the other one begins: what warms up or fills up meets both.
            in_turn = list(enumerate(checkouts))
            for place, checkout in in_turn if number % 2 == 0 else in_turn[::-1]:
                run = measure(settings, 2 * number + place, asked.events, Path(name), checkout)
                runs[place].append(run)
                print(
                    f"run {number + 1} of {asked.runs}, {checkout.name}: {run.per_cpu_second:,.0f} events per CPU-second, "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    if asked.against:
        _compare(*runs)
    return 0 if _report(load, runs[0]) else 1


if __name__ == "__main__":
    sys.exit(main())
