"""The collector's own metrics, on its own registry. Names and helps come from `streams.metrics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from streams import metrics

#: Buckets of a request's time, seconds: Kafka answers within milliseconds, an outage lasts as long as a request may wait.
SECONDS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ACCEPTED, UNCONFIRMED = "accepted", "unconfirmed"
#: The label of events whose project cannot be told.
NO_PROJECT = "-"


class CollectorMetrics:
    """What a collector says of itself. `waiting_bytes` and `kafka_is_up` are asked at each scrape."""

    def __init__(self, waiting_bytes: Callable[[], int], kafka_is_up: Callable[[], bool]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # `_created` series are of no use here and break the naming rules
        self.registry = CollectorRegistry()
        events, requests, seconds = metrics.COLLECTED, metrics.COLLECTOR_REQUESTS, metrics.COLLECTOR_SECONDS
        self._events = Counter(events.name, events.help, events.labels, registry=self.registry)
        self._requests = Counter(requests.name, requests.help, requests.labels, registry=self.registry)
        self._seconds = Histogram(seconds.name, seconds.help, registry=self.registry, buckets=SECONDS_BUCKETS)
        waiting, kafka = metrics.COLLECTOR_WAITING, metrics.COLLECTOR_KAFKA_UP
        Gauge(waiting.name, waiting.help, registry=self.registry).set_function(waiting_bytes)
        Gauge(kafka.name, kafka.help, registry=self.registry).set_function(lambda: int(kafka_is_up()))

    def events(self, outcome: str, numbers: Mapping[str, int]) -> None:
        """So many events by project ended so."""
        for project, number in numbers.items():
            self._events.labels(project, outcome).inc(number)

    def answered(self, status: int, seconds: float) -> None:
        """A request with events was answered."""
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)
