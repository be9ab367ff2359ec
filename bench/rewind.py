"""`python -m bench.rewind`: what the counters' memory costs, and how long it takes to read it again after a restart.

Traffic as in the field (visits of about ten events over a few minutes, several services, visitors who come back) is fed to the
counter of one partition, as `warm` does after a restart: the longest possible rewind at a given national rate. Prints, for several
numbers of generations `k`, the length of the rewind and the time of one look-up; then the bytes of a remembered id and visitor.
"""

import argparse
import gc
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import orjson

from bench.load import establishments
from streams.catalog import load_catalog
from streams.count import Batch, Counting, CountingRules, PartitionCounter
from streams.count.memory import VISIT_GAP_MS, MemoryPlan
from streams.events import EventBounds
from streams.settings import default_config_dir

LATENESS_MS = 20_000
EVENTS_A_VISIT = 10
VISIT_MS = 6 * 60_000
GOAL_SECONDS = 15.0
T0 = 1_788_242_400_000


def traffic(rate: int, seconds: int, seed: int = 7) -> Iterator[Batch]:
    """Batches of one second, each with `rate` events of visits that overlap; one partition takes the whole rate."""
    rnd = random.Random(seed)
    catalog = load_catalog(default_config_dir())
    uais = establishments(catalog, 3000, rnd)
    services = [s.code for s in rnd.choices(catalog.services, [s.weight for s in catalog.services], k=4096)]
    # At any time as many visits are under way as last on average; each visitor is known by a 64-character pseudonym.
    under_way = max(1, rate * VISIT_MS // 1000 // EVENTS_A_VISIT)
    visits = [(f"{rnd.getrandbits(256):064x}", rnd.randrange(4096)) for _ in range(under_way)]
    offset = 0
    for second in range(seconds):
        at = T0 + second * 1000
        values: list[bytes | None] = []
        for _ in range(rate):
            slot = rnd.randrange(under_way)
            if rnd.random() < 1 / EVENTS_A_VISIT:
                visits[slot] = (f"{rnd.getrandbits(256):064x}", rnd.randrange(4096))
            visitor, taste = visits[slot]
            event = {
                "v": 1,
                "id": f"{offset + len(values):024x}",
                "ts": at - rnd.randrange(2000),
                "uai": uais[taste % 3000],
                "service": services[(taste + rnd.randrange(4)) % 4096],
                "profile": "ELEVE",
                "visitor": visitor,
            }
            values.append(orjson.dumps(event))
        yield Batch(at, values, [None] * rate, range(offset, offset + rate), offset + rate)
        offset += rate


def plan_of(generations: int) -> MemoryPlan:
    """The plan with this many generations of visitors."""
    needed = VISIT_GAP_MS + 120_000 + LATENESS_MS
    return MemoryPlan(visit_ms=-(-needed // ((generations - 1) * 10_000)) * 10_000, visit_count=generations)


def choose(rate: int) -> None:
    """Print what each number of generations costs."""
    sample = list(traffic(rate, 240))
    print(f"{'k':>3} {'generation':>11} {'longest rewind':>15} {'read again and remembered':>27}")
    for generations in (2, 3, 4, 5, 7, 9, 13):
        plan = plan_of(generations)
        # 240 s of traffic over 8 generations: look-ups meet several live ones, as in the middle of a long run.
        spread = [replace(batch, append_ms=T0 + n * plan.visit_ms * 8 // len(sample)) for n, batch in enumerate(sample)]
        rules = replace(CountingRules.of(load_catalog(default_config_dir()), EventBounds(), LATENESS_MS), plan=plan)
        counter = PartitionCounter(Counting(rules), None)
        begun = time.process_time()
        counter.warm(spread)
        micros = (time.process_time() - begun) / (rate * 240) * 1e6
        print(
            f"{generations:>3} {plan.visit_ms / 1000:>9.0f} s {plan.visit_ms * generations / 60_000:>11.1f} min {micros:>20.2f} us an event"
        )


def rewind(rate: int) -> float:
    """Feed the longest rewind at `rate` events/s; print and return its CPU seconds."""
    rules = CountingRules.of(load_catalog(default_config_dir()), EventBounds(), LATENESS_MS)
    plan = rules.plan
    seconds = plan.visit_ms * plan.visit_count // 1000
    counter = PartitionCounter(Counting(rules), None)
    cpu = 0.0
    events = 0
    for batch in traffic(rate, seconds):
        begun = time.process_time()
        counter.warm([batch])
        cpu += time.process_time() - begun
        events += len(batch.values)
        if sys.stderr.isatty() and events % (rate * 60) == 0:
            print(f"\r{events // rate:,} of {seconds:,} s", end="", file=sys.stderr)
    (ids, visitors), (id_bytes, visitor_bytes) = counter.memory.sizes(), counter.memory.nbytes()
    print(
        f"{rate:,} events/s: {seconds / 60:.1f} min read again, {events:,} events in {cpu:.1f} CPU-seconds ({events / cpu:,.0f}/s); "
        f"{ids:,} ids of {id_bytes / ids:.0f} bytes, {visitors:,} visitors of {visitor_bytes / visitors:.0f} bytes (one in each "
        f"generation it was seen in, with its services): {(id_bytes + visitor_bytes) / 2**20:.0f} MiB"
    )
    return cpu


def main() -> int:
    """Print all; 1 when the rewind at 2,000 events/s takes longer than its goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.rewind", description=__doc__)
    parser.add_argument("--rates", default="2000,13000", help="national events/s, separated by commas")
    asked = parser.parse_args()
    gc.set_threshold(100_000, 50, 100)  # as the worker does
    rates = [int(rate) for rate in asked.rates.split(",")]
    cpu = {rate: rewind(rate) for rate in rates}
    choose(2000)
    met = cpu.get(2000, 0.0) < GOAL_SECONDS
    print(f"whole rewind at 2,000 events/s: goal under {GOAL_SECONDS:.0f} s of one core: {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
