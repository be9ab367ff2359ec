"""What became of every event that a publisher took: taken == delivered + failed + pending.

An event waits here until Kafka's client takes it, then for Kafka's answer. kafka-python hands out one future an event. Callbacks on each
would cost as much as a sixth of the whole sending, so the futures stay in order in a queue, and a thread looks at its head.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from streams.publish.limits import PublisherLimits

#: Undelivered events that are remembered; each is given to `on_failed`, all are counted.
UNDELIVERED_KEPT_MAX = 1000
#: How often the whole queue is searched when its head is stuck; it takes some milliseconds.
SEARCH_SECONDS = 0.2
#: How often somebody who waits looks.
WAIT_STEP_SECONDS = 0.005
#: Errors that speak of the event itself, not of Kafka's state. By name: `kafka` is not imported before an address is connected to.
_BECAUSE_OF_EVENT = ("MessageSizeTooLargeError", "InvalidRecordError", "CorruptRecordError")
CLOSED = "the publisher was closed before Kafka confirmed it"

log = logging.getLogger(__name__)


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


class _Event(NamedTuple):
    value: bytes
    key: bytes | None
    tag: object
    taken_at: float  # monotonic


class Outbox:
    """Bounds what is pending and counts what became of the rest. Any number of threads may call any method."""

    def __init__(self, limits: PublisherLimits, on_failed: Callable[[Undelivered], None] | None) -> None:
        self._limits = limits
        self._on_failed = on_failed
        self._waiting: deque[_Event] = deque()
        self._sent: deque[tuple[Any, _Event]] = deque()
        self._adding = threading.Lock()
        self._closed = False
        self._bytes_taken = self._bytes_ended = 0
        self._handing = threading.Lock()  # held while Kafka's client takes an event, which may last seconds
        self._moving = threading.Lock()  # held while the queues and the sums change, which does not
        self._next_search = 0.0
        self._reasons: Counter[str] = Counter()
        self._undelivered: deque[Undelivered] = deque(maxlen=UNDELIVERED_KEPT_MAX)
        self.taken = self.delivered = self.failed = 0

    @property
    def pending(self) -> int:
        """Events taken that are not known to be confirmed or refused yet."""
        return self.taken - self.delivered - self.failed

    def wait_for_room(self, size: int) -> bool:
        """Wait until an event of `size` bytes may be taken, at most `block_seconds_max`; False if it may not.

        Threads that ask at the same instant may overshoot the bounds by one event each.
        """
        if self._has_room(size):
            return True
        deadline = time.monotonic() + self._limits.block_seconds_max
        while True:
            self.sweep()
            if self._has_room(size):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(WAIT_STEP_SECONDS)

    def _has_room(self, size: int) -> bool:
        waiting = self.taken - self.delivered - self.failed
        return not waiting or (
            waiting < self._limits.buffer_events_max
            and self._bytes_taken - self._bytes_ended + size <= self._limits.buffer_bytes_max
        )

    def add(self, value: bytes, key: bytes | None, tag: object) -> bool:
        """Take an event; False where the outbox is closed."""
        event = _Event(value, key, tag, time.monotonic())
        with self._adding:
            if self._closed:
                return False
            self.taken += 1
            self._bytes_taken += _size(event)
            self._waiting.append(event)
        return True

    def hand_over(self, send: Callable[[bytes, bytes | None], Any]) -> None:
        """Give all that waits to `send(value, key)`, in order; it returns a future, and what it raises ends this call.

        The event at which it raised goes on waiting, unless the error speaks of that event.
        """
        with self._handing:
            while self._waiting and not self._closed:
                event = self._waiting[0]
                try:
                    future = send(event.value, event.key)
                except Exception as error:
                    if type(error).__name__ not in _BECAUSE_OF_EVENT:
                        raise
                    future = _Refused(error)
                with self._moving:
                    self._sent.append((future, self._waiting.popleft()))

    def expire(self) -> None:
        """Events that Kafka's client did not take within `delivery_seconds_max` have failed."""
        too_old = time.monotonic() - self._limits.delivery_seconds_max
        self._give_up(lambda event: event.taken_at < too_old, self._unconfirmed())

    def close(self) -> None:
        """Take no event any more; those that still wait to be sent, or for an answer, have failed. Kafka's client is closed already."""
        with self._adding:
            self._closed = True
        self._give_up(lambda _event: True, CLOSED)
        self.sweep()
        lost: list[Undelivered] = []
        with self._moving:  # a client whose thread hangs answers for nothing any more
            while self._sent:
                self._fail(self._sent.popleft()[1], CLOSED, False, lost)
        self._tell(lost)

    def _give_up(self, is_lost: Callable[[_Event], bool], reason: str) -> None:
        lost: list[Undelivered] = []
        with self._handing, self._moving:
            while self._waiting and is_lost(self._waiting[0]):
                self._fail(self._waiting.popleft(), reason, False, lost)
        self._tell(lost)

    def sweep(self) -> int:
        """Note what Kafka confirmed or refused since the last time; return how many events are pending."""
        lost: list[Undelivered] = []
        with self._moving:
            sent, ended = self._sent, 0
            while sent and sent[0][0].is_done:
                ended += 1
                self._end(*sent.popleft(), lost)
            if sent and not ended and time.monotonic() >= self._next_search:
                # The head is stuck, perhaps with its partition: what is behind it may be done all the same.
                self._next_search = time.monotonic() + SEARCH_SECONDS
                kept = []
                for _ in range(len(sent)):
                    future, event = sent.popleft()
                    if future.is_done:
                        self._end(future, event, lost)
                    else:
                        kept.append((future, event))
                sent.extendleft(reversed(kept))
        self._tell(lost)
        return self.pending

    def oldest_seconds(self) -> float:
        """How long the oldest pending event has been waiting, 0 where there is none."""
        with self._moving:
            heads = [self._sent[0][1]] if self._sent else [self._waiting[0]] if self._waiting else []
        return max((time.monotonic() - event.taken_at for event in heads), default=0.0)

    def _tell(self, lost: list[Undelivered]) -> None:
        if self._on_failed is None:
            return
        for one in lost:
            try:
                self._on_failed(one)
            except Exception:
                log.exception("on_failed raised for %r; the publisher goes on, and calls it for the next one", one.tag)

    def _end(self, future: Any, event: _Event, lost: list[Undelivered]) -> None:
        error = future.exception
        if error is None:
            self._bytes_ended += _size(event)
            self.delivered += 1
        else:
            self._fail(event, self._reason(error), type(error).__name__ in _BECAUSE_OF_EVENT, lost)

    def _fail(self, event: _Event, reason: str, because_of_event: bool, lost: list[Undelivered]) -> None:
        one = Undelivered(event.value, event.key, event.tag, reason, because_of_event)
        lost.append(one)
        self._bytes_ended += _size(event)
        self.failed += 1
        self._reasons[reason] += 1
        self._undelivered.append(one)

    def _reason(self, error: Exception) -> str:
        # Few different texts: they are counted by reason.
        name = type(error).__name__
        if name == "KafkaTimeoutError":
            return self._unconfirmed()
        if name == "IllegalStateError":
            return CLOSED
        return str(getattr(error, "description", "") or name)

    def _unconfirmed(self) -> str:
        return f"Kafka did not confirm it within {self._limits.delivery_seconds_max:g} s"

    def deliveries(self) -> Deliveries:
        """Return how the events taken so far stand."""
        self.sweep()
        with self._moving, self._adding:
            return Deliveries(
                self.taken, self.delivered, self.failed, self.pending, dict(self._reasons), tuple(self._undelivered)
            )


class _Refused:
    """The future of an event that Kafka's client did not take, since it is no record for Kafka."""

    is_done = True

    def __init__(self, error: Exception) -> None:
        self.exception = error


def _size(event: _Event) -> int:
    return len(event.value) + (0 if event.key is None else len(event.key))
