"""Events to be sent again: columns by minute, taken from the log or drawn, and how each sender multiplies its share of them. Pure.

Multiplied are visitors, not events of one: copy number `n` of a visitor is another visitor, who does the same in the same minutes.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError
from streams.events import VERSION, Reason, VisitEvent, decode

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


def expand(minute: ReplayMinute, sender: int, senders: int, times: float) -> tuple[ReplayMinute, Ints]:
    """The events of a minute that one of several senders has, in order, and the copy that each belongs to.

    Every minute keeps its events, times `times`; a sender has its part of the visitors.
    """
    whole = int(times)
    parts: list[tuple[Ints, Ints, Ints]] = []
    rows = np.arange(len(minute.at_ms))
    for copy in range(whole + 1):
        mine = (minute.visitor + copy) % senders == sender
        if copy == whole:  # a part of the visitors once more
            mine &= _part(minute.visitor, copy) < times - whole
        chosen = rows[mine]
        at = minute.at_ms[chosen]
        if copy:  # not all copies in the same millisecond
            moved = (_part(minute.visitor[chosen], copy) * 1000).astype(np.int64)
            at = at // 1000 * 1000 + (at + moved) % 1000
        parts.append((chosen, at, np.full(len(chosen), copy)))
    chosen, at, copies = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    chosen = chosen[order]
    return ReplayMinute(at[order], minute.visitor[chosen], minute.place[chosen], minute.service[chosen]), copies[order]


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
        columns = (minute.at_ms + start_ms, minute.visitor, copies, minute.place, minute.service)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for number, (due, visitor, copy, place, service) in enumerate(rows, self._number + 1):
            name = hashlib.blake2b(b"%d/%d" % (visitor, copy), digest_size=16, key=secret).hexdigest().encode()
            yield due, name, line % (number, places[place], services[service], due, name)
        self._number += len(copies)


#: More are not held in memory at once; `--times` makes them as many as are wanted.
EVENTS_MAX = 5_000_000
#: What the events are from, as an operator reads it.
SOURCE = "le journal de Kafka"
_MEMBERS = ("project", "uai", "profile", "type", "tool", "device")


def replay_of(values: Iterable[bytes | None], begin_ms: int, end_ms: int) -> LoadReplay:
    """The events with `begin_ms <= ts < end_ms` among these records. Repeats and what breaks the contract are left out, and told.

    Raises:
        InputError: there are none, or too many.
    """
    rows: list[tuple[int, int, int, int]] = []
    visitors: dict[tuple[str, str], int] = {}
    places: dict[bytes, int] = {}
    services: dict[bytes, int] = {}
    seen: set[tuple[str, str]] = set()
    broken = repeats = 0
    for value in values:
        event = decode(value)
        if isinstance(event, Reason):
            broken += 1
        elif begin_ms <= event.ts < end_ms:
            project = event.project or ""
            if (project, event.id) in seen:
                repeats += 1
                continue
            seen.add((project, event.id))
            if len(seen) > EVENTS_MAX:
                raise InputError(
                    f"more than {EVENTS_MAX:,} events in this range: choose a shorter one, and a higher --times"
                )
            rows.append(
                (
                    event.ts - begin_ms,
                    visitors.setdefault((project, event.visitor), len(visitors)),
                    places.setdefault(_members(event, _MEMBERS), len(places)),
                    services.setdefault(_members(event, ("service",)), len(services)),
                )
            )
    if not rows:
        raise InputError(
            "no event that counts is in this range of the log: choose another --range, or --day of an archive"
        )
    told = ((broken, "enregistrement(s) hors contrat, non renvoyé(s)"), (repeats, "répétition(s), non renvoyée(s)"))
    return LoadReplay(
        _minutes(np.array(rows, np.int64), -(-(end_ms - begin_ms) // MINUTE_MS)),
        tuple(places),
        tuple(services),
        None,
        SOURCE,
        tuple(f"{number} {what}" for number, what in told if number),
    )


def _members(event: VisitEvent, names: tuple[str, ...]) -> bytes:
    given = {name: value for name in names if (value := getattr(event, name)) is not None}
    return msgspec.json.encode(given)[1:-1] + b"," if given else b""


def _minutes(table: NDArray[np.int64], number: int) -> tuple[ReplayMinute, ...]:
    table = table[np.argsort(table[:, 0], kind="stable")]
    cuts = np.searchsorted(table[:, 0], np.arange(number + 1) * MINUTE_MS)
    return tuple(
        ReplayMinute(*(np.ascontiguousarray(table[begin:end, column]) for column in range(4)))
        for begin, end in itertools.pairwise(cuts.tolist())
    )
