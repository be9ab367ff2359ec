"""Redis's HyperLogLog outside Redis: union and count of sketches that were copied out of it, giving the numbers that Redis gives.

Format (redis/src/hyperloglog.c): 16 bytes of head (`HYLL`, encoding, three unused, cached count), then 16,384 registers of 6 bits, little
endian (dense), or runs (sparse). The count is Ertl's estimator; standard error 0.81 %.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from streams.errors import InputError

REGISTERS = 16_384
_HEAD_BYTES = 16
_DENSE_BYTES = REGISTERS * 6 // 8
_Q = 50  # bits of the hash that the run of zeros is taken from
_SEED = 0xADC83B19
_MURMUR = np.uint64(0xC6A4A7935BD1E995)
_ALPHA_INF = 0.721347520444481703680
#: The head of a dense sketch; its cached count is marked as stale, so that Redis counts anew.
_DENSE_HEAD = b"HYLL" + bytes([0, 0, 0, 0]) + bytes([0] * 7 + [0x80])

Registers = NDArray[np.uint8]


def registers_of(sketch: bytes) -> Registers:
    """Decode a sketch.

    Raises:
        InputError: it is none.
    """
    try:
        if len(sketch) < _HEAD_BYTES or sketch[:4] != b"HYLL" or sketch[4] > 1:
            raise ValueError("it is no HyperLogLog of Redis")
        registers = _dense(sketch) if sketch[4] == 0 else _sparse(sketch)
        if registers.max() > _Q + 1:
            raise ValueError("no hash has so many zeros")
    except ValueError as error:
        raise InputError(f"a sketch of users is damaged: {error}; write the day anew or restore its file") from None
    return registers


def sketch_of(registers: Registers) -> bytes:
    """Encode registers as a dense sketch, which Redis takes as the value of a key."""
    wide = registers.reshape(-1, 4).astype(np.uint32)
    packed = wide[:, 0] | wide[:, 1] << 6 | wide[:, 2] << 12 | wide[:, 3] << 18
    return _DENSE_HEAD + packed.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def union(sketches: Iterable[bytes]) -> bytes:
    """The sketch of everything that any of them saw."""
    return sketch_of(reduce(np.maximum, map(registers_of, sketches), no_registers()))


def no_registers() -> Registers:
    """Those of a sketch that saw nobody."""
    return np.zeros(REGISTERS, np.uint8)


def add(registers: Registers, members: Sequence[str]) -> None:
    """Let a sketch see members: PFADD."""
    for length, some in itertools.groupby(sorted(map(str.encode, members), key=len), len):
        see(registers, _murmur64a(list(some), length))


def see(registers: Registers, hashed: NDArray[np.uint64]) -> None:
    """Let a sketch see members by their hashes."""
    rest = (hashed >> np.uint64(14)) | np.uint64(1 << _Q)
    lowest = (rest & (~rest + np.uint64(1))).astype(np.float64)  # a power of two: exact
    rank = np.frexp(lowest)[1].astype(np.uint8)
    np.maximum.at(registers, (hashed & np.uint64(REGISTERS - 1)).astype(np.int64), rank)


def _murmur64a(members: list[bytes], length: int) -> NDArray[np.uint64]:
    """MurmurHash64A with Redis's seed, of members that all have this many bytes."""
    table = np.frombuffer(b"".join(members), np.uint8).reshape(len(members), length)
    hashed = np.full(len(members), _SEED ^ (length * int(_MURMUR) % (1 << 64)), np.uint64)
    with np.errstate(over="ignore"):
        for begin in range(0, length - length % 8, 8):
            word = np.ascontiguousarray(table[:, begin : begin + 8]).view("<u8").ravel().astype(np.uint64) * _MURMUR
            word = (word ^ (word >> np.uint64(47))) * _MURMUR
            hashed = (hashed ^ word) * _MURMUR
        if length % 8:
            tail = np.zeros((len(members), 8), np.uint8)
            tail[:, : length % 8] = table[:, length - length % 8 :]
            hashed = (hashed ^ tail.view("<u8").ravel().astype(np.uint64)) * _MURMUR
        hashed = (hashed ^ (hashed >> np.uint64(47))) * _MURMUR
        return np.asarray(hashed ^ (hashed >> np.uint64(47)))


def count(sketch: bytes) -> int:
    """How many distinct members, approximately: PFCOUNT."""
    histogram = np.bincount(registers_of(sketch), minlength=64)
    if histogram[0] == REGISTERS:
        return 0
    z = REGISTERS * _tau((REGISTERS - float(histogram[_Q + 1])) / REGISTERS)
    for j in range(_Q, 0, -1):
        z = (z + float(histogram[j])) * 0.5
    z += REGISTERS * _sigma(float(histogram[0]) / REGISTERS)
    return math.floor(_ALPHA_INF * REGISTERS * REGISTERS / z + 0.5)


def _dense(sketch: bytes) -> Registers:
    body = np.frombuffer(sketch, np.uint8, offset=_HEAD_BYTES)
    if len(body) < _DENSE_BYTES:
        raise ValueError("it is too short")
    three = body[:_DENSE_BYTES].reshape(-1, 3).astype(np.uint32)
    word = three[:, 0] | three[:, 1] << 8 | three[:, 2] << 16
    return np.stack([word >> shift & 63 for shift in (0, 6, 12, 18)], axis=1).astype(np.uint8).reshape(-1)


def _sparse(sketch: bytes) -> Registers:
    registers = no_registers()
    at, codes = 0, iter(sketch[_HEAD_BYTES:])
    for code in codes:
        if code & 0x80:  # 1vvvvvxx: a value, so often
            length = (code & 0x3) + 1
            registers[at : at + length] = (code >> 2 & 0x1F) + 1
        elif code & 0x40:  # 01xxxxxx yyyyyyyy: zeros, 14 bits
            length = ((code & 0x3F) << 8 | next(codes, REGISTERS)) + 1  # cut in its middle: longer than all registers
        else:  # 00xxxxxx: zeros
            length = (code & 0x3F) + 1
        at += length
    if at != REGISTERS:
        raise ValueError("its runs do not add up")
    return registers


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z = 1.0, x
    while True:  # converges: z grows by ever smaller parts, bounded by the precision of a float
        x *= x
        before = z
        z += x * y
        y += y
        if before == z:
            return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z = 1.0, 1 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
        if before == z:
            return z / 3
