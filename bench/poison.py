"""`make bench-poison`: how fast good events are counted while a share of the flow is broken, on a real Kafka and a real Redis.

For each share a topic is filled with the same number of good events, broken ones mixed among them (of four kinds, a fourth each), and
one `vigie worker` runs over it; several rounds, the shares one after the other in each, so that what else the machine does meets them all.
Printed is the rate of *good* events, on the wall and by CPU second of the worker, and what it is of the rate without any broken one in the
same round. Exit status 1 when a share of 50 % halves it by CPU second in the median round, or a count is wrong.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer

from bench.__main__ import Run, servers, watch
from streams import edges
from streams.count import Cut
from streams.live import LiveReader
from streams.settings import Settings
from streams.topics import ensure_topics

SHARES = (0.0, 0.01, 0.5, 1.0)
#: Share of the rate without broken events that must be left at 50 %.
GOAL = 0.5


@dataclass(frozen=True, slots=True)
class Result:
    """One share: what was counted, and how long it took after the first chunk."""

    share: float
    good: int
    broken: int
    kept: int
    run: Run

    @property
    def good_share(self) -> float:
        """Of the records after the first chunk, those that are good."""
        return self.good / (self.good + self.broken)

    @property
    def per_cpu_second(self) -> float:
        """Good events per CPU second of the worker."""
        return self.run.events * self.good_share / self.run.cpu_seconds

    @property
    def per_second(self) -> float:
        """Good events a second on the wall."""
        return self.run.events * self.good_share / self.run.wall_seconds


def fill(settings: Settings, good: int, total: int) -> int:
    """Send `total` events, of which `good` are good, evenly mixed; return the number of broken ones."""
    rnd = random.Random(1)
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "linger.ms": 50,
            "batch.size": 262_144,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 500_000,
        }
    )
    now_ms = int(time.time() * 1000)
    visitors = [f"{rnd.getrandbits(256):064x}" for _ in range((good or total) // 10 + 1)]
    sent_good = sent_broken = 0
    for n in range(total):
        visitor = visitors[rnd.randrange(len(visitors))]
        if good == 0 or (sent_good * total >= n * good and n < total - (good - sent_good)):
            value = _broken(sent_broken % 4, visitor, now_ms)
            sent_broken += 1
        else:
            value = _event(sent_good, visitor, str(now_ms - rnd.randrange(60_000)))
            sent_good += 1
        while True:
            try:
                producer.produce(settings.topic, value, key=visitor)
                break
            except BufferError:
                producer.poll(0.05)
    if producer.flush(120):
        raise SystemExit("Kafka did not take everything")
    return sent_broken


def _event(number: int, visitor: str, ts: str) -> bytes:
    text = (
        f'{{"v":1,"id":"{number:024x}","ts":{ts},"project":"mbn","uai":"0541234Y","service":"NOTES","profile":"ELEVE",'
    )
    return f'{text}"visitor":"{visitor}"}}'.encode()


def _broken(kind: int, visitor: str, now_ms: int) -> bytes:
    """Cut off; a member missing; `ts` as text; three days old."""
    if kind == 0:
        return _event(0, visitor, str(now_ms))[:-5]
    if kind == 1:
        return b'{"v":1,"id":"x","ts":%d}' % now_ms
    return _event(0, visitor, f'"{now_ms}"' if kind == 2 else str(now_ms - 72 * 3_600_000))


def measure(base: Settings, share: float, good: int, directory: Path, round_number: int) -> Result:
    """Fill a topic of its own, run one worker over it, compare the counts."""
    name = f"poison{int(share * 100)}.{round_number}"
    settings = base.model_copy(
        update={"topic": name, "rejected_topic": f"{name}.rejected", "redis_prefix": name, "consumer_group": name}
    )
    ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
    good, total = (0, good) if share == 1 else (good, round(good / (1 - share)))
    broken = fill(settings, good, total)
    names = (
        "kafka_bootstrap_servers",
        "redis_url",
        "worker_port",
        "topic",
        "rejected_topic",
        "redis_prefix",
        "consumer_group",
    )
    own = {f"VIGIE_{each.upper()}": str(getattr(settings, each)) for each in names}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("VIGIE_")}
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "streams", "worker"],
            env={**inherited, **own, "VIGIE_STACK_FILE": str(directory / "none.json")},
            stdout=output,
            stderr=output,
        )
    try:
        run = watch(worker, settings, good + broken, log)
    finally:
        worker.terminate()
        worker.wait(30)
    reader = LiveReader(edges.redis_address(settings), settings.redis_prefix)
    totals = reader.snapshot().totals
    reader.close()
    sums = {
        cut: sum(n for field, n in totals.items() if field[0] == cut)
        for cut in (Cut.EVENTS, Cut.REJECTED, Cut.NOT_KEPT)
    }
    if (sums[Cut.EVENTS], sums[Cut.REJECTED]) != (good, broken):
        raise SystemExit(f"{sums} is counted, {good} good and {broken} broken events were sent: no figure")
    return Result(share, good, broken, broken - sums[Cut.NOT_KEPT], run)


def main() -> int:
    """Measure, print; 1 when the rate of good events is halved."""
    parser = argparse.ArgumentParser(prog="make bench-poison", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="good events of each share")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    left = []
    with tempfile.TemporaryDirectory(prefix="vigie-poison-") as name, servers(Path(name)) as settings:
        for number in range(1, asked.rounds + 1):
            results = [measure(settings, share, asked.events, Path(name), number) for share in SHARES]
            clean = results[0]
            for each in results[:-1]:
                print(
                    f"round {number}, {each.share:3.0%} broken: {each.good:,} good counted, {each.broken:,} rejected, {each.kept:,} kept;  "
                    f"{each.per_second:9,.0f} good/s on the wall ({each.per_second / clean.per_second:4.0%}), "
                    f"{each.per_cpu_second:9,.0f} good per CPU second ({each.per_cpu_second / clean.per_cpu_second:4.0%})",
                    flush=True,
                )
            all_broken, run = results[-1], results[-1].run
            print(
                f"round {number}, 100% broken: {all_broken.good:,} good counted, {all_broken.broken:,} rejected, {all_broken.kept:,} kept; "
                f"{run.events / run.cpu_seconds:,.0f} rejected per CPU second",
                flush=True,
            )
            left.append(results[-2].per_cpu_second / clean.per_cpu_second)
    median = statistics.median(left)
    met = median > GOAL
    print(
        f"half of the flow broken: {median:.0%} of the good events per CPU second is left (median of {len(left)}); goal over {GOAL:.0%}: "
        f"{'met' if met else 'NOT met'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
