"""Live traffic whose ENTs do not all send alike: one through the collector, the others to Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable

from streams.events import VisitEvent, decode
from streams.publish import Deliveries
from streams.simulate.live import Publisher

#: Nearer than this to the bounds of time, an event is not sent through the collector, whose clock might see it otherwise than Kafka's.
AHEAD_MS_MAX, AGE_MS_MAX = 30_000, 40 * 3_600_000


class TwoWays:
    """Sends the good events of one project to `collector`, all else to `kafka`: what breaks the contract on purpose must reach the log."""

    def __init__(
        self, kafka: Publisher, collector: Publisher, project: str, now: Callable[[], float] = time.time
    ) -> None:
        self._kafka, self._collector = kafka, collector
        self._project, self._now = project, now
        self._sign = f'"project":"{project}"'.encode()

    @property
    def pending(self) -> int:
        """Events that are owed an answer."""
        return self._kafka.pending + self._collector.pending

    @property
    def delivered(self) -> int:
        """Events that Kafka confirmed, to us or to the collector."""
        return self._kafka.delivered + self._collector.delivered

    @property
    def failed(self) -> int:
        """Events that were not confirmed."""
        return self._kafka.failed + self._collector.failed

    def send_raw(self, value: bytes, key: bytes | None, tag: object = None) -> object:
        """Send one event its way; raises as a publisher does."""
        way = self._collector if self._sign in value and self._is_good(value) else self._kafka
        return way.send_raw(value, key, tag)

    def close(self, timeout_seconds: float = 30.0) -> Deliveries:
        """Close both, and return how all events stand."""
        deadline = time.monotonic() + timeout_seconds
        one = self._collector.close(timeout_seconds)
        other = self._kafka.close(max(1.0, deadline - time.monotonic()))
        reasons = dict(one.reasons)
        for reason, number in other.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + number
        return Deliveries(
            one.taken + other.taken,
            one.delivered + other.delivered,
            one.failed + other.failed,
            one.pending + other.pending,
            reasons,
            (*one.undelivered, *other.undelivered),
            one.resent + other.resent,
        )

    def _is_good(self, value: bytes) -> bool:
        event = decode(value)
        if not isinstance(event, VisitEvent) or event.project != self._project:
            return False
        ahead_ms = event.ts - self._now() * 1000
        return -AGE_MS_MAX < ahead_ms < AHEAD_MS_MAX
