"""Prefixes that take one another's place: closed while the counts of the new one are made, then opened; the old one is removed."""

from collections.abc import Mapping
from typing import Any

from streams.count import Field
from streams.errors import StateError
from streams.live.connection import Connected, RedisAddress
from streams.live.keys import encode_field
from streams.live.unseen import LISTS

#: Close a prefix: its counts are made beside those of another one. ARGV: base, that prefix. Returns `closed`, `open` (it took the place of
#: that one already), or `used` where it is settled: observers show it.
CLOSE = """#!lua
local meta = ARGV[1] .. 'meta'
if redis.call('HGET', meta, 'continues') == ARGV[2] then return 'open' end
local beside = redis.call('HGET', meta, 'beside')
if beside == ARGV[2] then return 'closed' end
if beside or redis.call('HGET', meta, 'settled_ms') then return 'used' end
redis.call('HSET', meta, 'beside', ARGV[2])
return 'closed'
"""

#: Open it. ARGV: base, that prefix, then fields and counts to carry over. Returns 1, or 0 where it is not closed beside that prefix.
OPEN = """#!lua
local meta, carried = ARGV[1] .. 'meta', ARGV[1] .. 'base'
if redis.call('HGET', meta, 'beside') ~= ARGV[2] then return 0 end
redis.call('UNLINK', carried)
for i = 3, #ARGV, 2 do redis.call('HSET', carried, ARGV[i], ARGV[i + 1]) end
redis.call('HSET', meta, 'continues', ARGV[2])
redis.call('HDEL', meta, 'beside')
return 1
"""
#: Keys removed in one call.
REMOVED_A_CALL = 500
#: Keys of which there is one; `meta` goes last, so that a removal that was cut off can be told, and gone on with.
_SINGLE = (
    "offsets",
    "heartbeats",
    "totals",
    "base",
    "alerts",
    "alert_places",
    "alert_starts",
    "settled",
    "archives",
    "observers",
)


class PrefixBook(Connected):
    """What `vigie upgrade` writes."""

    def __init__(self, address: RedisAddress, prefix: str) -> None:
        super().__init__(address, prefix)
        self._prefix = prefix
        self._close, self._open = (self._redis.register_script(text) for text in (CLOSE, OPEN))

    def begin(self, old: str) -> bool:
        """Close this prefix, whose counts are made beside those of `old`; return False where it has taken the place of that one already.

        Raises:
            StateError: it is in use.
        """
        verdict: Any = self._close(args=[self._base, old])
        if verdict == "used":
            raise StateError(
                f"redis_prefix {self._prefix} is in use already: the counts of a new version are made under one that nobody shows yet. "
                "Set another redis_prefix and consumer_group, for this command and for the new workers and observers"
            )
        return bool(verdict == "closed")

    def open(self, old: str, base: Mapping[Field, int]) -> None:
        """Show these counts from now on, and with them what is carried over from `old`.

        Raises:
            StateError: they are not closed beside `old`.
        """
        args = [word for key, number in sorted(base.items()) for word in (encode_field(key), str(number))]
        if not self._open(args=[self._base, old, *args]):
            raise StateError(f"redis_prefix {self._prefix} is not closed beside {old} any more: see `vigie status`")

    def remove(self) -> int:
        """Remove every key of this prefix; return how many there were."""
        removed = 0
        for index, of_one in (("minutes", "minute:"), ("sketches", "sketch:"), ("days", "day:")):
            while names := self._members(index):
                removed += self._unlink(*(f"{of_one}{name}" for name in names))
                self._redis.zrem(self._base + index, *names)
        unseen = (f"{kind}:{name}" for kind in ("unseen", "unseen_at") for name in LISTS)
        return removed + self._unlink(*unseen, *_SINGLE) + self._unlink("meta")

    def _members(self, index: str) -> list[Any]:
        return list(self._redis.zrange(self._base + index, 0, REMOVED_A_CALL - 1))

    def _unlink(self, *names: str) -> int:
        return int(self._redis.unlink(*(self._base + name for name in names)))
