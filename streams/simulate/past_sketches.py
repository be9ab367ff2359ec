"""HyperLogLogs of simulated visitors and establishments, which are numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.history import hll


def sketch_of_numbers(members: NDArray[np.uint64]) -> bytes:
    """A HyperLogLog of numbers, hashed by splitmix64."""
    with np.errstate(over="ignore"):
        mixed = members + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    index = (mixed & np.uint64(hll.REGISTERS - 1)).astype(np.int64)
    rest = (mixed >> np.uint64(14)).astype(np.uint64)
    lowest = rest & (~rest + np.uint64(1))
    rank = np.where(rest == 0, 51, np.log2(np.maximum(lowest, 1).astype(np.float64)) + 1).astype(np.uint8)
    registers = np.zeros(hll.REGISTERS, np.uint8)
    np.maximum.at(registers, index, rank)
    return hll.sketch_of(registers)
