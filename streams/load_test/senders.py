"""The processes that send: each its share of the visitors, when their events are due, through the library that an ENT embeds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.errors import BufferFull
from streams.load_test.load_events import EventWriter, LoadReplay, SenderShare, expand
from streams.publish import VisitPublisher
from streams.publish.partitioner import partition_of

#: How often a sender that is on time looks at the clock.
TICK_SECONDS = 0.02
#: Events between two looks at the clock of one that is behind.
LOOK_EVENTS = 500
#: How long what is on its way may take at the end.
FLUSH_SECONDS_MAX = 60.0
#: Counters that a sender shares: events sent, milliseconds behind, events confirmed, its process.
COUNTERS = 4


@dataclass(frozen=True, slots=True)
class SentLog:
    """What a sender sent. `at` (ticks): epoch seconds; `numbers` (ticks, partitions): events handed over until then."""

    at: NDArray[np.float64]
    numbers: NDArray[np.int64]
    delivered: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class SendPlan:
    """What all senders have in common. `start_ms` is when the first minute begins, `partitions` are those of the topic."""

    replay: LoadReplay
    run: str
    times: float
    senders: int
    partitions: int
    start_ms: int


def send(
    plan: SendPlan, number: int, publisher: VisitPublisher, counters: MutableSequence[int], stopping: Callable[[], bool]
) -> SentLog:
    """Send one sender's share; one that cannot keep up sends late, and never less."""
    writer = EventWriter(plan.replay, plan.run, number)
    share = SenderShare(number, plan.senders, plan.times)
    ticks: list[tuple[float, list[int]]] = []
    numbers, place, sent = [0] * plan.partitions, number * COUNTERS, 0
    counters[place + 3] = os.getpid()
    cpu = time.process_time()
    for minute in plan.replay.minutes:
        for due, key, value in writer.events(*expand(minute, share), plan.start_ms):
            while due > (now := time.time() * 1000) and not stopping():
                _note(ticks, numbers, counters, place, (sent, 0, publisher.delivered))
                time.sleep(min(TICK_SECONDS, (due - now) / 1000))
            if stopping():
                break
            _hand_over(publisher, value, key, stopping)
            sent += 1
            numbers[partition_of(key, plan.partitions)] += 1
            if sent % LOOK_EVENTS == 0:
                _note(ticks, numbers, counters, place, (sent, max(0, int(now - due)), publisher.delivered))
    publisher.close(FLUSH_SECONDS_MAX)
    _note(ticks, numbers, counters, place, (sent, 0, publisher.delivered))
    at, table = [tick[0] for tick in ticks], [tick[1] for tick in ticks]
    return SentLog(np.array(at), np.array(table, np.int64), publisher.delivered, time.process_time() - cpu)


def _note(
    ticks: list[tuple[float, list[int]]],
    numbers: list[int],
    counters: MutableSequence[int],
    place: int,
    said: tuple[int, int, int],
) -> None:
    ticks.append((time.time(), numbers.copy()))
    for offset, value in enumerate(said):
        counters[place + offset] = value


def _hand_over(publisher: VisitPublisher, value: bytes, key: bytes, stopping: Callable[[], bool]) -> None:
    while True:
        try:
            publisher.send_raw(value, key)
        except BufferFull:  # it has waited; its events end, confirmed or failed, within its bound
            if not stopping():
                continue
        return
