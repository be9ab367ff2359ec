"""One HTTP connection with bounds, on uvicorn's HTTP/1.1 protocol, which has none for a head that never ends.

- A request's head may take `HEAD_SECONDS`, from its first byte or from the connection's beginning. So may a TLS handshake.
- A connection at rest is closed after uvicorn's `timeout_keep_alive`.
- A client that does not take what it was answered is dropped.
- When there are too many connections, a new one is told 503 at once. With TLS it is closed.
"""

import asyncio
import logging
import resource
import time
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from streams.web.places import Place, Places, client_of
from streams.web.tls import SecuredTransport, TlsFiles

log = logging.getLogger(__name__)

#: How long the head of a request may take.
HEAD_SECONDS = 10.0
#: A client that takes less than `TAKEN_BYTES` within this time, with more waiting for it, is dropped: 8 kB a second is a slow telephone.
TAKE_SECONDS = 10.0
TAKEN_BYTES = 80_000
#: How long a client that is refused may take to read so.
REFUSED_SECONDS = 1.0
#: How long a client may take to say goodbye in TLS, once it has taken what it was answered.
SHUTDOWN_SECONDS = 5.0
#: How often refusals are logged at most.
LOG_SECONDS = 60.0
CONNECTIONS_MAX = 512

_FULL = b'{"error":"too many connections are open: close some, or try again in a few seconds"}'
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\nconnection: close\r\n"
    b"x-content-type-options: nosniff\r\ncache-control: no-store\r\ncontent-length: %d\r\n\r\n%s" % (len(_FULL), _FULL)
)
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


@dataclass(slots=True)
class Seldom:
    """Something that may happen a thousand times a second, and is worth a line of the log now and then."""

    seconds: float
    _times: int = field(default=0, init=False)
    _told_at: float = field(default=float("-inf"), init=False)

    def happened(self) -> int:
        """Count it; how often it happened since it was told last where it is to be told now, else 0."""
        self._times += 1
        if time.monotonic() - self._told_at < self.seconds:
            return 0
        self._told_at = time.monotonic()
        times, self._times = self._times, 0
        return times


@dataclass(slots=True)
class Connections:
    """All connections of one server. Half of the descriptors that the process may open are kept for Redis, the archive, Kafka, threads."""

    places: Places
    #: Connections that are just told 503, and those that the kernel holds until they are taken up: both in one go at most.
    refused_max: int
    backlog: int
    #: Those that are just told, oldest first.
    refused: "dict[BoundedProtocol, None]" = field(default_factory=dict)
    #: What is shown to clients; None: they speak plain HTTP.
    tls: TlsFiles | None = None
    _refusals: Seldom = field(default_factory=lambda: Seldom(LOG_SECONDS), init=False)

    @classmethod
    def within(cls, descriptors: int, tls: TlsFiles | None = None) -> "Connections":
        """For a process that may open so many descriptors."""
        few = max(1, descriptors // 16)
        return cls(Places(max(1, min(CONNECTIONS_MAX, descriptors // 2))), min(64, few), min(128, few), tls=tls)

    def refuse(self, connection: "BoundedProtocol") -> None:
        """Note that this one is told 503; where too many are, the oldest has had its time."""
        self.refused[connection] = None
        if len(self.refused) > self.refused_max:
            oldest = next(iter(self.refused))
            del self.refused[oldest]
            oldest.transport.abort()
        self.tell_refused()

    def tell_refused(self) -> None:
        """Log now and then that connections are refused."""
        if number := self._refusals.happened():
            log.warning("all %d HTTP connections are taken: %d refused", self.places.most, number)


def descriptors_max() -> int:
    """How many descriptors this process may open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


class BoundedProtocol(H11Protocol):
    """One connection."""

    def __init__(self, all_connections: Connections, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._all = all_connections
        self._place: Place | None = None
        self._refused = False
        #: Whether requests can come: with TLS once the handshake is done. What comes at that very moment waits.
        self._open = False
        self._early = b""
        self._handshake: asyncio.Task[None] | None = None
        #: Fires when a head takes too long, or a client that is refused.
        self._deadline: asyncio.TimerHandle | None = None
        #: Fires now and then while the client does not take what it was answered.
        self._taking: asyncio.TimerHandle | None = None

    # --- asyncio's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self.transport = transport
        # Nothing may wait for the client unseen, neither after a close, which waits for it without an end.
        transport.set_write_buffer_limits(high=0)
        peer = transport.get_extra_info("peername")
        self._place = self._all.places.take(client_of(peer[0] if isinstance(peer, tuple) else ""), self._leave)
        if self._all.tls is None:
            self._begin(transport)
        elif self._place is None:
            self._all.tell_refused()
            transport.abort()
        else:
            self._handshake = self.loop.create_task(self._shake_hands(transport, self._all.tls))

    def _begin(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._open = True
        if self._place is None:
            self._refuse()
        else:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._too_late)

    async def _shake_hands(self, transport: asyncio.Transport, tls: TlsFiles) -> None:
        try:
            secured = await self.loop.start_tls(
                transport,
                self,
                tls.context(),
                server_side=True,
                ssl_handshake_timeout=HEAD_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except OSError:  # no TLS, another version, a client that went away or does not trust us: its own affair
            secured = None
        if secured is None or secured.is_closing():
            transport.abort()
            self.connection_lost(None)
            return
        secured.set_write_buffer_limits(high=1)  # with 0 asyncio's TLS pauses writing, and never resumes it
        self._begin(SecuredTransport(transport, secured, self))  # type: ignore[arg-type]  # a transport in all that is used
        if self._early:
            self.data_received(self._early)
            self._early = b""

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._deadline, self._taking):
            if timer is not None:
                timer.cancel()
        if self._place is not None:
            self._all.places.give_back(self._place)
        self._all.refused.pop(self, None)
        if self._open:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._open:
            self._early += data
            return
        if self._refused or self.transport.is_closing():
            return
        super().data_received(data)
        if not self._busy:
            self._deadline = self._deadline or self.loop.call_later(HEAD_SECONDS, self._too_late)
        elif self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self.watch_taking()

    def resume_writing(self) -> None:
        super().resume_writing()
        # With TLS this says that everything is encrypted. Of a connection that is to be closed the client must take it, too.
        if not self.transport.is_closing():
            self.all_is_taken()

    # --- the bounds

    @property
    def _busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _too_late(self) -> None:
        self._deadline = None
        if self._busy or self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            self.transport.write(_TOO_SLOW)
        self.transport.close()

    def _leave(self) -> bool:
        """Make room for another client; not while a request is being answered."""
        if self._busy:
            return False
        self.transport.abort()
        return True

    def _refuse(self) -> None:
        self._refused = True
        self._all.refuse(self)
        # Closed at once, with a request unread, the kernel would reset the connection before the client has read why.
        self.transport.write(_REFUSAL)
        self.transport.write_eof()
        self._deadline = self.loop.call_later(REFUSED_SECONDS, self.transport.abort)

    def watch_taking(self) -> None:
        """Drop the client if it takes too little, until `all_is_taken`."""
        self.all_is_taken()
        waiting = self.transport.get_write_buffer_size()

        def look() -> None:
            if waiting - self.transport.get_write_buffer_size() < TAKEN_BYTES:
                self.transport.abort()
            else:
                self.watch_taking()

        self._taking = self.loop.call_later(TAKE_SECONDS, look)

    def all_is_taken(self) -> None:
        """Nothing waits for the client any more."""
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
