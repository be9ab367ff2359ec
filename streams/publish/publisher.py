"""`VisitPublisher`: what an ENT server embeds to publish its events. It reports rather than drops: the event is taken, or you are told.

It never makes the program that embeds it wait for Kafka: events are buffered from the first one, and a thread of its own connects, sends,
and looks what became of them.

An event that was taken ends in exactly one of two. `delivered`: Kafka confirmed it on all in-sync replicas, and holds it once, since the
producer is idempotent. `failed`: it was *not confirmed*; callback and counters say why. An event whose confirmation got lost may have
arrived: publishing it again under the same `id` is safe.
"""

import atexit
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any
from weakref import WeakSet

from streams.addresses import CollectorAddress, is_collector
from streams.background import BackgroundLoop, LoopRules
from streams.broker import KafkaAddress
from streams.errors import BufferFull, InputError, NotDelivered, ServerError
from streams.events import VALUE_BYTES_MAX, VERSION
from streams.publish.event import ProjectSecrets, encode_event, new_event_id, pseudonym
from streams.publish.outbox import (
    CLOSED,
    RECORD_BYTES_MAX,
    RECORD_OVERHEAD_BYTES,
    WAIT_STEP_SECONDS,
    Deliveries,
    Outbox,
    PublisherLimits,
    Undelivered,
)

#: How long a program that ends without closing its publishers waits for Kafka, all of them together.
EXIT_SECONDS_MAX = 5.0


#: Held while Kafka's client is imported: the child of a fork in the middle of it would never get the other half.
importing = threading.RLock()
_publishers: "WeakSet[VisitPublisher]" = WeakSet()


def come_first() -> None:
    """Register for the end of the program anew: what registers last runs first, before Kafka's client ends with events that still wait."""
    atexit.unregister(_end)
    atexit.register(_end)


def _end() -> None:
    deadline = time.monotonic() + EXIT_SECONDS_MAX
    for publisher in list(_publishers):
        publisher.end_with_program(max(0.0, deadline - time.monotonic()))


def _begin_anew() -> None:
    importing.release()
    for publisher in list(_publishers):
        publisher.begin_anew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=importing.acquire, after_in_parent=importing.release, after_in_child=_begin_anew)


log = logging.getLogger(__name__)

#: How often the thread looks what became of events; a new event wakes it at once.
LOOK_SECONDS = 0.05
#: After a failed attempt to connect, the next one comes no sooner than this.
RECONNECT_SECONDS = 1.0
_LOOP_RULES = LoopRules(
    "vigie-publisher",
    LOOK_SECONDS,
    failing="events are not taken, they wait in the buffer",
    working="events are taken",
    retry_seconds=RECONNECT_SECONDS,
)
#: Kafka has confirmed nothing for so long although something is pending: the health says so.
SILENCE_SECONDS = 5.0
#: How long `close` waits for the thread, beside its own timeout: a little more than one call of Kafka's client may take.
END_SECONDS_MAX = 5.0
#: The same while it is not connected: then it has no event in its hands.
END_UNCONNECTED_SECONDS_MAX = 0.5


@dataclass(frozen=True, slots=True)
class PublisherHealth:
    """How a publisher stands: `connected` to Kafka at least once, events `pending`, and the `problem` in words, or None."""

    connected: bool
    pending: int
    problem: str | None


class VisitPublisher:
    """Publishes visit events to Kafka; one per process is enough, and any number of threads may share it.

    Args:
        address: a `KafkaAddress`, or `host:port[,host:port]` for a Kafka without authentication; or a `CollectorAddress`, or
            `https://host[:port]` with a `token`, for a collector, which hands events to Kafka. All that is said of Kafka below then holds
            of Kafka behind the collector.
        secrets: project code -> secret of at least 16 bytes for its pseudonyms; only `publish` needs it.
        topic: where events go; a collector knows that itself.
        token: what `vigie token new` printed, for a collector.
        on_failed: called once for every event that failed (its `tag` is the event's id), mostly from the publisher's thread; it must
            be quick. What it raises is logged, and the publisher goes on.
        limits: the bounds.

    The first event begins to connect, in the background; until then, and while Kafka is away, events wait in the buffer. `connect()`
    tells early what is wrong, `health()` at any time.
    """

    def __init__(
        self,
        address: KafkaAddress | CollectorAddress | str,
        secrets: Mapping[str, bytes | str] | None = None,
        *,
        topic: str = "ent.visits",
        token: str | None = None,
        on_failed: Callable[[Undelivered], None] | None = None,
        limits: PublisherLimits | None = None,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", topic):
            raise InputError(f"{topic!r} is no name of a Kafka topic: letters, digits, '.', '_' and '-' only")
        self._address = _address_of(address, token)
        self._secrets = ProjectSecrets(secrets or {})
        self._topic = topic
        self._on_failed = on_failed
        self.limits = limits or PublisherLimits()
        self._closed = self._ended = False
        self._sender: Any = None
        self._parents: list[Any] = []
        self._begin()
        _publishers.add(self)
        come_first()

    def _begin(self) -> None:
        self._outbox = Outbox(self.limits, self._on_failed)
        self._loop = BackgroundLoop(self._work, _LOOP_RULES)
        self._starting, self._started = threading.Lock(), False
        self._connecting = threading.Lock()
        self._refused: tuple[float, str] | None = None
        self._resent = 0

    # --- publishing

    def publish(
        self,
        *,
        service: str,
        uai: str,
        user_id: str | int,
        profile: str | None = None,
        project: str | None = None,
        ts_ms: int | None = None,
        id: str | None = None,
        type: str | None = None,
        tool: str | None = None,
        device: str | None = None,
    ) -> str:
        """Publish one authenticated use of a service; return the event's id at once, Kafka confirms later.

        `service` and `profile` are codes of the marking plan, `uai` is the establishment's number, `ts_ms` UTC epoch milliseconds (now,
        if left out). `project` may be left out when the publisher has one project. Give an `id` of your own (at most 64 characters) when
        a retry of yours may publish the same event twice.

        Raises:
            BufferFull: as many events as allowed wait already; this one was not taken.
            InputError: the event breaks the contract, so that Vigie would reject it; or the publisher is closed.
        """
        code, secret = self._secrets.of(project)
        now_ms = time.time_ns() // 1_000_000 if ts_ms is None else ts_ms
        visitor = pseudonym(secret, user_id)
        event_id = new_event_id(now_ms if isinstance(now_ms, int) else None) if id is None else id
        optional = {"profile": profile, "type": type, "tool": tool, "device": device}
        value = encode_event(
            {
                "v": VERSION,
                "id": event_id,
                "ts": now_ms,
                "project": code,
                "uai": uai,
                "service": service,
                "visitor": visitor,
            }
            | {name: given for name, given in optional.items() if given is not None}
        )
        self.send_raw(value, visitor.encode(), event_id)
        return event_id

    def send_raw(self, value: bytes, key: bytes | None, tag: object = None) -> None:
        """Send bytes as they are; `key` places them (a visitor's key is the UTF-8 of `visitor`), `tag` comes back with a failure.

        Raises:
            BufferFull: as `publish`.
            InputError: `value` is larger than Kafka takes (1 MiB with the default settings), or the publisher is closed.
        """
        if self._closed:
            raise _closed_error()
        if not isinstance(value, bytes) or not isinstance(key, bytes | None):
            raise InputError(f"An event and its key are bytes, not {type(value).__name__} and {type(key).__name__}")
        size = len(value) + (0 if key is None else len(key))
        if size + RECORD_OVERHEAD_BYTES > RECORD_BYTES_MAX:
            raise InputError(
                f"an event of {len(value)} bytes is larger than Kafka takes; Vigie counts events of at most {VALUE_BYTES_MAX}"
            )
        if not self._outbox.wait_for_room(size):
            waiting = self.pending
            raise BufferFull(
                f"{waiting} events wait for {self._where()}, no more are taken: it is away or slower than the events. "
                "Those that wait are not lost; keep this one and publish it again later, and look at it",
                waiting,
            )
        if not self._outbox.add(value, key, tag):
            raise _closed_error()
        if not self._started:
            self._start()
        self._loop.wake()

    def _where(self) -> str:
        if isinstance(self._address, CollectorAddress):
            return f"the collector at {self._address.url}"
        return f"Kafka at {','.join(self._address.bootstrap_servers)}"

    # --- what became of the events

    @property
    def pending(self) -> int:
        """Events taken that Kafka has neither confirmed nor refused yet, as of the last 0.1 s."""
        return self._outbox.pending

    @property
    def delivered(self) -> int:
        """Events that Kafka confirmed."""
        return self._outbox.delivered

    @property
    def failed(self) -> int:
        """Events that Kafka did not confirm."""
        return self._outbox.failed

    def deliveries(self) -> Deliveries:
        """Return how the events taken so far stand."""
        sender = self._sender
        return replace(self._outbox.deliveries(), resent=self._resent if sender is None else sender.resent)

    def health(self) -> PublisherHealth:
        """Return how the publisher stands, for a health page of the program that embeds it: at once, without asking Kafka."""
        silent = self._outbox.oldest_seconds()
        problem = self._loop.problem() if self._refused is None else self._refused[1]
        if problem is None and silent > SILENCE_SECONDS:
            problem = f"{self._where()} has not confirmed an event for {silent:.0f} s: look whether it runs"
        return PublisherHealth(self._sender is not None, self.pending, problem)

    # --- beginning and ending

    def connect(self) -> None:
        """Connect now, and wait for it, instead of in the background.

        Raises:
            ServerError: Kafka is down, refuses us, or does not have the topic.
            InputError: the publisher is closed.
        """
        if self._closed:
            raise _closed_error()
        self._connect()

    def _connect(self) -> Any:
        with self._connecting:
            if self._sender is None:
                if self._refused is not None and time.monotonic() < self._refused[0]:
                    raise ServerError(self._refused[1])
                try:
                    sender = self._open()
                except ServerError as error:
                    self._refused = (time.monotonic() + RECONNECT_SECONDS, str(error))
                    raise
                self._sender, self._refused = sender, None
                come_first()
                if self._ended:  # closed meanwhile, by somebody who did not wait for us
                    self._sender = None
                    sender.close(abandon=True)
                    raise ServerError(CLOSED)
            return self._sender

    def _open(self) -> Any:
        # Imported now: kafka takes 120 ms, which are not for the import of an SDK.
        if isinstance(self._address, CollectorAddress):
            with importing:
                from streams.publish.over_https import CollectorSender
            return CollectorSender(self._address, self.limits)
        with importing:
            from streams.publish.producer import KafkaSender
        return KafkaSender(self._address, self._topic, self.limits)

    def _work(self) -> None:
        """What the thread does: connect, hand over what waits, see what became of the rest."""
        try:
            sender = self._sender or self._connect()
            self._outbox.hand_over(sender.send)
            sender.work()
        finally:
            self._outbox.expire()
            self._outbox.sweep()

    def _start(self) -> None:
        with self._starting:
            if self._started:
                return
            try:
                self._loop.start()
            except RuntimeError as error:  # no thread can be had now: the event was taken, and the next one tries again
                self._refused = (0.0, f"the publisher cannot start its thread ({error}): events wait in the buffer")
                log.warning("%s", self._refused[1])
                return
            self._started = True

    def flush(self, timeout_seconds: float = 30.0) -> int:
        """Wait until no event is pending, at most `timeout_seconds`; return how many still are."""
        deadline = time.monotonic() + timeout_seconds
        while self._outbox.sweep() and time.monotonic() < deadline:
            time.sleep(WAIT_STEP_SECONDS)
        return self.pending

    def close(self, timeout_seconds: float = 30.0) -> Deliveries:
        """Wait for what is pending, at most `timeout_seconds`, then end; events not confirmed by then have failed.

        Return how all events stand; nothing is pending any more. Closing again returns the same.
        """
        self._closed = True
        waits = self.flush(timeout_seconds) > 0
        self._ended = True
        self._loop.stop(END_UNCONNECTED_SECONDS_MAX if self._sender is None else END_SECONDS_MAX)
        sender, self._sender = self._sender, None
        if sender is not None:
            self._resent = sender.resent
            sender.close(abandon=waits)
        self._outbox.close()
        return self.deliveries()

    def begin_anew(self) -> None:
        """In the child of a fork: publish as one that was just made. What was taken before is published by the parent."""
        if self._sender is not None:
            self._sender.leave_to_parent()
            self._parents.append(self._sender)  # kept: nothing of it may be closed here
            self._sender = None
        self._begin()

    def end_with_program(self, seconds_max: float) -> None:
        """Close a publisher that nobody closed, and log what Kafka did not confirm; `on_failed` is called as ever."""
        if self._closed:
            return
        failed_before = self.failed
        found = self.close(seconds_max)
        if found.failed > failed_before:
            log.error(
                "%d events were not confirmed by Kafka when this program ended without closing its VisitPublisher: close it (`with "
                "VisitPublisher(...)`), which waits longer, and publish them again",
                found.failed - failed_before,
            )

    def __enter__(self) -> "VisitPublisher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        found = self.close()
        if found.failed and error is None:
            why = "; ".join(f"{number}: {reason}" for reason, number in found.reasons.items())
            raise NotDelivered(
                f"{found.failed} of {found.taken} events were not confirmed by Kafka ({why}): publish them again"
            )


def _address_of(address: KafkaAddress | CollectorAddress | str, token: str | None) -> KafkaAddress | CollectorAddress:
    if isinstance(address, str) and is_collector(address):
        return CollectorAddress(address, token or "")
    if token is not None:
        raise InputError("A token is for a collector: give its address, https://host[:port]")
    return KafkaAddress(tuple(address.split(","))) if isinstance(address, str) else address


def _closed_error() -> InputError:
    return InputError("This VisitPublisher is closed: make another one")
