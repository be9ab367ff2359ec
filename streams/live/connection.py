"""How to reach Redis: one value for the blocking and the asyncio client, and what their errors mean to a person."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio.sentinel
import redis.exceptions
import redis.sentinel

from streams.addresses import sentinel_place
from streams.errors import (
    RedisUnavailable,
    RedisUnfit,
    StateError,
    VigieError,
    descriptors_advice,
    listener_advice,
    tls_advice,
)
from streams.live import failover
from streams.live.keys import base_of

#: A call that is not answered by then has failed; it may have been applied all the same (see `Outcome.ALREADY`).
CALL_SECONDS_MAX = 5.0
CONNECT_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is and who we are there, and at its sentinels where the URL names those. No password is in the URL."""

    url: str
    username: str | None = None
    password: str | None = None
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = None
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
        given = {
            "username": self.username,
            "password": self.password,
            "ssl_ca_certs": self.tls_ca_file,
            "ssl_certfile": self.tls_cert_file,
            "ssl_keyfile": self.tls_key_file,
        }
        return options | {name: value for name, value in given.items() if value is not None}

    def sentinel_options(self) -> dict[str, Any]:
        """What differs where a sentinel is asked."""
        given = {"username": self.sentinel_username, "password": self.sentinel_password}
        return {name: value for name, value in given.items() if value is not None}


class Client(redis.Redis):
    """A blocking client; its calls raise what `asking_redis` does. Its pipelines do not: `run` does."""

    address: RedisAddress

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As every command of redis-py does."""
        with asking_redis(self.address):
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


class AsyncClient(redis.asyncio.Redis):
    """The same for asyncio."""

    address: RedisAddress

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As every command of redis-py does."""
        with asking_redis(self.address):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


def connect(address: RedisAddress, *, text: bool = True) -> Client:
    """Return a blocking client that follows the primary; it connects at its first call. Its answers are `text`, or bytes."""
    options = {**address.options(), "decode_responses": text}
    found: Client = failover.client(
        Client, address.url, sentinel_place(address.url), options, address.sentinel_options()
    )
    found.address = address
    return found


def connect_async(address: RedisAddress) -> AsyncClient:
    """The same for asyncio."""
    place = sentinel_place(address.url)
    found: AsyncClient = failover.async_client(
        AsyncClient, address.url, place, address.options(), address.sentinel_options()
    )
    found.address = address
    return found


class Connected:
    """Who reads or writes the keys of a prefix. Every method raises `ServerError` when Redis does not answer, and may be called again."""

    def __init__(self, address: RedisAddress, prefix: str) -> None:
        self._base = base_of(prefix)
        self._redis = connect(address)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def run(client: Client, pipeline: Any) -> list[Any]:
    """Run a pipeline of this client, and return its answers."""
    with asking_redis(client.address):
        answers: list[Any] = pipeline.execute()
    return answers


async def aclose(client: redis.asyncio.Redis) -> None:
    """Close a client of asyncio, and those by which it asks sentinels."""
    for each in (client, *failover.sentinels_of(client)):
        await each.aclose()


#: What a call may raise when Redis is down, slow, full, loading or refuses us.
_REDIS_ERRORS = (redis.exceptions.RedisError, OSError)


def redis_silence(answered_at: float, seconds_max: int) -> str | None:
    """Why a process that last heard of Redis then (monotonic seconds) should be started again; None where it should not. 0: never."""
    silent = time.monotonic() - answered_at
    if seconds_max == 0 or silent <= seconds_max:
        return None
    return f"no call to Redis went through for {silent:.0f} s (setting alive_without_redis_seconds)"


@contextmanager
def asking_redis(address: RedisAddress) -> Iterator[None]:
    """Call Redis within this, and nothing else: a `TimeoutError` of another server, or of a disk, is an `OSError` too.

    Raises:
        RedisUnavailable: what a call raised, in one clear message.
        StateError: it is what Redis holds that is wrong.
    """
    try:
        yield
    except redis.exceptions.NoScriptError:
        raise  # redis-py loads the script, and calls it again
    except _REDIS_ERRORS as error:
        raise _explain(error, address) from error


#: What Redis says of a key that Vigie cannot have written, and a script of ours of an entry, before it writes anything. What stops a script
#: in its middle is no such thing: the mark that it leaves tells more.
_NOT_OURS, _SAID_BY_US, _IN_A_SCRIPT = ("WRONGTYPE", "INVALIDOBJ"), "FOREIGN", "@user_script"
#: What redis-py says of a sentinel that did not answer, behind a long description of its client.
_CAUSE = re.compile(r"\)> - ([a-z]+:[A-Za-z]+)")
#: What a cluster's node says where a script finds that a key is another node's.
_ELSEWHERE = "access a non local key in a cluster node"
NO_CLUSTER = (
    "Vigie speaks to one server, a primary with as many replicas as you like; set redis_url to one that is not in cluster mode, or to "
    "sentinels that know which one is the primary (redis+sentinel://)"
)
START_OVER = (
    "run the version that wrote it, remove it if a stranger wrote it, or start over (docs/operations/recover.md)"
)


def _wrong_kind(error: Exception, said: str) -> str | None:
    """What a server is that Vigie cannot count in, and what to do; None where it is not that."""
    if isinstance(error, redis.exceptions.ReadOnlyError) or "READONLY" in said:
        return (
            "is a replica, which takes no writes: set redis_url to its master (`vigie check` names it), or wait, if a failover is "
            "under way"
        )
    if isinstance(error, redis.exceptions.MovedError | redis.exceptions.AskError) or _ELSEWHERE in said:
        return f"is one node of a Redis Cluster, and the keys are on another ({said}): {NO_CLUSTER}"
    if isinstance(
        error,
        redis.exceptions.ClusterError | redis.exceptions.ClusterDownError | redis.exceptions.ClusterCrossSlotError,
    ):
        return f"is one node of a Redis Cluster ({said}): {NO_CLUSTER}"
    return None


def _no_primary(said: str, where: str) -> str:
    """What a person does where the sentinels name no primary; `said` is redis-py's."""
    causes = set(_CAUSE.findall(said))  # redis-py tells no more than their kind
    if any("Authentication" in cause for cause in causes):
        hint = "check redis_sentinel_username and redis_sentinel_password"
    elif causes:
        hint = (
            "see whether they run, their addresses in redis_url, and, where they speak TLS, rediss+sentinel://, redis_tls_ca_file and the "
            "client's certificate"
        )
    else:
        hint = "they may be about to choose one: see their log, and the name in redis_url"
    return f"the sentinels at {where} name no primary; {hint}"


def cluster_problem(nodes: int | None) -> str:
    """What is wrong with a server in cluster mode; None nodes: it does not say how many there are."""
    return f"is in cluster mode, with {'an unknown number of' if nodes is None else nodes} node(s): {NO_CLUSTER}"


def refuse_cluster(address: RedisAddress, nodes: int | None) -> None:
    """Hold that a server in cluster mode is the only node of its cluster.

    Raises:
        RedisUnfit: it is not: keys that one script needs may be moved to another.
    """
    if nodes != 1:
        raise RedisUnfit(f"Redis at {address.url} {cluster_problem(nodes)}")


def _explain(error: Exception, address: RedisAddress) -> VigieError:
    """Turn a client error into one clear message."""
    said = str(error)
    if _SAID_BY_US in said or (_IN_A_SCRIPT not in said and any(word in said for word in _NOT_OURS)):
        return StateError(f"Redis holds what was not written by this version of Vigie: {error}; {START_OVER}")
    where = address.url.rpartition("@")[2] if "@" in address.url else address.url
    if isinstance(error, redis.sentinel.MasterNotFoundError | redis.asyncio.sentinel.MasterNotFoundError):
        return RedisUnavailable(_no_primary(said, where))
    if (kind := _wrong_kind(error, said)) is not None:
        return RedisUnavailable(f"Redis at {where} {kind}")
    return RedisUnavailable(f"Redis at {where} does not answer as needed: {error}; {_hint(error, said, address.url)}")


def _hint(error: Exception, said: str, url: str) -> str:
    """What to do about a call that failed."""
    if (advice := descriptors_advice(said)) is not None:
        return advice
    if isinstance(error, redis.exceptions.AuthenticationError):
        return "check redis_username and redis_password"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return "give this ACL user the rights listed in docs/operations/secure.md"
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return "Redis is full: raise its maxmemory; nothing is lost, Kafka keeps the events"
    if (advice := tls_advice(said, "redis_tls_ca_file", "redis_url (redis:// for none)")) is not None:
        return advice
    if "DB index is out of range" in said:
        return "redis_url ends with a number that this Redis has no database of (`databases` of its configuration): correct it"
    if (advice := listener_advice(said, "redis_url")) is not None:
        return advice
    if url.startswith("rediss") and isinstance(error, redis.exceptions.TimeoutError):
        return "start it, or set redis_url; where it runs, it may not speak TLS (redis:// for none)"
    if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError | OSError):
        return "start it (`vigie up` starts a local one), or set redis_url"
    return "see Redis's log"
