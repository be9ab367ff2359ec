"""How long events took from the hands of a sender until they were in Redis, where the page and /metrics read. Pure.

The n-th event handed over for a partition is taken for the n-th counted there: where senders overtake each other, two events change places,
and the distribution stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.load_test.senders import SentLog

PERCENTILES = (50.0, 95.0, 99.0)


def delays_seconds(
    sent: Sequence[SentLog], looked_at: NDArray[np.float64], counted: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(delays, how many events had each). `looked_at` (looks) are epoch seconds, `counted` (looks, partitions) what was counted of each
    since the beginning. An event that was not counted at the last look has an infinite delay.
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
        seen = np.append(looked_at, np.inf)[place]
        delays.append(np.maximum(seen - at, 0.0))
        weights.append(more)
    return np.concatenate(delays), np.concatenate(weights)


def percentiles(delays: NDArray[np.float64], weights: NDArray[np.int64]) -> tuple[float, float, float]:
    """p50, p95 and p99; NaN where there is nothing."""
    if not len(delays):
        return (np.nan, np.nan, np.nan)
    order = np.argsort(delays)
    reached = np.cumsum(weights[order]) / weights.sum() * 100
    p50, p95, p99 = (
        float(delays[order][min(len(delays) - 1, int(np.searchsorted(reached, part)))]) for part in PERCENTILES
    )
    return p50, p95, p99
