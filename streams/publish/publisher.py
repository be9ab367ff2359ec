"""`VisitPublisher`: what an ENT server embeds to publish its events. It reports rather than drops: the event is taken, or you are told.

An event that was taken ends in exactly one of `delivered` (Kafka confirmed it, on all in-sync replicas, once: the producer is
idempotent) or `failed` (with its reason, by callback and in the counters). "Failed" means *not confirmed*: an event whose confirmation
got lost may have arrived; publishing it again under the same `id` is safe.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import orjson
from kafka.errors import IllegalStateError, KafkaError, MessageSizeTooLargeError

from streams.broker import KafkaAddress
from streams.errors import InputError, ServerError, VigieError
from streams.events import VALUE_BYTES_MAX, VERSION, Reason, decode
from streams.publish.errors import BufferFull, NotDelivered
from streams.publish.identity import new_event_id, pseudonym
from streams.publish.ledger import WAIT_STEP_SECONDS, Deliveries, Ledger, Undelivered
from streams.publish.limits import PublisherLimits
from streams.publish.producer import ABANDON_SECONDS_MAX, abandon, open_producer

SECRET_BYTES_MIN = 16
#: After a failed attempt to connect, callers are refused at once for this long, so that they do not queue up behind one another.
RECONNECT_SECONDS = 1.0


class VisitPublisher:
    """Publishes visit events to Kafka; one per process is enough, and any number of threads may share it.

    Args:
        address: a `KafkaAddress`, or `host:port[,host:port]` for a Kafka without authentication.
        secrets: project code -> secret of at least 16 bytes for its pseudonyms; only `publish` needs it.
        topic: where events go.
        on_failed: called once for every event that failed (its `tag` is the event's id), mostly from a thread of the publisher;
            it must be quick and must not raise.
        limits: the bounds.

    The connection is made by the first event, or by `connect()`, which tells early what is wrong.
    """

    def __init__(
        self,
        address: KafkaAddress | str,
        secrets: Mapping[str, bytes | str] | None = None,
        *,
        topic: str = "ent.visits",
        on_failed: Callable[[Undelivered], None] | None = None,
        limits: PublisherLimits | None = None,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", topic):
            raise InputError(f"{topic!r} is no name of a Kafka topic: letters, digits, '.', '_' and '-' only")
        self._address = KafkaAddress(tuple(address.split(","))) if isinstance(address, str) else address
        self._secrets = dict(secrets or {})
        _check_secrets(self._secrets)
        self._topic = topic
        self.limits = limits or PublisherLimits()
        self._ledger = Ledger(self.limits, on_failed)
        self._connecting = threading.Lock()
        self._producer: Any = None
        self._closed = False
        self._refused: tuple[float, str] | None = None

    # --- publishing

    def publish(
        self,
        *,
        service: str,
        uai: str,
        user_id: str,
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
            ServerError: Kafka was never reached yet, or the topic does not exist; this event was not taken.
            InputError: the event breaks the contract, so that Vigie would reject it.
        """
        code, secret = self._project(project)
        now_ms = time.time_ns() // 1_000_000 if ts_ms is None else ts_ms
        visitor = pseudonym(secret, user_id)
        event_id = new_event_id(now_ms) if id is None else id
        event: dict[str, object] = {
            "v": VERSION,
            "id": event_id,
            "ts": now_ms,
            "project": code,
            "uai": uai,
            "service": service,
            "visitor": visitor,
        }
        for name, given in (("profile", profile), ("type", type), ("tool", tool), ("device", device)):
            if given is not None:
                event[name] = given
        self.send_raw(_encode(event), visitor.encode(), event_id)
        return event_id

    def send_raw(self, value: bytes, key: bytes | None, tag: object = None) -> None:
        """Send bytes as they are; `key` places them (a visitor's key is the UTF-8 of `visitor`), `tag` comes back with a failure.

        Raises:
            BufferFull, ServerError: as `publish`.
            InputError: `value` is larger than Kafka takes (1 MiB with the default settings).
        """
        producer = self._producer or self._connected()
        size = len(value) + (0 if key is None else len(key))
        if not self._ledger.wait_for_room(size):
            raise self._buffer_full()
        try:
            future = producer.send(self._topic, value, key)
        except KafkaError as error:
            raise self._refusal(error, len(value)) from error
        self._ledger.add(future, value, key, tag, size)

    def _buffer_full(self) -> BufferFull:
        waiting = self.pending
        servers = ",".join(self._address.bootstrap_servers)
        return BufferFull(
            f"{waiting} events wait for Kafka at {servers}, no more are taken: Kafka is away or slower than the events. "
            "Those that wait are not lost; keep this one and publish it again later, and look at Kafka",
            waiting,
        )

    def _refusal(self, error: KafkaError, value_bytes: int) -> VigieError:
        if isinstance(error, MessageSizeTooLargeError):
            return InputError(
                f"an event of {value_bytes} bytes is larger than Kafka takes; Vigie counts events of at most {VALUE_BYTES_MAX}"
            )
        if isinstance(error, IllegalStateError):
            return _closed_error()
        return self._address.explain(error)

    # --- what became of the events

    @property
    def pending(self) -> int:
        """Events taken that Kafka has neither confirmed nor refused yet, as of the last 0.1 s."""
        return self._ledger.pending

    @property
    def delivered(self) -> int:
        """Events that Kafka confirmed."""
        return self._ledger.delivered

    @property
    def failed(self) -> int:
        """Events that Kafka did not confirm."""
        return self._ledger.failed

    def deliveries(self) -> Deliveries:
        """Return how the events taken so far stand."""
        return self._ledger.deliveries()

    # --- beginning and ending

    def connect(self) -> None:
        """Connect now instead of at the first event.

        Raises:
            ServerError: Kafka is down, refuses us, or does not have the topic.
        """
        self._connected()

    def _connected(self) -> Any:
        with self._connecting:
            if self._closed:
                raise _closed_error()
            if self._producer is None:
                if self._refused is not None and time.monotonic() < self._refused[0]:
                    raise ServerError(self._refused[1])
                try:
                    self._producer = open_producer(self._address, self._topic, self.limits)
                except ServerError as error:
                    self._refused = (time.monotonic() + RECONNECT_SECONDS, str(error))
                    raise
                self._ledger.start()
            return self._producer

    def flush(self, timeout_seconds: float = 30.0) -> int:
        """Wait until no event is pending, at most `timeout_seconds`; return how many still are."""
        deadline = time.monotonic() + timeout_seconds
        while self._ledger.sweep() and time.monotonic() < deadline:
            time.sleep(WAIT_STEP_SECONDS)
        return self.pending

    def close(self, timeout_seconds: float = 30.0) -> Deliveries:
        """Wait for what is pending, at most `timeout_seconds`, then end; events not confirmed by then have failed.

        Return how all events stand; nothing is pending any more. Closing again returns the same.
        """
        with self._connecting:
            producer, self._producer = self._producer, None
            self._closed = True
        if producer is not None:
            if self.flush(timeout_seconds):
                abandon(producer)
            producer.close(timeout=ABANDON_SECONDS_MAX)
            self._ledger.stop()
        return self.deliveries()

    def __enter__(self) -> VisitPublisher:
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

    def _project(self, project: str | None) -> tuple[str, bytes | str]:
        if project is None:
            if len(self._secrets) != 1:
                held = ", ".join(self._secrets) or "none"
                raise InputError(f"Name the project of the event: this publisher has the secrets of {held}")
            return next(iter(self._secrets.items()))
        secret = self._secrets.get(project)
        if secret is None:
            raise InputError(
                f"No secret for project {project!r}: give VisitPublisher(..., secrets={{{project!r}: ...}})"
            )
        return project, secret


def _closed_error() -> InputError:
    return InputError("This VisitPublisher is closed: make another one")


def _check_secrets(secrets: Mapping[str, bytes | str]) -> None:
    for project, secret in secrets.items():
        if len(secret if isinstance(secret, bytes) else secret.encode()) < SECRET_BYTES_MIN:
            raise InputError(
                f"The secret of project {project!r} is shorter than {SECRET_BYTES_MIN} bytes, so that pseudonyms could be guessed: "
                "make one with `openssl rand -hex 32` and keep it"
            )


def _encode(event: Mapping[str, object]) -> bytes:
    value = orjson.dumps(event)
    judged = decode(value)
    if isinstance(judged, Reason):
        raise InputError(f"The event breaks the contract ({judged.value}) and would be rejected: {value[:200]!r}")
    return value
