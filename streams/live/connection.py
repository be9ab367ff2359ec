"""How to reach Redis: one value for the blocking and the asyncio client, and what their errors mean to a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.errors import RedisUnavailable, StateError, VigieError, tls_advice

#: A call that is not answered by then has failed; it may have been applied all the same (see `Outcome.ALREADY`).
CALL_SECONDS_MAX = 5.0
CONNECT_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is and who we are there. `url` may carry a database number; the password is kept out of it."""

    url: str
    username: str | None = None
    password: str | None = None
    tls_ca_file: str | None = None
    call_seconds_max: float = CALL_SECONDS_MAX

    def options(self) -> dict[str, Any]:
        """Options of `redis.Redis.from_url` and `redis.asyncio.Redis.from_url`. No silent retries: callers count and bound theirs."""
        options: dict[str, Any] = {
            "decode_responses": True,
            "encoding_errors": "backslashreplace",  # bytes that are no text reach the reader, who says which entry they are
            "socket_timeout": self.call_seconds_max,
            "socket_connect_timeout": min(CONNECT_SECONDS_MAX, self.call_seconds_max),
            "health_check_interval": 15,
        }
        if self.username is not None:
            options["username"] = self.username
        if self.password is not None:
            options["password"] = self.password
        if self.tls_ca_file is not None:
            options["ssl_ca_certs"] = self.tls_ca_file
        return options


def connect(address: RedisAddress) -> redis.Redis:
    """Return a blocking client; it connects at its first call."""
    return redis.Redis.from_url(address.url, retry=Retry(NoBackoff(), 0), **address.options())


#: What a call may raise when Redis is down, slow, full, loading or refuses us.
_REDIS_ERRORS = (redis.exceptions.RedisError, OSError)


@contextmanager
def asking_redis(address: RedisAddress) -> Iterator[None]:
    """Call Redis within this, and nothing else: a `TimeoutError` of another server, or of a disk, is an `OSError` too.

    Raises:
        RedisUnavailable: what a call raised, in one clear message.
        StateError: it is what Redis holds that is wrong.
    """
    try:
        yield
    except _REDIS_ERRORS as error:
        raise _explain(error, address) from error


#: What Redis says of a key that Vigie cannot have written, and a script of ours of an entry, before it writes anything. What stops a script
#: in its middle is no such thing: the mark that it leaves tells more.
_NOT_OURS, _SAID_BY_US, _IN_A_SCRIPT = ("WRONGTYPE", "INVALIDOBJ"), "FOREIGN", "@user_script"
#: What a cluster's node says where a script finds that a key is another node's.
_ELSEWHERE = "access a non local key in a cluster node"
NO_CLUSTER = "Vigie speaks to one server; set redis_url to one that is not in cluster mode"
START_OVER = "run the version that wrote it, remove it if a stranger wrote it, or start over (docs/operations.md)"


def _wrong_kind(error: Exception, said: str) -> str | None:
    """What a server is that Vigie cannot count in, and what to do; None where it is not that."""
    if isinstance(error, redis.exceptions.ReadOnlyError) or "READONLY" in said:
        return "is a replica, which takes no writes: set redis_url to its master (`vigie check` names it)"
    if isinstance(error, redis.exceptions.MovedError | redis.exceptions.AskError) or _ELSEWHERE in said:
        return f"is one node of a Redis Cluster, and the keys are on another ({said}): {NO_CLUSTER}"
    if isinstance(
        error,
        redis.exceptions.ClusterError | redis.exceptions.ClusterDownError | redis.exceptions.ClusterCrossSlotError,
    ):
        return f"is one node of a Redis Cluster ({said}): {NO_CLUSTER}"
    return None


def _explain(error: Exception, address: RedisAddress) -> VigieError:
    """Turn a client error into one clear message."""
    said = str(error)
    if _SAID_BY_US in said or (_IN_A_SCRIPT not in said and any(word in said for word in _NOT_OURS)):
        return StateError(f"Redis holds what was not written by this version of Vigie: {error}; {START_OVER}")
    where = address.url.rpartition("@")[2] if "@" in address.url else address.url
    if (kind := _wrong_kind(error, said)) is not None:
        return RedisUnavailable(f"Redis at {where} {kind}")
    if isinstance(error, redis.exceptions.AuthenticationError):
        hint = "check redis_username and redis_password"
    elif isinstance(error, redis.exceptions.NoPermissionError):
        hint = "give this ACL user the rights listed in docs/operations.md"
    elif isinstance(error, redis.exceptions.OutOfMemoryError):
        hint = "Redis is full: raise its maxmemory; nothing is lost, Kafka keeps the events"
    elif (advice := tls_advice(said, "redis_tls_ca_file", "redis_url (redis:// for none)")) is not None:
        hint = advice
    elif isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError | OSError):
        hint = "start it (`vigie up` starts a local one), or set redis_url"
    else:
        hint = "see Redis's log"
    return RedisUnavailable(f"Redis at {where} does not answer as needed: {error}; {hint}")
