"""The worker's own metrics, on its own registry. Names and helps come from `streams.metrics`."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from streams import metrics
from streams.background import BackgroundLoop
from streams.count import Delta
from streams.loop_metrics import LoopCollector
from streams.metric_kinds import Metric

#: Buckets of the ingest delay, seconds: the chain promises a few seconds, an outage lasts minutes.
DELAY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

#: What `Memory.sizes` counts and `Memory.nbytes` weighs, in their order.
MEMORY_KINDS = ("id", "visitor")

M = TypeVar("M", bound=MetricWrapperBase)


@dataclass(frozen=True, slots=True)
class OwnedPartition:
    """One owned partition at a heartbeat; `memory_entries` and `memory_bytes` are `Memory.sizes` and `Memory.nbytes`."""

    lag_seconds: float
    warming: bool
    memory_entries: tuple[int, int]
    memory_bytes: tuple[int, int]


class WorkerMetrics:
    """What a worker says of itself."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # `_created` series are of no use here and break the naming rules
        self.registry = CollectorRegistry()
        self._records = self._make(Counter, metrics.WORKER_EVENTS)
        self._chunks = self._make(Counter, metrics.WORKER_CHUNKS)
        self._seeks = self._make(Counter, metrics.WORKER_SEEKS)
        self._lag = self._make(Gauge, metrics.LAG_SECONDS)
        self._watermark = self._make(Gauge, metrics.WATERMARK)
        self._warming = self._make(Gauge, metrics.WARMING)
        self._memory = self._make(Gauge, metrics.MEMORY)
        self._memory_bytes = self._make(Gauge, metrics.MEMORY_BYTES)
        self._owned = self._make(Gauge, metrics.OWNED)
        self._redis_failures = self._make(Counter, metrics.REDIS_FAILURES)
        self._dead_letter_failures = self._make(Counter, metrics.DEAD_LETTER_FAILURES)
        self._suppressed = self._make(Counter, metrics.LOG_LINES_SUPPRESSED)
        delay = metrics.INGEST_DELAY
        self._delay = Histogram(delay.name, delay.help, buckets=DELAY_BUCKETS, registry=self.registry)
        self._shown: set[int] = set()

    def watch(self, loops: Sequence[BackgroundLoop]) -> None:
        """Expose these loops, too."""
        self.registry.register(LoopCollector(loops))

    def _make(self, kind: type[M], metric: Metric) -> M:
        return kind(metric.name, metric.help, metric.labels, registry=self.registry)

    def chunk(self, outcome: str) -> None:
        """A chunk ended with this outcome of the Redis call."""
        self._chunks.labels(outcome).inc()

    def counted(self, partition: int, delta: Delta, append_times_ms: list[int]) -> None:
        """A chunk was counted; its batches were appended at these times."""
        self._records.inc(delta.records)
        self._watermark.labels(partition).set(delta.watermark_ms / 1000)
        now_ms = time.time() * 1000
        for append_ms in append_times_ms:
            self._delay.observe(max(0.0, (now_ms - append_ms) / 1000))

    def seek(self, kind: str) -> None:
        """A partition is read again."""
        self._seeks.labels(kind).inc()

    def redis_failure(self) -> None:
        """A Redis call failed."""
        self._redis_failures.inc()

    def dead_letter_failure(self, number: int) -> None:
        """Dead letters were not taken."""
        self._dead_letter_failures.inc(number)

    def suppressed(self) -> None:
        """A log line was not written."""
        self._suppressed.inc()

    def owned(self, partitions: Mapping[int, OwnedPartition]) -> None:
        """The partitions owned now; those that went away stop being exposed."""
        for gone in self._shown - set(partitions):
            for gauge in (self._lag, self._watermark, self._warming):
                gauge.remove_by_labels({"partition": str(gone)})
        self._shown = set(partitions)
        self._owned.set(len(partitions))
        for number, partition in partitions.items():
            self._lag.labels(number).set(partition.lag_seconds)
            self._warming.labels(number).set(int(partition.warming))
        for column, kind in enumerate(MEMORY_KINDS):
            self._memory.labels(kind).set(sum(p.memory_entries[column] for p in partitions.values()))
            self._memory_bytes.labels(kind).set(sum(p.memory_bytes[column] for p in partitions.values()))
