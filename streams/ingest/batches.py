"""Whole record batches out of aiokafka, instead of one Python object a record: 1.6 us -> 0.2 us a record.

Only one private piece of aiokafka 0.14.0 is replaced: the generator `PartitionRecords._unpack_records`, which turns a fetch response
into records. Ours yields one `Batch` a record batch; fetching, rebalancing, position keeping and errors stay aiokafka's own.
`tests/ingest/test_batches_contract.py` and `tests/servers/test_ingest.py` hold the contract; another version of aiokafka falls back to
its public records (`group_records`), slower and equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import aiokafka
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from streams.count import Batch, cut_before

#: The only version whose private parts were read and tried.
KNOWN_VERSION = "0.14.0"


@dataclass(frozen=True, slots=True)
class CoveredBatch:
    """A batch and the offset from which it covers the log: what lies between `start` and its first record holds no event."""

    start: int
    batch: Batch


class BatchRecords(fetcher.PartitionRecords):
    """A fetch response of one partition, iterated batch by batch."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[CoveredBatch]:
        records = self._records
        start: int = self.next_fetch_offset
        last: Any = None
        while records.has_next():
            last = records.next_batch()
            if self._check_crcs and not last.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if last.is_control_batch:  # a transaction marker: an offset without an event
                self.next_fetch_offset = last.next_offset
                continue
            batch = _read_batch(last, self.next_fetch_offset)
            self.next_fetch_offset = last.next_offset
            yield CoveredBatch(start, batch)
            start = self.next_fetch_offset
        if self.next_fetch_offset > start:  # markers at the end of the response: say that they were covered
            yield CoveredBatch(start, Batch(last.max_timestamp, (), (), (), self.next_fetch_offset))


def _read_batch(raw: Any, first_wanted: int) -> Batch:
    values: list[bytes | None] = []
    keys: list[bytes | None] = []
    offsets: list[int] = []
    for record in raw:  # one loop, no list of records: half the time
        values.append(record.value)
        keys.append(record.key)
        offsets.append(record.offset)
    batch = Batch(raw.max_timestamp, values, keys, offsets, raw.next_offset)
    # Kafka returns whole batches: the head may be below what was asked for.
    return cut_before([batch], first_wanted)[0] if offsets and offsets[0] < first_wanted else batch


def raw_batches_supported() -> bool:
    """Whether the installed aiokafka is the one whose private parts are known."""
    return bool(aiokafka.__version__ == KNOWN_VERSION and hasattr(fetcher.PartitionRecords, "_unpack_records"))


def use_raw_batches() -> bool:
    """Make every aiokafka consumer of this process deliver batches; False, and nothing changed, on another version."""
    if not raw_batches_supported():
        return False
    fetcher.PartitionRecords = BatchRecords
    return True


def group_records(records: Sequence[Any]) -> list[CoveredBatch]:
    """The documented way: group public `ConsumerRecord`s by append time, which is one for all records of a batch.

    Two neighbouring batches of the same millisecond become one, which counts the same. Offsets without a record are not visible this
    way: `start` is the first record's offset, and `PartitionLedger` tells a hole from a lost piece.
    """
    found = []
    for append_ms, group in groupby(records, key=lambda record: record.timestamp):
        some = list(group)
        offsets = [record.offset for record in some]
        batch = Batch(append_ms, [r.value for r in some], [r.key for r in some], offsets, offsets[-1] + 1)
        found.append(CoveredBatch(offsets[0], batch))
    return found
