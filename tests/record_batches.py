"""Record batches as a broker stores them, good and hostile ones; the bombs unpack to far more than they weigh."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import cramjam
import crc32c
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode

APPEND_TIME = 0x08
CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
MIB = 1 << 20


def stamped(batch: bytes, base: int, attributes: int = APPEND_TIME) -> bytes:
    """The same batch at another offset, with the broker's timestamp type (or these attributes), and the checksum that belongs to it."""
    raw = bytearray(batch)
    raw[0:8] = base.to_bytes(8, "big")
    raw[22] |= attributes
    raw[17:21] = struct.pack(">I", crc32c.crc32c(bytes(raw[21:])))
    return bytes(raw)


def varint(number: int) -> bytes:
    """Kafka's zigzag numbers."""
    left = (number << 1) ^ (number >> 63)
    found = bytearray()
    while left > 0x7F:
        found.append(0x80 | (left & 0x7F))
        left >>= 7
    found.append(left)
    return bytes(found)


def record(
    delta: int, value: bytes | None, headers: Sequence[tuple[bytes, bytes]] = (), key: bytes | None = b"k"
) -> bytes:
    """One record, `delta` offsets after its batch's first."""

    def field(content: bytes | None) -> bytes:
        return varint(-1) if content is None else varint(len(content)) + content

    head = b"\0" + varint(0) + varint(delta)
    tail = varint(len(headers)) + b"".join(field(name) + field(content) for name, content in headers)
    whole = head + field(key) + field(value) + tail
    return varint(len(whole)) + whole


def batch(codec: str | int, packed: bytes, number: int, base: int = 0, last_delta: int | None = None) -> bytes:
    """A batch as the broker stores it, whose records are these compressed bytes; `number` is what its header says."""
    return stamped(sent(codec, packed, number, last_delta), base)


def sent(codec: str | int, packed: bytes, number: int, last_delta: int | None = None) -> bytes:
    """The same as it is sent to the broker."""
    attributes = CODECS[codec] if isinstance(codec, str) else codec
    last = number - 1 if last_delta is None else last_delta
    header = struct.pack(
        ">qiibIhiqqqhii", 0, 49 + len(packed), 0, 2, 0, attributes, last, 1000, 1000, -1, -1, -1, number
    )
    return stamped(header + packed, 0, attributes=0)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip_encode(data),
    "snappy": lambda data: snappy_encode(data),
    "lz4": lambda data: lz4_encode(data),
    "zstd": lambda data: zstd_encode(data),
}


def bomb(codec: str, mib: int, records: int = 1) -> bytes:
    """Compressed records, which unpack to `mib` MiB; made without ever holding as much."""
    each = mib * MIB // records
    zeros = bytes(MIB)
    packer: Any
    if codec == "zstd":
        packer = cramjam.zstd.Compressor(level=3)
    elif codec == "lz4":
        packer = cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)
    elif codec == "gzip":
        packer = cramjam.gzip.Compressor(level=9)
    else:
        return _snappy_bomb(each, records)
    for delta in range(records):
        head, tail = _frame(delta, each)
        packer.compress(head)
        for _ in range(each // MIB):
            packer.compress(zeros)
        packer.compress(zeros[: each % MIB])
        packer.compress(tail)
    return bytes(packer.finish())


def _frame(delta: int, size: int) -> tuple[bytes, bytes]:
    """What stands before and after a value of `size` bytes in a record without key and headers."""
    head = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(size)
    tail = varint(0)
    return varint(len(head) + size + len(tail)) + head, tail


def _snappy_bomb(each: int, records: int) -> bytes:
    """Blocks of 4 MiB, of which all but the first and last of a value are the same."""
    block = 4 * MIB
    found = bytearray(b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1))

    def add(data: bytes) -> None:
        packed = bytes(cramjam.snappy.compress_raw(data))
        found.extend(struct.pack(">i", len(packed)) + packed)

    zeros = bytes(block)
    same = bytes(cramjam.snappy.compress_raw(zeros))
    for delta in range(records):
        head, tail = _frame(delta, each)
        add(head)
        for _ in range(each // block):
            found.extend(struct.pack(">i", len(same)) + same)
        add(zeros[: each % block] + tail)
    return bytes(found)
