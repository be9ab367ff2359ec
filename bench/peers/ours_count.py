"""Vigie's own decode and count without Faust and Redis: whole batches out of aiokafka, one counter a partition, sums in a dictionary.

Counted is all that a worker counts (duplicates, visits, users, every cut); handed back are events by minute, region and service.
"""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from streams.catalog import load_catalog
from streams.count import Batch, Counting, CountingRules, Cut, PartitionCounter
from streams.events import EventBounds
from streams.ingest.batches import BatchRecords, use_raw_batches
from streams.settings import default_config_dir

UNPACKED_BYTES_MAX = 64 << 20


class Counters:
    """Counts partitions as they come; `minutes` are events by (epoch minute, region, service)."""

    def __init__(self) -> None:
        rules = CountingRules.of(load_catalog(default_config_dir()), EventBounds(), 20_000)
        self._counting = Counting(rules)
        self._counters: dict[int, PartitionCounter] = {}
        self.minutes: Counter[tuple[int, str, str]] = Counter()
        self.records = 0

    def count(self, partition: int, batches: Sequence[Batch]) -> None:
        """Count batches that continue a partition."""
        counter = self._counters.get(partition)
        if counter is None:
            counter = self._counters[partition] = PartitionCounter(self._counting, None)
        delta = counter.count(batches)
        self.records += delta.records
        for minute, fields in delta.minutes.items():
            for field, number in fields.items():
                if field[0] == Cut.EVENTS:
                    self.minutes[minute, field[1], field[2]] += number


async def main() -> None:
    """Read everything, count it, hand it back."""
    topic, events = os.environ["PEER_TOPIC"], int(os.environ["PEER_EVENTS"])
    use_raw_batches(UNPACKED_BYTES_MAX)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=os.environ["PEER_SERVERS"],
        group_id=f"peer-{os.getpid()}-{time.time_ns()}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    )
    counters = Counters()
    await consumer.start()
    wall, cpu = time.perf_counter(), time.process_time()
    while counters.records < events:
        await BatchRecords.hand.wait()
        for partition, covered in (await consumer.getmany(timeout_ms=1000)).items():
            counters.count(partition.partition, [one.batch for one in covered])
    result = {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "versions": {name: version(name) for name in ("vigie", "aiokafka", "msgspec", "numpy")},
        "counts": [[*key, number] for key, number in counters.minutes.items()],
    }
    Path(os.environ["PEER_OUT"]).write_text(json.dumps(result))
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
