"""One request with events, from its token to its answer."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from streams.access import AccessScope, Token, TokenBook, TokenRefused, TokensUnreadable
from streams.collect.collector_limits import (
    ACCEPTED,
    NO_PROJECT,
    UNCONFIRMED,
    CollectorLimits,
    CollectorMetrics,
    NotConfirmed,
    Rate,
    RequestRefused,
    Waiting,
    cost,
)
from streams.collect.event_lines import RefusedLine, ValidatedEvents, split, unpack, validate_lines
from streams.collect.event_log import EventLog
from streams.events import EventBounds

#: When to come back where Kafka takes nothing, or too much waits for it.
RETRY_SECONDS = 5
#: Of a request that is refused before it was read, so much is read all the same, or its sender would see a broken connection and no answer.
DRAINED_BYTES_MAX = 8 << 20
DRAIN_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender is told: how many of its events Kafka has confirmed, which are refused and why, and for how long its ids are
    remembered. For so long it may send events again, and none counts twice.
    """

    accepted: int
    refused: int
    reasons: dict[str, int]
    refused_lines: list[RefusedLine]
    ids_remembered_seconds: int


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What a token may do: `projects` it speaks for, `expires` as ISO 8601, and the bounds of a request."""

    id: str
    projects: tuple[str, ...]
    expires: str | None
    events_max: int
    body_bytes_max: int
    events_per_second_max: int


@dataclass(frozen=True, slots=True)
class DoorRules:
    """What holds for every request; `ids_remembered_seconds` is at least how long a repeated id is known as one."""

    limits: CollectorLimits
    bounds: EventBounds
    ids_remembered_seconds: int


class Door:
    """Takes requests; used from one event loop."""

    def __init__(self, book: TokenBook, events: EventLog, rules: DoorRules) -> None:
        self._book, self._events, self._rules = book, events, rules
        self._waiting = Waiting(rules.limits.waiting_bytes_max)
        self._rates: dict[str, Rate] = {}
        self.metrics = CollectorMetrics(lambda: self._waiting.bytes, lambda: events.problem is None)

    def not_ready_because(self) -> str | None:
        """Why no events are taken now, None where they are."""
        self._book.refresh()
        return self._book.problem or self._events.problem

    async def take(self, request: Request) -> Answer:
        """Take one request's events; the answer may say that none of them can be.

        Raises:
            RequestRefused: nothing of it was taken, or not all is certain to be.
        """
        token = self._who(request)
        rate = self._rate(token)
        if wait_seconds := rate.wait_seconds(time.monotonic()):
            raise RequestRefused(
                429, f"token {token.id} may send {rate.per_second} events a second on average: wait", wait_seconds
            )
        if self._events.problem is not None:
            raise _come_back("Kafka takes no events now")
        held = _Held(self._waiting, token.id)
        try:
            found = self._validated(request, await self._read(request, held), token, rate, held)
        except BaseException:
            held.give_back()
            raise
        return await self._handed_over(found, token, held)

    def about(self, request: Request) -> TokenAnswer:
        """Say what a request's token may do; asked by publishers before their first event.

        Raises:
            RequestRefused: nothing, now.
        """
        token = self._who(request)
        if self._events.problem is not None:
            raise _come_back("Kafka takes no events now")
        limits = self._rules.limits
        return TokenAnswer(
            token.id,
            token.projects,
            None if token.expires is None else token.expires.isoformat(),
            limits.events_max,
            limits.body_bytes_max,
            self._rate(token).per_second,
        )

    def _who(self, request: Request) -> Token:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise RequestRefused(401, "send your token as `Authorization: Bearer TOKEN`")
        try:
            token = self._book.find(text.strip())
        except TokenRefused as error:
            raise RequestRefused(401, str(error)) from None
        except TokensUnreadable as error:
            raise _come_back(str(error)) from None
        if AccessScope.SEND not in token.scopes:
            raise RequestRefused(403, f"token {token.id} is not for sending: ask for one with --project")
        return token

    def _rate(self, token: Token) -> Rate:
        per_second = token.events_per_second_max or self._rules.limits.events_per_second_max
        if (rate := self._rates.get(token.id)) is None or rate.per_second != per_second:
            rate = self._rates[token.id] = Rate(per_second, time.monotonic())
        return rate

    async def _read(self, request: Request, held: "_Held") -> bytes:
        bytes_max = self._rules.limits.body_bytes_max
        if (length := request.headers.get("content-length", "")).isdigit() and int(length) > bytes_max:
            raise _too_large(bytes_max)
        body = bytearray()
        try:
            async with asyncio.timeout(self._rules.limits.body_seconds_max):
                async for piece in request.stream():
                    body += piece
                    if len(body) > bytes_max:
                        raise _too_large(bytes_max)
                    held.hold(len(piece))
        except TimeoutError:
            raise RequestRefused(408, "the body took too long: send fewer events at once") from None
        except ClientDisconnect:
            raise RequestRefused(400, "the body is cut off") from None
        return bytes(body)

    def _validated(self, request: Request, body: bytes, token: Token, rate: Rate, held: "_Held") -> ValidatedEvents:
        limits = self._rules.limits
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("gzip", "x-gzip"):
            rate.pay(1)  # whatever it unpacks to
            body = unpack(body, limits.unpacked_bytes_max)
            held.hold(len(body))
        elif encoding != "identity":
            raise RequestRefused(415, f"Content-Encoding {encoding[:40]!r} is not read here: gzip, or none")
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        rate.pay(cost(0, len(body)))
        lines = split(body, is_one_event=media_type == "application/json", limits=limits)
        rate.pay(max(0, len(lines) - cost(0, len(body))))
        return validate_lines(lines, token.projects, self._rules.bounds, time.time_ns() // 1_000_000)

    async def _handed_over(self, found: ValidatedEvents, token: Token, held: "_Held") -> Answer:
        if found.records:
            try:
                await self._events.send(found.records, held.give_back)
            except NotConfirmed as error:
                self.metrics.events(UNCONFIRMED, found.accepted)
                raise _come_back(str(error)) from None
        else:
            held.give_back()
        reasons = Counter(each.reason.value for each in found.refused)
        self.metrics.events(ACCEPTED, found.accepted)
        for reason, number in reasons.items():
            self.metrics.events(reason, {token.projects[0] if len(token.projects) == 1 else NO_PROJECT: number})
        return Answer(
            accepted=len(found.records),
            refused=len(found.refused),
            reasons=dict(reasons),
            refused_lines=found.refused,
            ids_remembered_seconds=self._rules.ids_remembered_seconds,
        )


class _Held:
    """What one request holds of what may wait."""

    def __init__(self, waiting: Waiting, token_id: str) -> None:
        self._waiting, self._token_id, self._bytes = waiting, token_id, 0

    def hold(self, number: int) -> None:
        if not self._waiting.hold(self._token_id, number):
            raise _come_back("too much waits for Kafka already")
        self._bytes += number

    def give_back(self) -> None:
        self._waiting.give_back(self._token_id, self._bytes)
        self._bytes = 0


class Body:
    """What a request still has to say, as ASGI's `receive`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_read = False

    async def __call__(self) -> Message:
        """The next piece."""
        message = await self._receive()
        self.is_read = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read what is left of a request that is refused, within bounds."""
        left = DRAINED_BYTES_MAX
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                while left > 0 and not self.is_read:
                    left -= len((await self()).get("body", b""))


def _come_back(why: str) -> RequestRefused:
    return RequestRefused(503, f"{why}: send the whole request again, with the same ids", RETRY_SECONDS)


def _too_large(bytes_max: int) -> RequestRefused:
    return RequestRefused(413, f"the body is larger than {bytes_max} bytes: send fewer events at once")
