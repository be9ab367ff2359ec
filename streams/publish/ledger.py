"""What became of every event that a publisher took: taken == delivered + failed + pending.

kafka-python hands out one future an event. Callbacks on each would cost as much as a sixth of the whole sending, so the futures wait in
order in a queue and a thread looks at its head a few times a second.
"""

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
#: How often the thread looks.
SWEEP_SECONDS = 0.05
#: How often the whole queue is searched when its head is stuck; it takes some milliseconds.
SEARCH_SECONDS = 0.2
#: How often somebody who waits looks.
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


#: (future, value, key, tag)
_Entry = tuple[Any, bytes, bytes | None, object]


class Ledger:
    """Bounds what is pending and counts what became of the rest. Any number of threads may call any method."""

    def __init__(self, limits: PublisherLimits, on_failed: Callable[[Undelivered], None] | None) -> None:
        self._limits = limits
        self._on_failed = on_failed
        self._entries: deque[_Entry] = deque()
        self._adding = threading.Lock()
        self._bytes_taken = self._bytes_ended = 0
        self._sweeping = threading.Lock()
        self._next_search = 0.0
        self._reasons: Counter[str] = Counter()
        self._undelivered: deque[Undelivered] = deque(maxlen=UNDELIVERED_KEPT_MAX)
        self.taken = self.delivered = self.failed = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """Events taken that are not known to be confirmed or refused yet."""
        return self.taken - self.delivered - self.failed

    def wait_for_room(self, size: int) -> bool:
        """Wait until an event of `size` bytes may be sent, at most `block_seconds_max`; False if it may not.

        Threads that ask at the same instant may overshoot the bounds by one event each.
        """
        if self._has_room(size):
            return True
        deadline = time.monotonic() + self._limits.block_seconds_max
        while time.monotonic() < deadline:
            self.sweep()
            if self._has_room(size):
                return True
            time.sleep(WAIT_STEP_SECONDS)
        return False

    def _has_room(self, size: int) -> bool:
        waiting = self.taken - self.delivered - self.failed
        return not waiting or (
            waiting < self._limits.buffer_events_max
            and self._bytes_taken - self._bytes_ended + size <= self._limits.buffer_bytes_max
        )

    def add(self, future: Any, value: bytes, key: bytes | None, tag: object, size: int) -> None:
        """Note an event that was sent."""
        with self._adding:
            self.taken += 1
            self._bytes_taken += size
            self._entries.append((future, value, key, tag))

    def sweep(self) -> int:
        """Note what Kafka confirmed or refused since the last time; return how many events are pending."""
        lost: list[Undelivered] = []
        with self._sweeping:
            entries = self._entries
            ended = 0
            while entries and entries[0][0].is_done:
                ended += 1
                self._end(entries.popleft(), lost)
            if entries and not ended and time.monotonic() >= self._next_search:
                # The head is stuck, perhaps with its partition: what is behind it may be done all the same.
                self._next_search = time.monotonic() + SEARCH_SECONDS
                kept = []
                for _ in range(len(entries)):
                    entry = entries.popleft()
                    if entry[0].is_done:
                        self._end(entry, lost)
                    else:
                        kept.append(entry)
                entries.extendleft(reversed(kept))
        if self._on_failed is not None:
            for one in lost:
                self._on_failed(one)
        return self.pending

    def _end(self, entry: _Entry, lost: list[Undelivered]) -> None:
        future, value, key, tag = entry
        self._bytes_ended += len(value) + (0 if key is None else len(key))
        error = future.exception
        if error is None:
            self.delivered += 1
            return
        one = Undelivered(value, key, tag, self._reason(error), isinstance(error, _BECAUSE_OF_EVENT))
        lost.append(one)
        self.failed += 1
        self._reasons[one.reason] += 1
        self._undelivered.append(one)

    def _reason(self, error: Exception) -> str:
        # Few different texts: they are counted by reason.
        if isinstance(error, KafkaTimeoutError):
            return f"Kafka did not confirm it within {self._limits.delivery_seconds_max:g} s"
        if isinstance(error, IllegalStateError):
            return "the publisher was closed before Kafka confirmed it"
        return str(getattr(error, "description", "") or type(error).__name__)

    def deliveries(self) -> Deliveries:
        """Return how the events taken so far stand."""
        self.sweep()
        with self._sweeping, self._adding:
            return Deliveries(
                self.taken, self.delivered, self.failed, self.pending, dict(self._reasons), tuple(self._undelivered)
            )

    def start(self) -> None:
        """Begin to look by itself, so that failures are told even when nobody asks."""
        self._thread = threading.Thread(target=self._look, name="vigie-publisher-ledger", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; `sweep` goes on working."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(SWEEP_SECONDS * 20)

    def _look(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):
            self.sweep()
