"""What became of every event that a publisher took: taken == delivered + failed + pending, at any instant, from any thread."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from kafka.errors import (
    CorruptRecordError,
    IllegalStateError,
    InvalidRecordError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
)

from streams.publish.limits import PublisherLimits

#: Undelivered events that are remembered; each is given to `on_failed`, all are counted.
UNDELIVERED_KEPT_MAX = 1000
WAIT_STEP_SECONDS = 0.005
#: Errors that speak of the event itself, not of Kafka's state.
_BECAUSE_OF_EVENT = (MessageSizeTooLargeError, InvalidRecordError, CorruptRecordError)


class Undelivered(NamedTuple):
    """An event that Kafka did not confirm. `tag` is what the caller gave; `because_of_event` tells a refused event from an outage."""

    value: bytes
    key: bytes | None
    tag: object
    reason: str
    because_of_event: bool


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How the events taken so far stand: `taken == delivered + failed + pending`. `reasons` splits `failed`.

    `undelivered` holds the last 1,000 that failed.
    """

    taken: int
    delivered: int
    failed: int
    pending: int
    reasons: dict[str, int]
    undelivered: tuple[Undelivered, ...]


class Ledger:
    """Bounds what is pending and counts what became of the rest.

    Callers change `taken` under one lock, failures are noted under another; `delivered` has one writer, the producer's thread, and needs
    none. Who waits for room does so by short sleeps, so that the producer's thread has nobody to wake.
    """

    def __init__(self, limits: PublisherLimits, on_failed: Callable[[Undelivered], None] | None) -> None:
        self._limits = limits
        self._on_failed = on_failed
        self._taking = threading.Lock()
        self._taken_bytes = self._delivered_bytes = self._failed_bytes = 0
        self._failing = threading.Lock()
        self._reasons: Counter[str] = Counter()
        self._undelivered: deque[Undelivered] = deque(maxlen=UNDELIVERED_KEPT_MAX)
        self.taken = self.delivered = self.failed = 0

    @property
    def pending(self) -> int:
        """Events taken that Kafka has neither confirmed nor refused yet."""
        return self.taken - self.delivered - self.failed

    def take(self, size: int) -> bool:
        """Take room for an event of `size` bytes; wait for it at most `block_seconds_max`. False: there is none."""
        if self._try_take(size):
            return True
        deadline = time.monotonic() + self._limits.block_seconds_max
        while time.monotonic() < deadline:
            time.sleep(WAIT_STEP_SECONDS)
            if self._try_take(size):
                return True
        return False

    def _try_take(self, size: int) -> bool:
        with self._taking:
            waiting = self.taken - self.delivered - self.failed
            if waiting >= self._limits.buffer_events_max:
                return False
            waiting_bytes = self._taken_bytes - self._delivered_bytes - self._failed_bytes
            if waiting_bytes + size > self._limits.buffer_bytes_max and waiting:
                return False
            self.taken += 1
            self._taken_bytes += size
            return True

    def give_back(self, size: int) -> None:
        """The event was not sent after all: its caller was told."""
        with self._taking:
            self.taken -= 1
            self._taken_bytes -= size

    def on_delivered(self, record: Any) -> None:
        """Kafka confirmed an event (kafka-python's RecordMetadata). In the producer's thread, once per event: no lock, no names."""
        self._delivered_bytes += record[7] + (
            record[6] if record[6] > 0 else 0
        )  # serialized_value_size, serialized_key_size
        self.delivered += 1

    def on_error(self, value: bytes, key: bytes | None, tag: object, error: Exception) -> None:
        """Kafka did not confirm an event."""
        lost = Undelivered(value, key, tag, self._reason(error), isinstance(error, _BECAUSE_OF_EVENT))
        with self._failing:
            self.failed += 1
            self._failed_bytes += len(value) + (len(key) if key is not None else 0)
            self._reasons[lost.reason] += 1
            self._undelivered.append(lost)
        if self._on_failed is not None:
            self._on_failed(lost)

    def _reason(self, error: Exception) -> str:
        # Few different texts: they are counted by reason.
        if isinstance(error, KafkaTimeoutError):
            return f"Kafka did not confirm it within {self._limits.delivery_seconds_max:g} s"
        if isinstance(error, IllegalStateError):
            return "the publisher was closed before Kafka confirmed it"
        return str(getattr(error, "description", "") or type(error).__name__)

    def deliveries(self) -> Deliveries:
        """Return how the events taken so far stand."""
        with self._failing:
            reasons, undelivered, failed = dict(self._reasons), tuple(self._undelivered), self.failed
        delivered = self.delivered
        with self._taking:
            taken = self.taken
        return Deliveries(taken, delivered, failed, taken - delivered - failed, reasons, undelivered)
