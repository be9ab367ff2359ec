"""Clients of Redis that follow its primary when it moves: under a name, behind a proxy, or as Sentinel says.

A failover may keep sockets open: the old primary goes on answering, as a replica. So once a server said that it takes no writes, all
connections to its place that this process has are opened anew before their next call: the name is resolved, or Sentinel asked, again. So
is any connection after `CONNECTION_SECONDS_MAX`, since a primary that was cut off from the others does not know it.
"""

import time
from collections.abc import Iterable
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.connection import Connection as AsyncTcp
from redis.asyncio.connection import SSLConnection as AsyncTls
from redis.asyncio.connection import UnixDomainSocketConnection as AsyncUnix
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import SentinelManagedConnection as AsyncSentinelTcp
from redis.asyncio.sentinel import SentinelManagedSSLConnection as AsyncSentinelTls
from redis.backoff import NoBackoff
from redis.connection import Connection as Tcp
from redis.connection import SSLConnection as Tls
from redis.connection import UnixDomainSocketConnection as Unix
from redis.exceptions import BusyLoadingError, MasterDownError, ReadOnlyError, RedisError
from redis.retry import Retry
from redis.sentinel import SentinelManagedConnection as SentinelTcp
from redis.sentinel import SentinelManagedSSLConnection as SentinelTls

from streams.addresses import SentinelPlace

#: A connection is opened anew this often: so long at most a reader believes a primary that was cut off.
CONNECTION_SECONDS_MAX = 30.0
#: Each sentinel has this long to answer; the next one is asked then.
SENTINEL_SECONDS_MAX = 1.0


def takes_no_writes(said: object) -> bool:
    """Whether an answer says that this server is no primary, or one that was left alone."""
    if isinstance(said, ReadOnlyError | MasterDownError | BusyLoadingError):
        return True
    return isinstance(said, RedisError) and any(word in str(said) for word in ("READONLY", "MASTERDOWN", "NOREPLICAS"))


#: By place, since when (monotonic seconds) the server there is known to take no writes: what any client of this process was told.
_refused_at: dict[str, float] = {}


class _Leaving:
    """Of both kinds: when this connection was opened, where to, and whether another is to be opened before the next call."""

    _opened_at = 0.0

    def on_connect_check_health(self, check_health: bool = True) -> Any:
        self._opened_at = time.monotonic()
        return super().on_connect_check_health(check_health=check_health)  # type: ignore[misc]

    def _place(self) -> str:
        return f"{getattr(self, 'host', '')}:{getattr(self, 'port', getattr(self, 'path', ''))}"

    def _look_at(self, said: object) -> None:
        said_each: Iterable[object] = said if isinstance(said, list) else (said,)  # a list: of a transaction
        if any(takes_no_writes(each) for each in said_each):
            _refused_at[self._place()] = time.monotonic()

    def _is_to_be_left(self) -> bool:
        aged = time.monotonic() - self._opened_at > CONNECTION_SECONDS_MAX
        return aged or self._opened_at <= _refused_at.get(self._place(), 0.0)


class _BlockingLeaving(_Leaving):
    def check_health(self) -> None:  # before each call
        if self._is_to_be_left():
            self.disconnect()  # type: ignore[attr-defined]
            self.connect()  # type: ignore[attr-defined]
        super().check_health()  # type: ignore[misc]

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            said = super().read_response(*args, **options)  # type: ignore[misc]
        except RedisError as error:
            self._look_at(error)
            raise
        self._look_at(said)
        return said


class _AsyncLeaving(_Leaving):
    async def check_health(self) -> None:
        if self._is_to_be_left():
            await self.disconnect()  # type: ignore[attr-defined]
            await self.connect()  # type: ignore[attr-defined]
        await super().check_health()  # type: ignore[misc]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            said = await super().read_response(*args, **options)  # type: ignore[misc]
        except RedisError as error:
            self._look_at(error)
            raise
        self._look_at(said)
        return said


def _kinds(leaving: type, **kinds: type) -> dict[str, type]:
    return {scheme: type(f"Leaving{kind.__name__}", (leaving, kind), {}) for scheme, kind in kinds.items()}


_BLOCKING = _kinds(_BlockingLeaving, redis=Tcp, rediss=Tls, unix=Unix)
_BLOCKING_SENTINEL = _kinds(_BlockingLeaving, redis=SentinelTcp, rediss=SentinelTls)
_ASYNC = _kinds(_AsyncLeaving, redis=AsyncTcp, rediss=AsyncTls, unix=AsyncUnix)
_ASYNC_SENTINEL = _kinds(_AsyncLeaving, redis=AsyncSentinelTcp, rediss=AsyncSentinelTls)


def client(
    kind: type[redis.Redis],
    url: str,
    place: SentinelPlace | None,
    options: dict[str, Any],
    of_sentinel: dict[str, Any],
) -> Any:
    """A blocking client: of the server that `url` names, or of the primary of which the sentinels of `place` know.

    `of_sentinel` are the options that differ where a sentinel is asked.
    """
    retry = Retry(NoBackoff(), 0)
    if place is None:
        return kind.from_url(url, connection_class=_BLOCKING[url.partition(":")[0]], retry=retry, **options)
    asked = {**_sentinel(place, options, of_sentinel), "retry": retry}
    asking = redis.sentinel.Sentinel(place.hosts, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
    connection = _BLOCKING_SENTINEL["rediss" if place.tls else "redis"]
    return asking.master_for(
        place.service, kind, connection_class=connection, db=place.database, retry=retry, **options
    )  # type: ignore[no-untyped-call]


def async_client(
    kind: type[redis.asyncio.Redis],
    url: str,
    place: SentinelPlace | None,
    options: dict[str, Any],
    of_sentinel: dict[str, Any],
) -> Any:
    """The same for asyncio."""
    retry = AsyncRetry(NoBackoff(), 0)
    if place is None:
        return kind.from_url(url, connection_class=_ASYNC[url.partition(":")[0]], retry=retry, **options)
    asked = {**_sentinel(place, options, of_sentinel), "retry": retry}
    asking = redis.asyncio.sentinel.Sentinel(place.hosts, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
    connection = _ASYNC_SENTINEL["rediss" if place.tls else "redis"]
    return asking.master_for(
        place.service, kind, connection_class=connection, db=place.database, retry=retry, **options
    )


def _sentinel(place: SentinelPlace, options: dict[str, Any], of_sentinel: dict[str, Any]) -> dict[str, Any]:
    seconds_max = min(SENTINEL_SECONDS_MAX, options["socket_connect_timeout"])
    kept = {name: value for name, value in options.items() if name not in ("username", "password")}
    bounds = {"socket_timeout": seconds_max, "socket_connect_timeout": seconds_max}
    return {**kept, **bounds, "decode_responses": True, "ssl": place.tls, **of_sentinel}


def sentinels_of(client: Any) -> list[Any]:
    """The clients by which a client asks sentinels, to be closed with it; none where it asks none."""
    asking = getattr(client.connection_pool, "sentinel_manager", None)
    return [] if asking is None else list(asking.sentinels)
