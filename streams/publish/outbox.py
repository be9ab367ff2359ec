"""What became of every event that a publisher took: taken == delivered + failed + pending.

An event waits here until Kafka's client takes it, then for Kafka's answer. kafka-python hands out one future an event. A callback on each
would cost a sixth of the whole sending. So the futures stay in order in a queue, and a thread looks at its head.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

#: Kafka's own limit of one record; the broker's `message.max.bytes` is a little above it.
RECORD_BYTES_MAX = 1_048_576
#: At most so many of them are the record's own frame.
RECORD_OVERHEAD_BYTES = 128


@dataclass(frozen=True, slots=True)
class PublisherLimits:
    """`block_seconds_max` is how long a call may wait for room in a full buffer: not at all, so that a portal never waits.

    `connect_seconds_max` is how long one attempt to connect may take. `delivery_seconds_max` is how long a taken event may wait for Kafka
    before it has failed: with the buffer it decides how long an outage may last before the ENT has to act.
    """

    buffer_events_max: int = 50_000
    buffer_bytes_max: int = 64 * 1024 * 1024
    block_seconds_max: float = 0.0
    connect_seconds_max: float = 10.0
    delivery_seconds_max: float = 120.0
    linger_ms: int = 30
    batch_bytes: int = 131_072


#: Undelivered events that are remembered; each is given to `on_failed`, all are counted.
UNDELIVERED_KEPT_MAX = 1000
#: How often the whole queue is searched when its head is stuck; it takes some milliseconds.
SEARCH_SECONDS = 0.2
#: How often somebody who waits looks.
WAIT_STEP_SECONDS = 0.005
#: Errors that speak of the event itself, not of Kafka's state. By name: `kafka` is not imported before an address is connected to.
_BECAUSE_OF_EVENT = ("MessageSizeTooLargeError", "InvalidRecordError", "CorruptRecordError", "EventRefused")
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

    `undelivered` holds the last 1,000 that failed. `resent` is how many were sent again to a collector that had not answered for them: so
    many at most stand in Kafka twice, as repeats.
    """

    taken: int
    delivered: int
    failed: int
    pending: int
    reasons: dict[str, int]
    undelivered: tuple[Undelivered, ...]
    resent: int = 0


class _Event(NamedTuple):
    value: bytes
    key: bytes | None
    tag: object
    taken_at: float  # monotonic


@dataclass(frozen=True, slots=True)
class _Standing:
    """The whole state of an outbox as one value, which is replaced in one step.

    Ctrl-C may come between any two steps of a program's main thread. It must find all of a change, or nothing of it.
    """

    waiting: deque[_Event] = field(default_factory=deque)
    sent: deque[tuple[Any, _Event]] = field(default_factory=deque)
    delivered: int = 0
    failed: int = 0
    bytes_ended: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    undelivered: tuple[Undelivered, ...] = ()
    untold: deque[Undelivered] = field(default_factory=deque)


class Outbox:
    """Bounds what is pending and counts what became of the rest. Any number of threads may call any method."""

    def __init__(self, limits: PublisherLimits, on_failed: Callable[[Undelivered], None] | None) -> None:
        self._limits = limits
        self._on_failed = on_failed
        self._state = _Standing()
        self._adding = threading.Lock()
        self._closed = False
        self._bytes_taken = 0
        self._handing = threading.Lock()  # held while Kafka's client takes an event, which may last seconds
        self._moving = threading.Lock()  # held while the state changes, which does not
        self._next_search = 0.0

    @property
    def taken(self) -> int:
        """Events taken so far."""
        state = self._state
        return state.delivered + state.failed + len(state.waiting) + len(state.sent)

    @property
    def delivered(self) -> int:
        """Events that Kafka confirmed."""
        return self._state.delivered

    @property
    def failed(self) -> int:
        """Events that Kafka did not confirm."""
        return self._state.failed

    @property
    def pending(self) -> int:
        """Events taken that are not known to be confirmed or refused yet."""
        state = self._state
        return len(state.waiting) + len(state.sent)

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
        pending = self.pending
        return not pending or (
            pending < self._limits.buffer_events_max
            and self._bytes_taken - self._state.bytes_ended + size <= self._limits.buffer_bytes_max
        )

    def add(self, value: bytes, key: bytes | None, tag: object) -> bool:
        """Take an event; False where the outbox is closed."""
        event = _Event(value, key, tag, time.monotonic())
        with self._adding:
            if self._closed:
                return False
            self._bytes_taken += _size(event)
            self._state.waiting.append(event)
        return True

    def hand_over(self, send: Callable[[bytes, bytes | None], Any]) -> None:
        """Give all that waits to `send(value, key)`, in order; it returns a future, and what it raises ends this call.

        The event at which it raised goes on waiting, unless the error speaks of that event.
        """
        with self._handing:
            while (waiting := self._state.waiting) and not self._closed:
                event = waiting[0]
                try:
                    future = send(event.value, event.key)
                except Exception as error:
                    if type(error).__name__ not in _BECAUSE_OF_EVENT:
                        raise
                    future = _Refused(error)
                with self._moving:
                    self._state.sent.append((future, event))  # twice for a moment, rather than nowhere
                    waiting.popleft()

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
        with self._moving:  # a client whose thread hangs answers for nothing any more
            self._end([(_Refused(GivenUp(CLOSED)), event) for _, event in self._state.sent], sent=deque())
        self._tell()

    def _give_up(self, is_lost: Callable[[_Event], bool], reason: str) -> None:
        with self._handing, self._moving, self._adding:
            waiting = self._state.waiting
            lost = next((place for place, event in enumerate(waiting) if not is_lost(event)), len(waiting))
            if lost:
                kept = deque(islice(waiting, lost, None))
                self._end(((_Refused(GivenUp(reason)), event) for event in islice(waiting, lost)), waiting=kept)
        self._tell()

    def sweep(self) -> int:
        """Note what Kafka confirmed or refused since the last time; return how many events are pending."""
        with self._moving:
            sent = self._state.sent
            ended = next((place for place, (future, _) in enumerate(sent) if not future.is_done), len(sent))
            if ended:
                self._end(islice(sent, ended), sent=deque(islice(sent, ended, None)))
            elif sent and time.monotonic() >= self._next_search:
                # The head is stuck, perhaps with its partition: what is behind it may be done all the same.
                self._next_search = time.monotonic() + SEARCH_SECONDS
                done = [future.is_done for future, _ in sent]
                kept = deque(pair for pair, is_done in zip(sent, done, strict=True) if not is_done)
                self._end((pair for pair, is_done in zip(sent, done, strict=True) if is_done), sent=kept)
        self._tell()
        return self.pending

    def oldest_seconds(self) -> float:
        """How long the oldest pending event has been waiting, 0 where there is none."""
        with self._moving:
            state = self._state
            heads = [state.sent[0][1]] if state.sent else list(islice(state.waiting, 1))
        return max((time.monotonic() - event.taken_at for event in heads), default=0.0)

    def _tell(self) -> None:
        if self._on_failed is None:
            return
        while self._state.untold:
            with self._moving:
                untold = self._state.untold
                if not untold:  # another thread was quicker
                    return
                one = untold.popleft()
            try:
                self._on_failed(one)
            except Exception:
                log.exception("on_failed raised for %r; the publisher goes on, and calls it for the next one", one.tag)

    def _end(self, ended: Iterable[tuple[Any, _Event]], **left: Any) -> None:
        """Let these be pending no more; `left` are the queues without them."""
        state = self._state
        known = [(future.exception, event) for future, event in ended]
        lost = [
            Undelivered(*event[:3], self._reason(error), type(error).__name__ in _BECAUSE_OF_EVENT)
            for error, event in known
            if error is not None
        ]
        self._state = replace(
            state,
            delivered=state.delivered + len(known) - len(lost),
            failed=state.failed + len(lost),
            bytes_ended=state.bytes_ended + sum(_size(event) for _error, event in known),
            reasons=dict(Counter(state.reasons) + Counter(one.reason for one in lost)),
            undelivered=(*state.undelivered, *lost)[-UNDELIVERED_KEPT_MAX:],
            untold=deque((*state.untold, *lost)) if self._on_failed else state.untold,
            **left,
        )

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
            state = self._state
            return Deliveries(
                self.taken, state.delivered, state.failed, self.pending, dict(state.reasons), state.undelivered
            )


class GivenUp(Exception):
    """Why an event is not waited for any longer, in `description`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.description = reason


class _Refused(NamedTuple):
    """The future of an event that Kafka's client did not take, or whose answer is not waited for."""

    exception: Exception
    is_done: bool = True


def _size(event: _Event) -> int:
    return len(event.value) + (0 if event.key is None else len(event.key))
