"""What observers write in Redis, beside alerts: settled time, what is trimmed, and how far an archive has come.

A keeper is a reader that also writes. Commands and pages are given a reader: they can change nothing.
"""

from collections.abc import Sequence

import msgspec

from streams.live import scripts
from streams.live.archived_hours import Announced, ArchiveReader
from streams.live.connection import RedisAddress
from streams.live.observers import ObserverBook
from streams.live.reader import LiveReader
from streams.live.unseen import KEPT_MS, LISTS

#: Settled minutes whose settling time is noted at most in one call: 72 h.
SETTLED_A_CALL_MAX = 72 * 60

_pack = msgspec.msgpack.Encoder().encode


class LiveKeeper(LiveReader):
    """Settles, trims and forgets. Every method raises `ServerError` when Redis does not answer, and may be called again."""

    def __init__(self, address: RedisAddress, prefix: str, unseen_kept_ms: int = KEPT_MS) -> None:
        super().__init__(address, prefix, unseen_kept_ms)
        self._settle = self._redis.register_script(scripts.SETTLE)
        self._trim = self._redis.register_script(scripts.TRIM)
        self._forget = self._redis.register_script(scripts.FORGET_UNSEEN)
        self.observers = ObserverBook(self._redis, self._base)

    def settle(self, candidate_ms: int) -> int:
        """Move settled time forward to `candidate_ms`, never back; return where it stands."""
        return int(self._settle(args=[self._base, candidate_ms, SETTLED_A_CALL_MAX]))

    def trim(
        self, first_kept: int, most: int = 200, *, first_sketch: int = 0, first_date: int = 0, waited: bool = False
    ) -> int:
        """Remove minutes before the epoch minute `first_kept`, sketches of minutes before `first_sketch` and of days before `first_date`.

        At most `most` of each kind; returns how many were removed of the kind of which most were. A date is a number, 20260901. Where the
        minutes `waited` for an archive in vain their events are counted as missed by it.
        """
        return int(self._trim(args=[self._base, first_kept, most, first_sketch, first_date, int(waited)]))

    def forget_unseen(self) -> int:
        """Remove unseen values that are to be forgotten; return how many. Any number of observers may do it."""
        return int(self._forget(args=[self._base, self._unseen_kept_ms, *LISTS]))


class ArchiveKeeper(ArchiveReader):
    """Merges, announces and trims for an archive. Errors are those of `ArchiveReader`."""

    def __init__(self, address: RedisAddress, prefix: str) -> None:
        super().__init__(address, prefix)
        self._trim = self._redis.register_script(scripts.TRIM_ARCHIVED)
        self._merge = self._redis.register_script(scripts.MERGE_ESTABLISHMENTS)

    def merge_establishments(self, date: str, first: int, end: int) -> list[str]:
        """Add the establishments of the epoch minutes `first <= minute < end` held to those of a date.

        Returns the sketches that are none.
        """
        return list(self._merge(args=[self._base, date, first, end]))

    def announce(self, archive_id: str, said: Announced) -> None:
        """Tell all observers how far an archive has come: none trims what it has not."""
        self._redis.hset(self._base + "archives", archive_id, msgspec.json.encode(said).decode())

    def trim_archived(self, first: int, events: Sequence[int]) -> int | None:
        """Remove the minutes from `first` on of which an archive has so many events; return the first one that has more, None if done."""
        _removed, minute = self._trim(args=[self._base, first, first + len(events), _pack(list(events))])
        return int(minute) if minute else None
