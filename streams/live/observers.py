"""What each observer says of itself, for whoever asks `vigie status`: that it runs, and what keeps it from its work."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streams.clock import Milliseconds
from streams.errors import StateError
from streams.live import checked
from streams.live.connection import Client

#: One that said nothing for this long is missed; longer than `GONE_MS`, forgotten: it ran elsewhere, or under another name.
MISSED_MS = 30_000
GONE_MS = 15 * 60_000
#: What one observer says is bounded.
PROBLEMS_MAX, CHARACTERS_MAX = 10, 500


class ObserverSaid(msgspec.Struct, frozen=True):
    """`at_ms` (Redis's clock) it had these problems, most pressing first; none: all its parts work."""

    pid: int
    at_ms: Milliseconds
    problems: tuple[str, ...]


class ObserverBook:
    """What observers say of themselves (`LiveKeeper.observers`). `name` is an observer's host and port."""

    def __init__(self, client: Client, base: str) -> None:
        self._redis = client
        self._key = base + "observers"

    def tell(self, name: str, pid: int, problems: Sequence[str]) -> None:
        """Say how this observer fares, and forget those that are gone.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        seconds, micros = self._redis.time()
        now_ms = seconds * 1000 + micros // 1000
        texts = tuple(text[:CHARACTERS_MAX] for text in problems[:PROBLEMS_MAX])
        self._redis.hset(self._key, name, msgspec.json.encode(ObserverSaid(pid, now_ms, texts)).decode())
        known: Any = self._redis.hgetall(self._key)
        gone = [other for other, said in parse(known, self._key).items() if now_ms - said.at_ms > GONE_MS]
        if gone:
            self._redis.hdel(self._key, *gone)

    def leave(self, name: str) -> None:
        """Say that this observer ends as it should."""
        self._redis.hdel(self._key, name)


def parse(stored: Mapping[str, str], key: str) -> dict[str, ObserverSaid]:
    """What observers said, by name. What nobody can read is a problem of that name, long ago: it stops nobody, and is forgotten."""
    found = {}
    for name, text in stored.items():
        try:
            found[name] = checked.json_object(text, key, name, ObserverSaid)
        except StateError as error:
            found[name] = ObserverSaid(0, 0, (str(error),))
    return found
