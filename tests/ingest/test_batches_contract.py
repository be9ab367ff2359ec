"""What `streams.ingest.batches` needs of aiokafka's private parts: the installed version has them, and they do what ours rely on."""

from typing import Any

import aiokafka
import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streams.errors import ServerError
from streams.ingest import batches
from streams.ingest.batches import BatchRecords, BoundedResult, CoveredBatch, FetchedRecords, Hand
from streams.record_batches import Unpacker
from tests.record_batches import stamped

TP = TopicPartition("visits", 3)
LZ4 = 3


@pytest.fixture(autouse=True)
def _hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchRecords, "hand", Hand(Unpacker(1 << 20)), raising=False)


def written(*offsets: int, base: int = 0, append_ms: int = 1_788_242_400_000) -> bytes:
    """A batch as a broker stores it: records at these offsets, relative to `base`, with its own append time."""
    builder = DefaultRecordBatchBuilder(2, LZ4, 0, -1, -1, -1, 1 << 20)
    for offset in offsets:
        builder.append(offset, append_ms, b"k%d" % offset, b"v%d" % offset if offset != 5 else None, [])
    return stamped(bytes(builder.build()), base)


def read(data: bytes, fetch_offset: int) -> list[CoveredBatch]:
    return list(BatchRecords(TP, FetchedRecords(data), None, fetch_offset, None, None, True, fetcher.READ_UNCOMMITTED))


def read_publicly(data: bytes, fetch_offset: int) -> list[Any]:
    kind = BatchRecords.__mro__[1]
    return list(kind(TP, MemoryRecords(data), None, fetch_offset, None, None, True, fetcher.READ_UNCOMMITTED))


def test_the_installed_aiokafka_is_the_one_that_was_read() -> None:
    """When this fails: read aiokafka's new fetcher, then raise KNOWN_VERSION (docs/decisions/0002-raw-batches.md)."""
    assert aiokafka.__version__ == batches.KNOWN_VERSION
    names = set(fetcher.Fetcher._proc_fetch_request.__code__.co_names)
    assert {"MemoryRecords", "PartitionRecords", "FetchResult", "has_next", "size_in_bytes"} <= names
    assert "_fetch_min_bytes" in fetcher.Fetcher._get_actions_per_node.__code__.co_names
    assert {"FetchResult", "getall", "has_more"} <= set(fetcher.Fetcher.fetched_records.__code__.co_names)
    kind = BatchRecords.__mro__[1]
    assert {"_tp", "_records", "next_fetch_offset", "_unpack_records"} <= set(kind.__init__.__code__.co_names)
    getall = BoundedResult.__mro__[1].getall.__code__.co_names
    assert {"_topic_partition", "check_assignment", "has_more", "_update_position", "_partition_records"} <= set(getall)


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiokafka, "__version__", "0.15.0")
    before = fetcher.PartitionRecords
    with pytest.raises(ServerError, match=r"install aiokafka==0\.14\.0"):
        batches.use_raw_batches(1 << 20)
    assert fetcher.PartitionRecords is before


@pytest.mark.parametrize("offsets", [(0, 1, 2, 3), (0, 2, 5, 9), (4,), tuple(range(700))])
def test_a_batch_holds_what_the_public_records_say(offsets: tuple[int, ...]) -> None:
    data = written(*offsets, base=100) + written(0, 1, base=100 + offsets[-1] + 1, append_ms=1_788_242_460_000)
    public = read_publicly(data, 100)
    raw = read(data, 100)
    assert [item.batch.append_ms for item in raw] == [1_788_242_400_000, 1_788_242_460_000]
    mine = [
        (item.batch.append_ms, *row)
        for item in raw
        for row in zip(item.batch.offsets, item.batch.keys, item.batch.values, strict=True)
    ]
    assert mine == [(record.timestamp, record.offset, record.key, record.value) for record in public]
    assert [item.start for item in raw] == [100, raw[0].batch.end]
    assert [item.batch.end for item in raw] == [100 + offsets[-1] + 1, 100 + offsets[-1] + 3]


def test_the_head_below_what_was_asked_for_is_cut_away() -> None:
    (item,) = read(written(0, 1, 2, 3, base=10), 12)
    assert (list(item.batch.offsets), item.batch.values, item.start) == ([12, 13], [b"v2", b"v3"], 12)
