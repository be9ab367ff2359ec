"""Events of a range of the log, to be sent again. Pure: records in, columns out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError
from streams.events import Reason, VisitEvent, decode
from streams.load_test.load_events import MINUTE_MS, LoadReplay, ReplayMinute

#: More are not held in memory at once; `--times` makes them as many as are wanted.
EVENTS_MAX = 5_000_000
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
    left_out = [f"{number} {what}" for number, what in ((broken, "broken record(s)"), (repeats, "repeat(s)")) if number]
    return LoadReplay(
        _minutes(np.array(rows, np.int64), -(-(end_ms - begin_ms) // MINUTE_MS)),
        tuple(places),
        tuple(services),
        None,
        "the log",
        tuple(f"{said}, not sent again" for said in left_out),
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
