"""HyperLogLogs of simulated visitors and establishments, which are numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.history import hll
from streams.stable_hash import mix


def sketch_of_numbers(members: NDArray[np.uint64]) -> bytes:
    """A HyperLogLog of numbers, hashed by splitmix64."""
    mixed = mix(members)
    index = (mixed & np.uint64(hll.REGISTERS - 1)).astype(np.int64)
    rest = (mixed >> np.uint64(14)).astype(np.uint64)
    lowest = rest & (~rest + np.uint64(1))
    rank = np.where(rest == 0, 51, np.log2(np.maximum(lowest, 1).astype(np.float64)) + 1).astype(np.uint8)
    registers = np.zeros(hll.REGISTERS, np.uint8)
    np.maximum.at(registers, index, rank)
    return hll.sketch_of(registers)
