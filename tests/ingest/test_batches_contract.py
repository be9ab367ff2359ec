"""What `streams.ingest.batches` needs of aiokafka's private parts: the installed version has them, and they do what ours rely on."""

from __future__ import annotations

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streams.ingest.batches import BatchRecords, CoveredBatch, group_records, raw_batches_supported

TP = TopicPartition("visits", 3)
LZ4 = 3
LOG_APPEND_TIME = 0x08


def written(*offsets: int, base: int = 0, append_ms: int = 1_788_242_400_000) -> bytes:
    """A batch as a broker stores it: records at these offsets, relative to `base`, with its own append time."""
    builder = DefaultRecordBatchBuilder(2, LZ4, 0, -1, -1, -1, 1 << 20)
    for offset in offsets:
        builder.append(offset, append_ms, b"k%d" % offset, b"v%d" % offset if offset != 5 else None, [])
    raw = bytearray(builder.build())
    raw[0:8] = base.to_bytes(8, "big")  # the base offset is not part of the checksum
    return bytes(raw)


def read(kind: type, data: bytes, fetch_offset: int) -> list[object]:
    return list(kind(TP, MemoryRecords(data), None, fetch_offset, None, None, True, fetcher.READ_UNCOMMITTED))


def test_the_installed_aiokafka_is_the_one_that_was_read() -> None:
    assert raw_batches_supported(), (
        "read aiokafka's new fetcher, then raise KNOWN_VERSION (docs/decisions/0002-raw-batches.md)"
    )
    assert fetcher.PartitionRecords.__name__ in ("PartitionRecords", "BatchRecords")


@pytest.mark.parametrize("offsets", [(0, 1, 2, 3), (0, 2, 5, 9), (4,), tuple(range(700))])
def test_a_batch_holds_what_the_public_records_say(offsets: tuple[int, ...]) -> None:
    data = written(*offsets, base=100) + written(0, 1, base=100 + offsets[-1] + 1, append_ms=1_788_242_460_000)
    public = group_records(read(BatchRecords.__mro__[1], data, 100))
    raw = read(BatchRecords, data, 100)
    assert [item.batch.append_ms for item in raw] == [1_788_242_400_000, 1_788_242_460_000]
    for mine, theirs in zip(raw, public, strict=True):
        assert isinstance(mine, CoveredBatch)
        assert list(mine.batch.offsets) == list(theirs.batch.offsets)
        assert (list(mine.batch.values), list(mine.batch.keys)) == (theirs.batch.values, theirs.batch.keys)
        assert mine.batch.end == theirs.batch.end
    assert [item.start for item in raw] == [100, raw[0].batch.end]


def test_the_head_below_what_was_asked_for_is_cut_away() -> None:
    (item,) = read(BatchRecords, written(0, 1, 2, 3, base=10), 12)
    assert (list(item.batch.offsets), item.batch.values, item.start) == ([12, 13], [b"v2", b"v3"], 12)


def test_a_batch_that_was_damaged_is_refused() -> None:
    data = bytearray(written(0, 1, 2))
    data[-1] ^= 0xFF
    with pytest.raises(CorruptRecordException):
        read(BatchRecords, bytes(data), 0)
