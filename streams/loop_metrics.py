"""What each process exposes of its background loops. The same for workers and observers."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streams.background import BackgroundLoop
from streams.metrics import DEFECTS, PROBLEM


class LoopCollector(Collector):
    """Answers from memory, whatever the loops do."""

    def __init__(self, loops: Sequence[BackgroundLoop]) -> None:
        self._loops = loops

    def collect(self) -> Iterator[Family]:
        """Whether something nobody foresaw is so now, and how often it was, by part."""
        problem = GaugeMetricFamily(PROBLEM.name, PROBLEM.help, labels=PROBLEM.labels)
        defects = CounterMetricFamily(DEFECTS.name, DEFECTS.help, labels=DEFECTS.labels)
        for loop in self._loops:
            problem.add_metric([loop.rules.name], int(loop.defect() is not None))
            defects.add_metric([loop.rules.name], loop.state.defects)
        yield from (problem, defects)
