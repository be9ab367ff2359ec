"""The small parts of the worker: the log limit, the dead-letter budget, chunks out of records, the contract with aiokafka."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import aiokafka
import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.count import Batch, Reject
from streams.events import Reason
from streams.ingest import batches, log_limit
from streams.ingest.batches import BatchRecords, CoveredBatch, group_records
from streams.ingest.dead_letters import RejectBudget
from streams.ingest.log_limit import LINES_MAX, LogLimit
from streams.ingest.transport import make_chunk


def test_aiokafka_is_the_version_whose_private_parts_are_known() -> None:
    """The contract of the raw way. When this fails: read the new fetcher, then change KNOWN_VERSION, or live with the documented way."""
    assert aiokafka.__version__ == batches.KNOWN_VERSION
    assert batches.raw_batches_supported()
    instance_names = fetcher.PartitionRecords.__init__.__code__.co_names
    assert {"_tp", "_records", "_check_crcs", "next_fetch_offset", "_unpack_records"} <= set(instance_names)
    assert "PartitionRecords" in fetcher.Fetcher._proc_fetch_request.__code__.co_names


def test_another_version_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiokafka, "__version__", "0.15.0")
    before = fetcher.PartitionRecords
    assert not batches.use_raw_batches()
    assert fetcher.PartitionRecords is before


def raw_batch(base: int, values: list[bytes], append_ms: int = 1000, compression: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 1 << 20)
    for number, value in enumerate(values):
        builder.append(number, append_ms, b"k%d" % number, value, [])
    raw = bytearray(builder.build())
    raw[0:8] = base.to_bytes(8, "big")
    return bytes(raw)


def unpack(raw: bytes, wanted: int) -> tuple[list[CoveredBatch], int]:
    records = BatchRecords(("t", 0), MemoryRecords(raw), [], wanted, None, None, True, 0)
    found = list(records)
    return found, records.next_fetch_offset


@pytest.mark.parametrize("compression", [0, 1, 3])
def test_whole_batches_with_their_offsets(compression: int) -> None:
    raw = raw_batch(10, [b"a", b"b"], 1000, compression) + raw_batch(12, [b"c"], 2000, compression)
    found, after = unpack(raw, 10)
    assert after == 13
    assert [(c.start, list(c.batch.values), list(c.batch.offsets), c.batch.end, c.batch.append_ms) for c in found] == [
        (10, [b"a", b"b"], [10, 11], 12, 1000),
        (12, [b"c"], [12], 13, 2000),
    ]
    assert list(found[0].batch.keys) == [b"k0", b"k1"]


def test_a_batch_that_begins_below_what_was_asked_is_cut() -> None:
    found, _after = unpack(raw_batch(10, [b"a", b"b", b"c"]), 11)
    assert [(c.start, list(c.batch.values), list(c.batch.offsets)) for c in found] == [(11, [b"b", b"c"], [11, 12])]


def test_a_damaged_batch_raises_and_is_fetched_again() -> None:
    raw = bytearray(raw_batch(10, [b"a" * 50]))
    raw[-5] ^= 0xFF
    with pytest.raises(aiokafka.errors.CorruptRecordException):
        unpack(bytes(raw), 10)


def record(offset: int, timestamp: int) -> SimpleNamespace:
    return SimpleNamespace(offset=offset, timestamp=timestamp, key=None, value=b"%d" % offset)


def test_public_records_are_grouped_by_append_time() -> None:
    found = group_records([record(5, 1), record(6, 1), record(8, 2)])
    assert [(c.start, list(c.batch.offsets), c.batch.end, c.batch.append_ms) for c in found] == [
        (5, [5, 6], 7, 1),
        (8, [8], 9, 2),
    ]


def test_a_chunk_covers_from_the_first_start_to_the_last_end() -> None:
    covered = [CoveredBatch(3, Batch(1, [b"a"], [None], [5], 6)), CoveredBatch(6, Batch(1, [], [], [], 9))]
    chunk = make_chunk(2, covered)
    assert (chunk.partition, chunk.start, chunk.end, len(chunk.batches)) == (2, 3, 9, 2)


def reject(append_ms: int, reason: Reason = Reason.NOT_JSON) -> Reject:
    return Reject(0, reason, append_ms, None, b"x")


def test_the_budget_is_a_minute_and_a_reason() -> None:
    budget = RejectBudget(2)
    several = [reject(60_000), reject(60_000, Reason.EMPTY), reject(60_001), reject(60_002)]
    assert budget.choose(several) == several[:3]
    assert budget.choose([reject(60_000), reject(60_000, Reason.EMPTY)]) == [reject(60_000, Reason.EMPTY)]
    newer = [reject(120_000), reject(119_999), reject(60_001), reject(120_000)]
    assert budget.choose(newer) == newer[:1] + newer[1:2], "an older minute draws on the newest one's places"
    assert budget.choose(newer) == []
    assert budget.choose([reject(180_000)]) == [reject(180_000)]


def test_a_budget_of_zero_keeps_nothing() -> None:
    assert RejectBudget(0).choose([reject(1)]) == []


def test_a_spent_budget_is_known_without_a_look_at_each_reject() -> None:
    budget = RejectBudget(2)
    assert not budget.is_spent([Reason.NOT_JSON], 60_000)
    budget.choose([Reject(n, Reason.NOT_JSON, 60_000 + n, None, b"x") for n in range(2)])
    assert budget.is_spent([Reason.NOT_JSON], 119_999)
    assert budget.is_spent([Reason.NOT_JSON], 59_000), "an older minute draws on the newest one's places"
    assert not budget.is_spent([Reason.NOT_JSON], 120_000), "another minute"
    assert not budget.is_spent([Reason.NOT_JSON, Reason.EMPTY], 119_999), "another reason"


def test_repeated_lines_are_held_back_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(log_limit.time, "monotonic", lambda: clock[0])
    suppressed = []
    limit = LogLimit(lambda: suppressed.append(1))

    def line(text: str = "Kafka %s is down") -> logging.LogRecord:
        return logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, ("x",), None)

    assert [limit.filter(line()) for _ in range(LINES_MAX + 3)] == [True] * LINES_MAX + [False] * 3
    assert limit.filter(line("another %s"))
    assert len(suppressed) == 3
    clock[0] = log_limit.PERIOD_SECONDS + 1
    told = line()
    assert limit.filter(told)
    assert "3 more like this" in told.getMessage()
