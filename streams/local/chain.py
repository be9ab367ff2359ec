"""What the terminal view shows of the chain, read from Redis in a thread of its own so that a slow Redis delays nobody."""

from collections import Counter, deque
from dataclasses import dataclass

from streams.background import BackgroundLoop, LoopRules
from streams.clock import scenario_time
from streams.count import Cut, Field
from streams.count.settle import UNOWNED_MS
from streams.live import LiveReader, Snapshot

_READ_SECONDS = 1.0
RULES = LoopRules("chain-watcher", _READ_SECONDS, "the view shows no figures", "the view shows figures again")
#: The rate is that of the last `_RATE_SECONDS`.
_RATE_SECONDS = 10.0
#: Regions and services are ranked over the last minutes that hold anything.
RANKED_MINUTES = 5
TOP = 6


@dataclass(frozen=True, slots=True)
class ChainLook:
    """One look at the chain. `settled_at` is in epoch seconds; `rate` in events a second, None before two looks.

    `top_regions` and `top_services` are (code, events in the last `RANKED_MINUTES` minutes held), highest first.
    """

    counted: int
    rejected: int
    rate: float | None
    lag: int
    settled_at: float | None
    owned: int
    partitions: int
    top_regions: tuple[tuple[str, int], ...]
    top_services: tuple[tuple[str, int], ...]

    def settled_clock(self, shift_seconds: int) -> str:
        """`07:51:40`, on the clocks of Paris, of the simulated day where there is one; `-` where nothing is settled yet."""
        return (
            "-" if self.settled_at is None else f"{scenario_time(int(self.settled_at * 1000), shift_seconds):%H:%M:%S}"
        )

    def settled_ago(self, clock: float) -> str:
        """How long before `clock` (epoch seconds) that is."""
        return "not yet" if self.settled_at is None else f"{duration_text(max(clock - self.settled_at, 0))} ago"


class ChainWatcher:
    """Reads every second until closed; `latest` is None, and `problem` says why, while Redis does not answer."""

    def __init__(self, reader: LiveReader) -> None:
        self._reader = reader
        self._samples: deque[tuple[float, int]] = deque(maxlen=int(_RATE_SECONDS / _READ_SECONDS) + 1)
        self.latest: ChainLook | None = None
        self.problem: str | None = None
        self._loop = BackgroundLoop(self._round, RULES, on_failure=self._forget)
        self._loop.start()

    def close(self) -> None:
        """Stop reading; waits for a read under way, at most 6 s."""
        self._loop.stop(6)
        self._reader.close()

    def _round(self) -> None:
        self.latest, self.problem = self._read(), None

    def _forget(self) -> None:
        self.latest, self.problem = None, self._loop.state.problem
        self._samples.clear()

    def _read(self) -> ChainLook:
        snapshot = self._reader.snapshot()
        now = snapshot.now_ms / 1000
        counted = _sum(snapshot.totals, Cut.EVENTS)
        self._samples.append((now, counted))
        before, then = self._samples[0]
        regions, services = self._rank(snapshot)
        return ChainLook(
            counted=counted,
            rejected=_sum(snapshot.totals, Cut.REJECTED),
            rate=max(counted - then, 0) / (now - before) if now > before else None,
            lag=lag(snapshot),
            settled_at=snapshot.settled_ms / 1000 if snapshot.settled_ms else None,
            owned=sum(snapshot.now_ms - beat.at_ms < UNOWNED_MS for beat in snapshot.heartbeats.values()),
            partitions=snapshot.partitions,
            top_regions=regions,
            top_services=services,
        )

    def _rank(self, snapshot: Snapshot) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]:
        held = self._reader.held(end=snapshot.now_ms // 60_000 + 1)  # a sender's clock may be ahead: not beyond now
        regions = Counter[str]()
        services = Counter[str]()
        for minute in self._reader.fetch(held[-RANKED_MINUTES:]):
            for field, number in minute.counts.items():
                if field[0] == Cut.EVENTS:
                    regions[field[1]] += number
                    services[field[2]] += number
        return tuple(regions.most_common(TOP)), tuple(services.most_common(TOP))


def lag(snapshot: Snapshot) -> int:
    """Events in Kafka that are not counted yet, as far as the workers' heartbeats tell."""
    counted = {number: state.next_offset for number, state in snapshot.offsets.items()}
    ends = {number: beat.log_end for number, beat in snapshot.heartbeats.items() if beat.log_end is not None}
    return sum(max(0, end - counted.get(number, 0)) for number, end in ends.items())


def _sum(totals: dict[Field, int], cut: Cut) -> int:
    return sum(number for field, number in totals.items() if field[0] == cut)


def duration_text(seconds: float) -> str:
    """`95 s`, `12 min`, `3 h 05`."""
    whole = int(seconds)
    if whole < 100:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 6000 else f"{whole // 3600} h {whole % 3600 // 60:02d}"
