"""What a load test showed: the highest rate held, what gave way first, how many workers are needed, how long events took. Pure."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from streams.load_test.load_meter import LoadSecond, SentLog
from streams.sizing import BUSY_MAX

#: A rate is that of so many seconds.
RATE_SECONDS = 10
#: A rate is held while what is sent and not counted is less than so many seconds of it, and no sender is later than `BEHIND_SECONDS`.
HELD_SECONDS, BEHIND_SECONDS = 3.0, 1.0
#: Above these parts of the machine, or of one core, nothing more is to be had.
MACHINE_FULL, CORE_FULL = 0.90, 0.90
#: Who is to blame is looked for in so many seconds before.
BLAME_SECONDS = 5
WORKERS_MIN = 2
#: Fewer events at once than this are no lag: they are on their way.
ON_THEIR_WAY = 1000


class LoadOutcome(StrEnum):
    """How it ended."""

    HELD = "held"
    NOT_HELD = "not_held"
    MACHINE_LIMITED = "machine_limited"


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """What the seconds say. Rates in events a second; `gave_way` names what did first (None: nothing), `gave_way_at` the epoch second.

    `machine_max` is the most of all cores that was used, `others_max` that by other programs. `cores` are the most that each process used
    over `RATE_SECONDS`; `worker_us` is what all workers used for an event, microseconds.
    """

    outcome: LoadOutcome
    offered_max: float
    held_max: float
    lag_max: int
    lag_seconds_max: float
    machine_max: float
    others_max: float
    gave_way: str | None
    gave_way_at: float | None
    cores: Mapping[str, float]
    worker_us: float


def verdict(seconds: Sequence[LoadSecond]) -> LoadVerdict:
    """Tell how a run ended from its seconds: the last one before anything was sent and those after: at least two."""
    rates = [_rate(seconds, place) for place in range(len(seconds))]
    held = [place == 0 or _holds(one, rate) for place, (one, rate) in enumerate(zip(seconds, rates, strict=True))]
    length = min(RATE_SECONDS, seconds[-1].at - seconds[0].at)
    long_enough = [place for place, one in enumerate(seconds) if one.at - seconds[0].at >= length]
    first = next((place for place, is_held in enumerate(held) if not is_held), None)
    machine = max((_mean(seconds, place, lambda one: one.machine) for place in long_enough), default=0.0)
    held_or_not = LoadOutcome.HELD if first is None else LoadOutcome.NOT_HELD
    lags = [max(0, one.sent - one.counted) for one in seconds]
    return LoadVerdict(
        outcome=LoadOutcome.MACHINE_LIMITED if machine > MACHINE_FULL else held_or_not,
        offered_max=max((rates[place] for place in long_enough), default=0.0),
        held_max=max((rates[place] for place in long_enough if held[place]), default=0.0),
        lag_max=max(lags, default=0),
        lag_seconds_max=max(
            (lag / max(rate, 1.0) for lag, rate in zip(lags, rates, strict=True) if lag > ON_THEIR_WAY), default=0.0
        ),
        machine_max=machine,
        others_max=max((_mean(seconds, place, lambda one: one.others) for place in long_enough), default=0.0),
        gave_way=None if first is None else _blame(seconds[max(0, first - BLAME_SECONDS + 1) : first + 1]),
        gave_way_at=None if first is None else seconds[first].at,
        cores={
            name: _most_cores(seconds, long_enough, name)
            for name in sorted({*itertools.chain(*(one.cores for one in seconds))})
        },
        worker_us=_worker_us(seconds),
    )


def workers_for(rate: float, worker_us: float) -> int:
    """Workers for so many events a second, with half of each core left; two at least, so that one may die."""
    return max(WORKERS_MIN, math.ceil(rate * worker_us / 1e6 / BUSY_MAX))


def _rate(seconds: Sequence[LoadSecond], place: int) -> float:
    """Events sent a second over the last `RATE_SECONDS`."""
    now = seconds[place]
    then = seconds[_first(seconds, place)]
    return (now.sent - then.sent) / (now.at - then.at) if now.at > then.at else 0.0


def _first(seconds: Sequence[LoadSecond], place: int) -> int:
    first = place
    while first > 0 and seconds[place].at - seconds[first].at < RATE_SECONDS - 0.5:
        first -= 1
    return first


def _mean(seconds: Sequence[LoadSecond], place: int, of: Callable[[LoadSecond], float]) -> float:
    return fmean(of(one) for one in seconds[_first(seconds, place) : place + 1])


def _most_cores(seconds: Sequence[LoadSecond], places: Sequence[int], name: str) -> float:
    """The most that a process used over `RATE_SECONDS`."""
    return max((_mean(seconds, place, lambda one: one.cores.get(name, 0.0)) for place in places), default=0.0)


def _holds(one: LoadSecond, rate: float) -> bool:
    lag = one.sent - one.counted
    return one.behind_seconds <= BEHIND_SECONDS and (lag <= ON_THEIR_WAY or lag <= HELD_SECONDS * rate)


def _blame(seconds: Sequence[LoadSecond]) -> str:
    """The name of what was full: the machine before any process, senders before what they send to."""
    if fmean(one.machine for one in seconds) > MACHINE_FULL:
        return "machine"
    used = {name: fmean(one.cores.get(name, 0.0) for one in seconds) for one in seconds for name in one.cores}
    full = [name for name, cores in used.items() if cores > CORE_FULL]
    order = ("sender", "redis", "worker", "collector", "kafka", "observer")
    return next((name for role in order for name in full if name.startswith(role)), "unknown")


def _worker_us(seconds: Sequence[LoadSecond]) -> float:
    counted = seconds[-1].counted - seconds[0].counted
    used = sum(
        (after.at - before.at) * sum(n for name, n in after.cores.items() if name.startswith("worker"))
        for before, after in itertools.pairwise(seconds)
    )
    return used / counted * 1e6 if counted else 0.0


PERCENTILES = (50.0, 95.0, 99.0)


def delays_seconds(
    sent: Sequence[SentLog], looked_at: NDArray[np.float64], counted: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(delays, how many events had each). `looked_at` (looks) are epoch seconds, `counted` (looks, partitions) what was counted of each
    since the beginning. An event that was not counted at the last look has an infinite delay.

    A delay is from the hands of a sender until the event is in Redis. The n-th event handed over for a partition is taken for the n-th
    counted there: where senders overtake each other, two events change places, and the distribution stays.
    """
    delays: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.int64]] = []
    for partition in range(counted.shape[1]):
        at = np.concatenate([log.at for log in sent])
        more = np.concatenate([np.diff(log.numbers[:, partition], prepend=0) for log in sent])
        kept = more > 0
        order = np.argsort(at[kept], kind="stable")
        at, more = at[kept][order], more[kept][order]
        place = np.searchsorted(np.maximum.accumulate(counted[:, partition]), np.cumsum(more), "left")
        delays.append(np.maximum(np.append(looked_at, np.inf)[place] - at, 0.0))
        weights.append(more)
    return np.concatenate(delays), np.concatenate(weights)


def percentiles(delays: NDArray[np.float64], weights: NDArray[np.int64]) -> tuple[float, float, float]:
    """p50, p95 and p99; NaN where there is nothing."""
    if not len(delays):
        return (np.nan, np.nan, np.nan)
    p50, p95, p99 = np.percentile(delays, PERCENTILES, weights=weights, method="inverted_cdf").tolist()
    return p50, p95, p99
