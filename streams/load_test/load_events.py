"""Events to be sent again: columns by minute, and how each sender multiplies its share of them. Pure.

Multiplied are visitors, not events of one: copy number `n` of a visitor is another visitor, who does the same in the same minutes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.events import VERSION

Ints = NDArray[np.int64]
MINUTE_MS = 60_000
#: 2^64 / golden ratio: neighbouring numbers become far apart.
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class ReplayMinute:
    """Events of one minute, in order of `at_ms`, milliseconds since the replay's start. `place` and `service` are numbers of
    `LoadReplay.places` and `LoadReplay.services`.
    """

    at_ms: Ints
    visitor: Ints
    place: Ints
    service: Ints


@dataclass(frozen=True, slots=True)
class LoadReplay:
    """What is sent, once. `places` and `services` are members of an event as bytes, each with its comma at the end, or empty.

    `visits` is how many the events make, None where that is not known; `left_out` says what of the source is not among them.
    """

    minutes: tuple[ReplayMinute, ...]
    places: tuple[bytes, ...]
    services: tuple[bytes, ...]
    visits: int | None
    source: str
    left_out: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(len(minute.at_ms) for minute in self.minutes)

    def by_minute(self) -> list[int]:
        """Events of each minute."""
        return [len(minute.at_ms) for minute in self.minutes]


@dataclass(frozen=True, slots=True)
class SenderShare:
    """Which part of the visitors one of several senders has."""

    number: int
    senders: int
    times: float


def expand(minute: ReplayMinute, share: SenderShare) -> tuple[ReplayMinute, Ints]:
    """One sender's events of a minute, in order, and the copy that each belongs to. Every minute keeps its events, times `times`."""
    whole = int(share.times)
    parts: list[tuple[Ints, Ints, Ints]] = []
    rows = np.arange(len(minute.at_ms))
    for copy in range(whole + 1):
        mine = (minute.visitor + copy) % share.senders == share.number
        if copy == whole:  # a part of the visitors once more
            mine &= _part(minute.visitor, copy) < share.times - whole
        chosen = rows[mine]
        at = minute.at_ms[chosen]
        if copy:  # not all copies in the same millisecond
            moved = (_part(minute.visitor[chosen], copy) * 1000).astype(np.int64)
            at = at // 1000 * 1000 + (at + moved) % 1000
        parts.append((chosen, at, np.full(len(chosen), copy)))
    chosen, at, copies = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    chosen = chosen[order]
    found = ReplayMinute(at[order], minute.visitor[chosen], minute.place[chosen], minute.service[chosen])
    return found, copies[order]


def _part(visitor: Ints, copy: int) -> NDArray[np.float64]:
    """A number from 0 to 1 that each visitor and copy has."""
    mixed = (visitor.astype(np.uint64) + np.uint64(copy) * np.uint64(0x51_7C_C1B7)) * _MIX
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53))


class EventWriter:
    """Makes an event's bytes. `run` begins every id and names the visitors: two replays share neither."""

    def __init__(self, replay: LoadReplay, run: str, sender: int) -> None:
        self._places, self._services = replay.places, replay.services
        self._line = b'{"v":%d,"id":"%s-%d-%%d",%%b%%b"ts":%%d,"visitor":"%%b"}' % (VERSION, run.encode(), sender)
        self._secret = run.encode()[:64]
        self._number = 0

    def events(self, minute: ReplayMinute, copies: Ints, start_ms: int) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (when it is due, epoch ms; key; value) of each."""
        line, places, services, secret = self._line, self._places, self._services, self._secret
        number = self._number
        columns = (minute.at_ms + start_ms, minute.visitor, copies, minute.place, minute.service)
        for due, visitor, copy, place, service in zip(*(column.tolist() for column in columns), strict=True):
            number += 1
            name = hashlib.blake2b(b"%d/%d" % (visitor, copy), digest_size=16, key=secret).hexdigest().encode()
            yield due, name, line % (number, places[place], services[service], due, name)
        self._number = number
