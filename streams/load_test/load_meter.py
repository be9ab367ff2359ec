"""Sends a load, and looks at the chain under it.

Each sending process has its share of the visitors, and sends when their events are due, through the library that an ENT embeds. Where
partitions stand is looked at many times a second, what processes use once a second.
"""

import os
import time
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.background import BackgroundLoop, LoopRules
from streams.errors import BufferFull
from streams.load_test.load_events import EventWriter, LoadReplay, expand
from streams.publish import VisitPublisher
from streams.publish.producer import partition_of

#: How often a sender that is on time looks at the clock.
TICK_SECONDS = 0.02
#: Events between two looks at the clock of one that is behind.
LOOK_EVENTS = 500
#: How long what is on its way may take at the end.
FLUSH_SECONDS_MAX = 60.0
#: Counters that a sender shares: events sent, milliseconds behind, its process.
COUNTERS = 3


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
    ticks: list[tuple[float, list[int]]] = []
    numbers, place, sent = [0] * plan.partitions, number * COUNTERS, 0
    counters[place + 2] = os.getpid()
    cpu = time.process_time()
    for minute in plan.replay.minutes:
        mine, copies = expand(minute, number, plan.senders, plan.times)
        for due, key, value in writer.events(mine, copies, plan.start_ms):
            while due > (now := time.time() * 1000) and not stopping():
                _note(ticks, numbers, counters, place, (sent, 0))
                time.sleep(min(TICK_SECONDS, (due - now) / 1000))
            if stopping():
                break
            _hand_over(publisher, value, key, stopping)
            sent += 1
            numbers[partition_of(key, plan.partitions)] += 1
            if sent % LOOK_EVENTS == 0:
                _note(ticks, numbers, counters, place, (sent, max(0, int(now - due))))
    publisher.close(FLUSH_SECONDS_MAX)
    _note(ticks, numbers, counters, place, (sent, 0))
    at, table = zip(*ticks, strict=True)
    return SentLog(np.array(at), np.array(table, np.int64), publisher.delivered, time.process_time() - cpu)


def _note(
    ticks: list[tuple[float, list[int]]],
    numbers: list[int],
    counters: MutableSequence[int],
    place: int,
    said: tuple[int, int],
) -> None:
    ticks.append((time.time(), numbers.copy()))
    counters[place : place + len(said)] = said


def _hand_over(publisher: VisitPublisher, value: bytes, key: bytes, stopping: Callable[[], bool]) -> None:
    while True:
        try:
            publisher.send_raw(value, key)
        except BufferFull:  # it has waited; its events end, confirmed or failed, within its bound
            if not stopping():
                continue
        return


_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float | None:
    """User and system time of a process, all threads; None where it is gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(words[11]) + int(words[12])) / _TICKS


def memory_mib_max(pid: int) -> float:
    """The most memory that a process had, 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def machine_seconds() -> tuple[float, float]:
    """(used, all) seconds of all cores since the machine began; used is what was neither idle nor waiting for a disk."""
    words = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(words) - words[3] - words[4]) / _TICKS, sum(words) / _TICKS


LOOK_SECONDS = 0.05
_RULES = LoopRules("load-meter", LOOK_SECONDS, "the chain is not looked at", "the chain is looked at again")


@dataclass(frozen=True, slots=True)
class LoadSecond:
    """About one second of a load test. `sent` and `counted` are since the start; `behind_seconds` is the slowest sender's.

    `machine` is the part of all cores that was used, `others` that by other programs than this test; `cores` how many cores each process
    used, by name.
    """

    at: float
    sent: int
    counted: int
    behind_seconds: float
    machine: float
    cores: Mapping[str, float]
    others: float = 0.0


@dataclass(slots=True)
class _Before:
    at: float = 0.0
    machine: tuple[float, float] = (0.0, 0.0)
    cpu: dict[tuple[str, int], float] = field(default_factory=dict)


class LoadMeter:
    """Looks until it is stopped. `counted` asks where each partition stands; `processes` are (name, process id) of the chain's."""

    def __init__(
        self,
        counted: Callable[[], Sequence[int]],
        processes: Callable[[], Sequence[tuple[str, int]]],
        counters: Sequence[int],
    ) -> None:
        self._counted, self._processes, self._counters = counted, processes, counters
        self._looks: list[tuple[float, Sequence[int]]] = []
        self.seconds: list[LoadSecond] = []
        self.memory_mib: dict[str, float] = {}
        self._before = _Before(time.time(), machine_seconds(), self._cpu())
        self._loop = BackgroundLoop(self._round, _RULES)

    def start(self) -> None:
        """Begin to look, where it has not."""
        self._loop.start()

    def stop(self) -> None:
        """Look no more."""
        self._loop.stop(5)
        self._second(time.time())

    @property
    def counted(self) -> int:
        """Events counted at the last look."""
        return sum(self._looks[-1][1]) if self._looks else 0

    def looks(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(looks) epoch seconds, (looks, partitions) what was counted of each."""
        looks = self._looks.copy()
        return np.array([at for at, _ in looks]), np.array([stands for _, stands in looks], np.int64)

    def _round(self) -> None:
        stands = self._counted()
        now = time.time()
        self._looks.append((now, stands))
        if now - self._before.at >= 1.0:
            self._second(now)

    def _second(self, now: float) -> None:
        before = self._before
        machine = machine_seconds()
        cpu = self._cpu()
        elapsed = max(now - before.at, 1e-3)
        cores: dict[str, float] = {}
        for (name, pid), seconds in cpu.items():
            busy = max(0.0, seconds - before.cpu.get((name, pid), seconds)) / elapsed
            cores[name] = cores.get(name, 0.0) + busy
            self.memory_mib[name] = max(self.memory_mib.get(name, 0.0), memory_mib_max(pid))
        total = max(machine[1] - before.machine[1], 1e-3)
        used = (machine[0] - before.machine[0]) / total
        said = np.array(self._counters[:], np.int64).reshape(-1, COUNTERS)
        self.seconds.append(
            LoadSecond(
                now,
                int(said[:, 0].sum()),
                self.counted,
                float(said[:, 1].max()) / 1000,
                used,
                cores,
                max(0.0, used - sum(cores.values()) * elapsed / total),
            )
        )
        self._before = _Before(now, machine, cpu)

    def _cpu(self) -> dict[tuple[str, int], float]:
        pids = self._counters[COUNTERS - 1 :: COUNTERS]
        senders = [(f"sender {number}", pid) for number, pid in enumerate(pids) if pid]
        found = {(name, pid): cpu_seconds(pid) for name, pid in (*self._processes(), *senders)}
        return {key: seconds for key, seconds in found.items() if seconds is not None}
