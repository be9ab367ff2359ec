"""`python -m bench.stages`: where an event's microseconds go in a worker, without Kafka and Redis, in one process.

The same events are decoded and checked; then also read into columns; then counted whole (memory of ids and visitors, visits, users, sums by
cut). Printed is the CPU of each step an event, the lowest of several rounds: what the machine does besides only adds.
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence

from bench.rewind import LATENESS_MS, traffic
from streams.catalog import load_catalog
from streams.count import Batch, Counting, CountingRules, PartitionCounter
from streams.count.columns import ColumnReader, Sender, Unseen
from streams.events import EventBounds, validate_all
from streams.settings import default_config_dir

BLOCK = 500
CHUNK_BATCHES = 5


def cpu(work: Callable[[], None]) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    work()
    return time.process_time() - began


class Stages:
    """The steps, each with all steps before it, over the same batches."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches
        self._catalog = load_catalog(default_config_dir())
        self._bounds = EventBounds()
        self._rules = CountingRules.of(self._catalog, self._bounds, LATENESS_MS)

    def decode(self) -> None:
        """Decode and check."""
        for batch in self._batches:
            for first in range(0, len(batch.values), BLOCK):
                validate_all(batch.values[first : first + BLOCK], batch.append_ms, self._bounds)

    def columns(self) -> None:
        """Then read into columns of numbers."""
        reader = ColumnReader(self._catalog)
        for batch in self._batches:
            for first in range(0, len(batch.values), BLOCK):
                events, _at, _reasons = validate_all(batch.values[first : first + BLOCK], batch.append_ms, self._bounds)
                reader.read(events, [Sender(0, len(events), Unseen())])

    def count(self) -> None:
        """All of it."""
        counter = PartitionCounter(Counting(self._rules), None)
        for place in range(0, len(self._batches), CHUNK_BATCHES):
            counter.count(self._batches[place : place + CHUNK_BATCHES])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--rate", type=int, default=2000, help="events of a batch, which is a second's")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    gc.set_threshold(100_000, 50, 100)  # as the worker does
    stages = Stages(list(traffic(asked.rate, asked.seconds)))
    events = asked.rate * asked.seconds
    steps = (stages.decode, stages.columns, stages.count)
    best = [min(cpu(step) for _ in range(asked.rounds)) / events * 1e6 for step in steps]
    decode, columns, count = best
    print(f"{events:,} events in chunks of {asked.rate * CHUNK_BATCHES:,}; load {os.getloadavg()[0]:.1f}\n")
    print("| step | µs of CPU an event |\n|---|---|")
    print(f"| decode and check | {decode:.2f} |")
    print(f"| read into columns | {columns - decode:.2f} |")
    print(f"| duplicates, visits, users, sums by minute and cut | {count - columns:.2f} |")
    print(f"| together | {count:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
