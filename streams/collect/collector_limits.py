"""How much is taken: of one request, of one token a second, of all that wait. Pure, but for the clock that is handed in."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import prometheus_client

from streams import metrics
from streams.errors import ServerError, VigieError
from streams.events import VALUE_BYTES_MAX


class RequestRefused(VigieError):
    """A request as a whole; the message tells its sender what to do. `retry_seconds`: when to come back with it, None: not as it is."""

    def __init__(self, status: int, message: str, retry_seconds: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_seconds = retry_seconds


class NotConfirmed(ServerError):
    """Kafka did not confirm every event of a request in time; some may have arrived. Sent again under the same ids they count once."""


#: A token may send so many seconds of its rate at once: what an ENT kept while it could not reach us.
BURST_SECONDS = 30.0
#: One token may hold this part of what may wait: a slow sender must not keep the others out.
TOKEN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class CollectorLimits:
    """Bounds of a request, and of what waits for Kafka. A whole body must come within `body_seconds_max`."""

    body_bytes_max: int = 4 << 20
    unpacked_bytes_max: int = 16 << 20
    events_max: int = 10_000
    events_per_second_max: int = 5000
    waiting_bytes_max: int = 64 << 20
    confirm_seconds_max: float = 10.0
    body_seconds_max: float = 30.0


def cost(events: int, unpacked_bytes: int) -> int:
    """What a request costs its token, in events: one at least, and as many as its bytes could be of the largest ones."""
    return max(1, events, unpacked_bytes // VALUE_BYTES_MAX)


class Rate:
    """What one token has left: a bucket that fills by `per_second`. A request is paid for once it was read: it may go below zero."""

    __slots__ = ("_at", "_left", "per_second")

    def __init__(self, per_second: int, now: float) -> None:
        self.per_second = per_second
        self._left, self._at = per_second * BURST_SECONDS, now

    def wait_seconds(self, now: float) -> int:
        """How many whole seconds until another request is taken; 0: at once."""
        self._left = min(self._left + (now - self._at) * self.per_second, self.per_second * BURST_SECONDS)
        self._at = now
        return 0 if self._left > 0 else math.floor(-self._left / self.per_second) + 1

    def pay(self, events: int) -> None:
        """Take off what a request cost."""
        self._left -= events


class Waiting:
    """The bytes that are held, by token, from their reading until Kafka has answered for them."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held: Counter[str] = Counter()
        self.bytes = 0

    def hold(self, token: str, number: int) -> bool:
        """Hold so many more; False where that would be too many, and nothing is held."""
        if self.bytes + number > self._bytes_max or self._held[token] + number > self._bytes_max * TOKEN_SHARE:
            return False
        self._held[token] += number
        self.bytes += number
        return True

    def give_back(self, token: str, number: int) -> None:
        """So many are held no more."""
        self._held[token] -= number
        self.bytes -= number
        if not self._held[token]:
            del self._held[token]


#: Buckets of a request's time, seconds: Kafka answers within milliseconds, an outage lasts as long as a request may wait.
SECONDS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ACCEPTED, UNCONFIRMED = "accepted", "unconfirmed"
#: The label of events whose project cannot be told.
NO_PROJECT = "-"


class CollectorMetrics:
    """What a collector says of itself. `waiting_bytes` and `kafka_is_up` are asked at each scrape."""

    def __init__(self, waiting_bytes: Callable[[], int], kafka_is_up: Callable[[], bool]) -> None:
        # `_created` series are of no use here and break the naming rules.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = prometheus_client.CollectorRegistry()
        self._events, self._requests = (
            prometheus_client.Counter(one.name, one.help, one.labels, registry=self.registry)
            for one in (metrics.COLLECTED, metrics.COLLECTOR_REQUESTS)
        )
        seconds = metrics.COLLECTOR_SECONDS
        self._seconds = prometheus_client.Histogram(
            seconds.name, seconds.help, registry=self.registry, buckets=SECONDS_BUCKETS
        )
        for one, asked in ((metrics.COLLECTOR_WAITING, waiting_bytes), (metrics.COLLECTOR_KAFKA_UP, kafka_is_up)):
            prometheus_client.Gauge(one.name, one.help, registry=self.registry).set_function(asked)

    def events(self, outcome: str, numbers: Mapping[str, int]) -> None:
        """So many events by project ended so."""
        for project, number in numbers.items():
            self._events.labels(project, outcome).inc(number)

    def answered(self, status: int, seconds: float) -> None:
        """A request with events was answered."""
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)
