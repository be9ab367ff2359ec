"""64-bit hashes that are the same in every process and on every machine, many at once: what sketches hold in place of long names.

Not for tables: whoever knows the function can make collisions. A sketch is approximate, and who collides makes oneself fewer.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_PAIRS = np.array([first + second for second in _ALPHABET for first in _ALPHABET])
_SHIFTS = np.arange(0, 48, 12, dtype=np.uint64)

_GOLDEN = 0x9E3779B97F4A7C15
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
#: Words of 8 bytes that a text may have: 4 KiB.
_WORDS_MAX = 512


def mix(numbers: Hashes) -> Hashes:
    """splitmix64: each bit of a number reaches all bits of its hash."""
    mixed = numbers + np.uint64(_GOLDEN)
    for shift, factor in _STEPS:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed


#: An odd factor for each word of a text.
_FACTORS: Hashes = mix(np.arange(_WORDS_MAX, dtype=np.uint64)) | np.uint64(1)


def hashes_of(texts: Sequence[str]) -> Hashes:
    """The hash of each text. Zero bytes at its end count for nothing, nor does what lies behind 4 KiB; nobody names a visitor so."""
    joined = "".join(texts)
    if joined.isascii() and len(sizes := set(map(len, texts))) == 1 and joined:  # as pseudonyms are: half the time
        encoded = np.frombuffer(joined.encode(), f"S{sizes.pop()}")
    else:
        encoded = np.array([text.encode() for text in texts], np.bytes_)
    words = min(_WORDS_MAX, -(-encoded.dtype.itemsize // 8))
    table = encoded.astype(f"S{8 * words}").view(np.uint64).reshape(-1, words)
    return mix(np.einsum("ij,j->i", table, _FACTORS[:words]))  # several times as fast as the other ways to say it


def hashes_of_pairs(owners: Hashes, texts: Sequence[str]) -> Hashes:
    """The hash of each text with the hash of its owner."""
    return mix(hashes_of(texts) + owners * np.uint64(_GOLDEN))


def as_texts(hashes: Hashes) -> NDArray[np.str_]:
    """Each as 8 characters of ASCII, from its lowest 48 bits: MessagePack in Redis's Lua knows no bytes, and of ten million different ones
    two collide in one case of five.
    """
    pairs = _PAIRS[((hashes[:, None] >> _SHIFTS) & np.uint64(4095)).astype(np.int64)]
    texts: NDArray[np.str_] = pairs.view("U8").reshape(-1)
    return texts
