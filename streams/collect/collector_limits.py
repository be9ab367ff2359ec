"""How much is taken: of one request, of one token a second, of all that wait. Pure, but for the clock that is handed in."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from streams.events import VALUE_BYTES_MAX

#: A token may send so many seconds of its rate at once: what an ENT kept while it could not reach us.
BURST_SECONDS = 30.0
#: One token may hold this part of what may wait: a slow sender must not keep the others out.
TOKEN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class CollectorLimits:
    """Bounds of a request, and of what waits for Kafka. A whole body must come within `body_seconds_max`."""

    body_bytes_max: int = 4 << 20
    unpacked_bytes_max: int = 16 << 20
    events_max: int = 10_000
    events_per_second_max: int = 5000
    waiting_bytes_max: int = 64 << 20
    confirm_seconds_max: float = 10.0
    body_seconds_max: float = 30.0


def cost(events: int, unpacked_bytes: int) -> int:
    """What a request costs its token, in events: one at least, and as many as its bytes could be of the largest ones."""
    return max(1, events, unpacked_bytes // VALUE_BYTES_MAX)


class Rate:
    """What one token has left: a bucket that fills by `per_second`. A request is paid for once it was read: it may go below zero."""

    __slots__ = ("_at", "_left", "per_second")

    def __init__(self, per_second: int, now: float) -> None:
        self.per_second = per_second
        self._left, self._at = per_second * BURST_SECONDS, now

    def wait_seconds(self, now: float) -> int:
        """How many whole seconds until another request is taken; 0: at once."""
        self._left = min(self._left + (now - self._at) * self.per_second, self.per_second * BURST_SECONDS)
        self._at = now
        return 0 if self._left > 0 else math.floor(-self._left / self.per_second) + 1

    def pay(self, events: int) -> None:
        """Take off what a request cost."""
        self._left -= events


class Waiting:
    """The bytes that are held, by token, from their reading until Kafka has answered for them."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held: Counter[str] = Counter()
        self.bytes = 0

    def hold(self, token: str, number: int) -> bool:
        """Hold so many more; False where that would be too many, and nothing is held."""
        if self.bytes + number > self._bytes_max or self._held[token] + number > self._bytes_max * TOKEN_SHARE:
            return False
        self._held[token] += number
        self.bytes += number
        return True

    def give_back(self, token: str, number: int) -> None:
        """So many are held no more."""
        self._held[token] -= number
        self.bytes -= number
        if not self._held[token]:
            del self._held[token]
