"""A dead letter: one rejected event as it is kept, and how many of them may be kept in a minute.

Key `topic-partition-offset`, so that readers remove the repeats of at-least-once; value the original bytes; headers `reason`, `topic`,
`partition`, `offset`, `append_ms`, and `key` where the record had one. Of a value over `WHOLE_BYTES_MAX` only the head is kept, with
`value-bytes` and `value-sha256` of the whole; of a key, with `key-bytes`.
"""

import hashlib
from collections.abc import Collection, Iterable

from streams.count import Reject
from streams.events import VALUE_BYTES_MAX, Reason

#: Twice what an event may have: what is a little too large is kept whole.
WHOLE_BYTES_MAX = 2 * VALUE_BYTES_MAX
HEAD_BYTES = 1024
KEY_BYTES_MAX = 1024
#: What Kafka keeps of a letter beside value and key, about.
FRAME_BYTES = 200


class RejectBudget:
    """How many rejects are kept for each minute of append time and reason: `per_minute`, of `bytes_per_minute` together."""

    def __init__(self, per_minute: int, bytes_per_minute: int) -> None:
        self._per_minute = per_minute
        self._bytes_per_minute = bytes_per_minute
        self._minute = -1
        self._used: dict[Reason, int] = {}
        self._bytes: dict[Reason, int] = {}

    def is_spent(self, reasons: Collection[Reason], append_ms: int) -> bool:
        """Whether nothing of these reasons may be kept up to this append time: nobody needs to look at each of a flood."""
        in_minute = append_ms < (self._minute + 1) * 60_000
        return in_minute and all(self._used.get(reason, 0) >= self._per_minute for reason in reasons)

    def choose(self, rejects: Iterable[Reject]) -> list[Reject]:
        """Return those that may be kept. Each uses one of its reason's places; the first for which there are no bytes uses up the rest."""
        kept: list[Reject] = []
        end_ms, used, most = (self._minute + 1) * 60_000, self._used, self._per_minute
        for reject in rejects:
            if reject.append_ms >= end_ms:
                # Partitions differ by seconds: an older minute draws on the newest one's places.
                self._minute = reject.append_ms // 60_000
                end_ms = (self._minute + 1) * 60_000
                used.clear()
                self._bytes.clear()
            reason = reject.reason
            taken = used.get(reason, 0)
            if taken < most:
                weight = self._bytes.get(reason, 0) + letter_bytes(reject)
                if weight > self._bytes_per_minute:
                    used[reason] = most
                    continue
                used[reason] = taken + 1
                self._bytes[reason] = weight
                kept.append(reject)
        return kept


def letter_bytes(reject: Reject) -> int:
    """About how large the letter of a reject is, uncompressed."""
    size = len(reject.value or b"")
    return FRAME_BYTES + min(len(reject.key or b""), KEY_BYTES_MAX) + (HEAD_BYTES if size > WHOLE_BYTES_MAX else size)


def letter_value(value: bytes | None) -> bytes | None:
    """What is kept of a value."""
    return value if value is None or len(value) <= WHOLE_BYTES_MAX else value[:HEAD_BYTES]


def letter_headers(source: str, partition: int, reject: Reject) -> list[tuple[str, bytes]]:
    """Where a letter comes from, why it is one, and what is missing of it."""
    headers = [
        ("reason", reject.reason.value.encode()),
        ("topic", source.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(reject.offset).encode()),
        ("append_ms", str(reject.append_ms).encode()),
    ]
    if reject.key is not None:
        headers.append(("key", reject.key[:KEY_BYTES_MAX]))
        if len(reject.key) > KEY_BYTES_MAX:
            headers.append(("key-bytes", str(len(reject.key)).encode()))
    if reject.value is not None and len(reject.value) > WHOLE_BYTES_MAX:
        headers.append(("value-bytes", str(len(reject.value)).encode()))
        headers.append(("value-sha256", hashlib.sha256(reject.value).hexdigest().encode()))
    return headers
