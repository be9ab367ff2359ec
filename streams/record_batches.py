"""Record batches as Kafka stores them (message format 2): told apart, and unpacked within a bound, whatever a sender put into them.

Workers and the recount read batches through this module, so that both count alike what cannot be read. A few kilobytes can unpack to
gigabytes: nothing that a batch says of itself is believed, except where it asks for more than it may have.
"""

import operator
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cramjam
import crc32c
import msgspec
import numpy as np

from streams.errors import StateError
from streams.events import Reason

#: What each record takes beside its bytes, once it is read: batches of many tiny records are bounded by it.
RECORD_BYTES = 128
#: A buffer that grew beyond this is given back at once.
KEPT_BYTES_MAX = 8 << 20
#: Kafka's numbering of message formats; older ones have no header that covers a batch.
FORMAT = 2

_HEADER = struct.Struct(">qiibIhiqqqhii")
#: The part of the header before `length` begins to count, and the part that the checksum leaves out.
_BEFORE_LENGTH, _BEFORE_CRC = 12, 21
_CODEC, _APPEND_TIME, _CONTROL = 0x07, 0x08, 0x20
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
#: cramjam's words where the output is full.
_FULL = "failed to write whole buffer"
#: The first bytes of snappy in blocks, as Java's clients write it; two numbers follow, and some write these in another byte order.
_XERIAL, _XERIAL_BYTES = b"\x82SNAPPY\x00", 16


class UnreadError(Exception):
    """The records of a batch cannot be had; `reason` is what each of them is rejected for."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class RawBatch(msgspec.Struct, frozen=True):
    """One batch as it was fetched. `number` and `end` are its own words, and plausible; `data` is all of it, header included."""

    start: int
    end: int
    append_ms: int
    number: int
    attributes: int
    data: memoryview

    @property
    def is_control(self) -> bool:
        """Whether it is a transaction marker: an offset without an event."""
        return bool(self.attributes & _CONTROL)

    @property
    def is_stamped_by_broker(self) -> bool:
        """Whether `append_ms` is the broker's clock (LogAppendTime), not its sender's."""
        return bool(self.attributes & _APPEND_TIME)

    @property
    def is_whole(self) -> bool:
        """Whether it is what was written: its checksum holds."""
        return bool(crc32c.crc32c(self.data[_BEFORE_CRC:]) == _HEADER.unpack_from(self.data)[4])

    def covers(self, offsets: list[int]) -> bool:
        """Whether its records may have these offsets: each in it, and above the one before. Two of one offset would be one dead letter."""
        if not offsets or not self.start <= offsets[0] <= offsets[-1] < self.end:
            return not offsets
        if offsets == list(range(offsets[0], offsets[0] + len(offsets))):  # as they nearly always are
            return True
        return all(map(operator.lt, offsets, offsets[1:]))

    def records_from(self, offset: int) -> int:
        """How many of its records lie at `offset` or above."""
        return min(self.number, self.end - offset)


def split(fetched: bytes | bytearray | memoryview) -> Iterator[RawBatch]:
    """Yield the batches of a fetch response; the last one, where it was cut off, is left out.

    Raises:
        StateError: this is no log of format 2, or what a batch says of its offsets cannot be.
    """
    view = memoryview(fetched)
    at = 0
    while len(view) - at > _BEFORE_LENGTH + 4:
        start, length = struct.unpack_from(">qi", view, at)
        stop = at + _BEFORE_LENGTH + length
        if view[at + _BEFORE_LENGTH + 4] != FORMAT:
            raise StateError(
                f"the batch at offset {start} has message format {view[at + _BEFORE_LENGTH + 4]}, which Vigie does not read: "
                "copy the topic into one of a Kafka of today, and count that"
            )
        if stop > len(view):
            return
        if length < _HEADER.size - _BEFORE_LENGTH:
            raise _damaged(start)
        _, _, _, _, _, attributes, last, _, append_ms, _, _, _, number = _HEADER.unpack_from(view, at)
        if last < 0:
            raise _damaged(start)
        if not 0 <= number <= last + 1:
            number = last + 1
        yield RawBatch(start, start + last + 1, append_ms, number, attributes, view[at:stop])
        at = stop


def _damaged(offset: int) -> StateError:
    return StateError(
        f"the log is damaged at offset {offset}: what the batch there says of itself cannot be. Restore the partition from a replica, or "
        "remove what lies up to the next offset that can be read (kafka-delete-records): what is removed is counted as lost"
    )


class Unpacker:
    """Unpacks one batch at a time into a buffer of its own, of at most `bytes_max`. Not for several threads."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._buffer: np.ndarray[Any, np.dtype[np.uint8]] | None = None

    def unpack(self, raw: RawBatch) -> memoryview:
        """Return the same batch uncompressed, header included; valid until the next call.

        Raises:
            UnreadError: it unpacks to more than `bytes_max`, or its compressed data are broken.
        """
        room = self.bytes_max - RECORD_BYTES * raw.number
        if room < 0:
            raise UnreadError(Reason.TOO_LARGE)
        codec = raw.attributes & _CODEC
        if codec == 0:
            return raw.data
        if self._buffer is None:
            self._buffer = np.empty(_HEADER.size + self.bytes_max, np.uint8)
        whole = self._buffer.data
        body = whole[_HEADER.size : _HEADER.size + room]
        size = room
        try:
            size = _decompress(codec, raw.data[_HEADER.size :], body)
        finally:
            if size > KEPT_BYTES_MAX:
                self._buffer = None
        whole[: _HEADER.size] = raw.data[: _HEADER.size]
        whole[_BEFORE_CRC : _BEFORE_CRC + 2] = (raw.attributes & ~_CODEC).to_bytes(2, "big", signed=True)
        return whole[: _HEADER.size + size]


def _decompress(codec: int, data: memoryview, out: memoryview) -> int:
    """Fill `out`, and return how far. It never asks for more memory than `out` has."""
    try:
        return int(_INTO[codec](data, out))
    except KeyError:
        raise UnreadError(Reason.CORRUPT) from None
    except (cramjam.DecompressionError, zlib.error, ValueError, struct.error) as error:
        raise UnreadError(Reason.TOO_LARGE if _FULL in str(error) else Reason.CORRUPT) from None


def _decompress_snappy(data: memoryview, out: memoryview) -> int:
    if data[: len(_XERIAL)] != _XERIAL:
        return _decompress_block(data, out)
    at, size = _XERIAL_BYTES, 0
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        if not 0 < length <= len(data) - at:
            raise UnreadError(Reason.CORRUPT)
        size += _decompress_block(data[at : at + length], out[size:])
        at += length
    return size


def _decompress_block(block: memoryview, out: memoryview) -> int:
    if cramjam.snappy.decompress_raw_len(block) > len(out):
        raise UnreadError(Reason.TOO_LARGE)
    return int(cramjam.snappy.decompress_raw_into(block, out))


_INTO = {
    _GZIP: cramjam.gzip.decompress_into,
    _SNAPPY: _decompress_snappy,
    _LZ4: cramjam.lz4.decompress_into,
    _ZSTD: cramjam.zstd.decompress_into,
}


class Damages:
    """Batches whose checksum did not hold: each is fetched again, in case it was damaged on its way."""

    FETCHES_MAX = 3

    def __init__(self) -> None:
        self._seen: dict[Any, tuple[int, int]] = {}

    def is_for_good(self, partition: Any, offset: int) -> bool:
        """Whether the batch there was fetched often enough to believe that it lies so in the log."""
        before, times = self._seen.get(partition, (-1, 0))
        times = times + 1 if before == offset else 1
        self._seen[partition] = (offset, times)
        return times >= self.FETCHES_MAX


@dataclass(frozen=True, slots=True)
class PlainRecord:
    """One record. `timestamp` is its batch's; names of headers that are not UTF-8 have replacement characters."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def read_records(raw: RawBatch, unpacked: memoryview) -> list[PlainRecord]:
    """Read a batch where a client's own reader refuses: a sender may name a header as it likes, and its event counts all the same.

    Raises:
        UnreadError: these are no records.
    """
    reader = _Bytes(unpacked, _HEADER.size)
    found: list[PlainRecord] = []
    expected = raw.start
    for _ in range(raw.number):
        length = reader.varint()
        end = reader.at + length
        if length < 0 or end > len(unpacked):
            raise UnreadError(Reason.CORRUPT)
        reader.at += 1  # attributes: none are in use
        reader.varint()  # its sender's time
        offset = raw.start + reader.varint()
        key, value = reader.field(end), reader.field(end)
        if not expected <= offset < raw.end:
            raise UnreadError(Reason.CORRUPT)
        expected = offset + 1
        found.append(PlainRecord(offset, raw.append_ms, key, value, _headers(reader, end)))
        reader.at = end
    if reader.at != len(unpacked):
        raise UnreadError(Reason.CORRUPT)
    return found


def _headers(reader: "_Bytes", end: int) -> tuple[tuple[str, bytes | None], ...]:
    found = []
    try:
        for _ in range(reader.varint()):
            name = reader.field(end)
            found.append(((name or b"").decode(errors="replace"), reader.field(end)))
    except UnreadError:
        return ()
    return tuple(found)


class _Bytes:
    """Kafka's numbers and fields, from a place on."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data = data
        self.at = at

    def varint(self) -> int:
        """A number of at most ten bytes, zigzag."""
        number = shift = 0
        for byte in self.data[self.at : self.at + 10]:
            self.at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7
        raise UnreadError(Reason.CORRUPT)

    def field(self, end: int) -> bytes | None:
        """Bytes behind their length, None for a negative one; not beyond `end`."""
        length = self.varint()
        if length < 0:
            return None
        if length > end - self.at:
            raise UnreadError(Reason.CORRUPT)
        self.at += length
        return bytes(self.data[self.at - length : self.at])
