"""Sending to a collector in place of Kafka: batches of events, each request again and again with the same ids until it is answered for.

urllib3 is loaded with this module, which is imported for such an address alone.
"""

import gzip
import ssl
import time
from collections import deque
from dataclasses import dataclass

import msgspec
import urllib3

from streams.addresses import CollectorAddress
from streams.decoded_types import known
from streams.errors import ServerError
from streams.publish.outbox import GivenUp, PublisherLimits

#: A request holds so many events, of so many bytes before they are packed, at most; collectors take more by default.
BATCH_EVENTS_MAX = 500
BATCH_BYTES_MAX = 1 << 20
#: Events wait so long for others to travel with.
LINGER_SECONDS_MIN = 0.25
#: Fewer bytes are sent as they are.
PACKED_BYTES_MIN = 1024
#: How long an answer may take: a collector waits for Kafka 10 s by default.
ANSWER_SECONDS_MAX = 30.0
#: When to come back where the collector does not say, and the longest that it may ask for.
RETRY_SECONDS, RETRY_SECONDS_MAX = 1.0, 60.0
#: At most so many requests within one round of the publisher's thread, which has other things to do, too.
REQUESTS_A_ROUND = 8


class EventRefused(GivenUp):
    """The collector refuses this event, and would refuse it again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the collector refuses it: {reason}")


class _Line(msgspec.Struct):
    line: int
    reason: str


class _Answer(msgspec.Struct):
    accepted: int
    refused_lines: list[_Line]


class _Problem(msgspec.Struct):
    error: str = ""


@dataclass(eq=False, slots=True)
class Confirmation:
    """What becomes of one event: `is_sent` once, `is_done`, and with which `exception`, None where Kafka confirmed it."""

    value: bytes
    taken_at: float
    is_sent: bool = False
    is_done: bool = False
    exception: Exception | None = None

    def end(self, exception: Exception | None = None) -> None:
        """It is known."""
        self.exception = exception
        self.is_done = True


class CollectorSender:
    """Holds events until a collector has answered for them; used by one thread.

    Raises:
        ServerError: the collector is down, does not take the token, or takes no events.
    """

    def __init__(self, address: CollectorAddress, limits: PublisherLimits) -> None:
        self._address, self._limits = address, limits
        self._waiting: deque[Confirmation] = deque()
        self._is_closed = False
        self._retry_at = 0.0
        self._why = ""
        self._events_max = BATCH_EVENTS_MAX
        #: Events sent again, since no answer told what became of them.
        self.resent = 0
        try:
            trust = ssl.create_default_context(cafile=address.cafile) if address.url.startswith("https") else None
        except OSError as error:
            raise ServerError(f"{address.cafile} is no PEM of an authority: {error.strerror or error}") from None
        timeout = urllib3.Timeout(connect=limits.connect_seconds_max, read=ANSWER_SECONDS_MAX)
        self._http = urllib3.PoolManager(1, ssl_context=trust, timeout=timeout, retries=False)
        self._url = address.url.rstrip("/") + "/v1/"
        self._headers = {"Authorization": f"Bearer {address.token}", "User-Agent": "vigie-publisher"}
        self._checked(self._ask("GET", "token"))

    def send(self, value: bytes, key: bytes | None) -> Confirmation:
        """Take one event; `key` is its visitor, which the collector reads itself."""
        del key
        event = Confirmation(value.replace(b"\n", b" "), time.monotonic())
        if event.value.strip():
            self._waiting.append(event)
        else:
            event.end(EventRefused("empty"))
        return event

    def work(self) -> None:
        """Send what waits.

        Raises:
            ServerError: the collector does not take it now; it goes on waiting.
        """
        too_old = time.monotonic() - self._limits.delivery_seconds_max
        while self._waiting and self._waiting[0].taken_at < too_old:
            why = f"the collector did not confirm it within {self._limits.delivery_seconds_max:g} s"
            self._waiting.popleft().end(GivenUp(why))
        for _ in range(REQUESTS_A_ROUND):
            if not self._waiting or self._lingers():
                return
            if time.monotonic() < self._retry_at:
                raise ServerError(self._why)
            self._send_batch()

    def close(self, *, abandon: bool) -> None:
        """End: what waits is not sent any more."""
        del abandon
        self._is_closed = True
        self._http.clear()

    def leave_to_parent(self) -> None:
        """In the child of a fork: the connections are the parent's, and are not closed here."""

    def _lingers(self) -> bool:
        if self._is_closed:
            return True
        age = time.monotonic() - self._waiting[0].taken_at
        return len(self._waiting) < self._events_max and age < max(LINGER_SECONDS_MIN, self._limits.linger_ms / 1000)

    def _batch(self) -> list[Confirmation]:
        batch: list[Confirmation] = []
        size = 0
        for event in self._waiting:
            size += len(event.value) + 1
            if batch and (size > BATCH_BYTES_MAX or len(batch) >= self._events_max):
                break
            batch.append(event)
        return batch

    def _send_batch(self) -> None:
        batch = self._batch()
        body = b"\n".join(event.value for event in batch)
        headers = {"Content-Type": "application/x-ndjson"}
        if len(body) >= PACKED_BYTES_MIN:
            body, headers = gzip.compress(body, 6), headers | {"Content-Encoding": "gzip"}
        self.resent += sum(event.is_sent for event in batch)
        for event in batch:
            event.is_sent = True
        answer = self._ask("POST", "events", body, headers)
        if answer.status == 413:  # less at a time
            if len(batch) == 1:
                self._waiting.popleft().end(EventRefused("too_large"))
            self._events_max = max(1, len(batch) // 2)
            return
        self._checked(answer, 200, 422)
        self._events_max = min(BATCH_EVENTS_MAX, self._events_max * 2)
        try:
            found = msgspec.json.decode(answer.data, type=known(_Answer))
            refused = {each.line: each.reason for each in found.refused_lines}
        except (msgspec.MsgspecError, ValueError):
            raise self._later(f"what answers at {self._address.url} is no collector") from None
        if found.accepted + len(refused) != len(batch):
            raise self._later(f"the collector at {self._address.url} did not answer for every event")
        for number, event in enumerate(batch, 1):
            reason = refused.get(number)
            event.end(None if reason is None else EventRefused(reason))
            self._waiting.popleft()

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._http.request(
                method, self._url + path, body=body, headers=self._headers | (headers or {}), redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._later(self._unreached(error)) from error

    def _unreached(self, error: Exception) -> str:
        said = str(getattr(error, "reason", "") or error)
        hint = "check its address, its port and that it runs"
        if "CERTIFICATE_VERIFY_FAILED" in said or "Hostname" in said:
            hint = "its certificate is refused: check its name, its date, and the authority that signed it (cafile)"
        return f"The collector at {self._address.url} is not reached: {said}; {hint}"

    def _checked(self, answer: urllib3.BaseHTTPResponse, *taken: int) -> None:
        if answer.status in (taken or (200,)):
            return
        try:
            said = msgspec.json.decode(answer.data, type=known(_Problem)).error
        except (msgspec.MsgspecError, ValueError):
            said = "no collector answers so"
        asked = answer.headers.get("Retry-After", "")
        seconds = min(RETRY_SECONDS_MAX, float(asked)) if asked.isdigit() else RETRY_SECONDS
        raise self._later(f"The collector at {self._address.url} answers {answer.status}: {said}", seconds)

    def _later(self, why: str, seconds: float = RETRY_SECONDS) -> ServerError:
        self._retry_at, self._why = time.monotonic() + seconds, why
        return ServerError(why)
