"""Reads Kafka's record batches and unpacks them within a bound. What nobody can read comes as `Unread`, as workers count it.

`Fetcher.PartitionRecords`, which turns a fetch response into records, is replaced for one consumer: ours gives as one "record" a whole
`FetchedPiece`, so that reading is bounded in bytes, not in records. `tests/audit/test_fetched.py` holds what it needs of kafka-python.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch

from streams.errors import StateError
from streams.events import Reason
from streams.record_batches import RECORD_BYTES, Damages, RawBatch, Unpacker, UnreadError, read_records, split

#: Records in one piece, but for a batch that has more.
RECORDS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Unread:
    """The `number` records of a batch before offset `end` that nobody can read: each is rejected for `reason`."""

    append_ms: int
    number: int
    end: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class FetchedPiece:
    """What was read of one partition, up to `offset`, that one included."""

    offset: int
    records: Sequence[Any] | Unread


class FetchedPieces(Fetcher.PartitionRecords):  # type: ignore[misc]
    """A fetch response of one partition, given out piece by piece."""

    next_fetch_offset: int

    def __init__(self, unpacker: Unpacker, damages: Damages, *args: Any, **options: Any) -> None:
        self._unpacker = unpacker
        self._damages = damages
        super().__init__(*args, **options)

    def _unpack_records(self, tp: Any, records: Any, *_deserializers: Any) -> Iterator[FetchedPiece]:
        found: list[Any] = []
        size = 0
        try:
            for raw in split(records._buffer):
                if raw.end <= self.next_fetch_offset:
                    continue
                whole = raw.is_whole
                if not whole and not self._damages.is_for_good(tp, raw.start):
                    break  # what follows is fetched again, from here
                first = self.next_fetch_offset
                try:
                    some, taken = self._read(tp, raw, whole)
                except UnreadError as error:
                    if found:
                        yield FetchedPiece(first - 1, found)
                    self.next_fetch_offset = raw.end
                    found, size = [], 0
                    yield FetchedPiece(
                        raw.end - 1, Unread(raw.append_ms, raw.records_from(first), raw.end, error.reason)
                    )
                    continue
                found += some
                size += taken
                self.next_fetch_offset = raw.end
                self.bytes_read += len(raw.data)
                if size >= self._unpacker.bytes_max // 2 or len(found) >= RECORDS_MAX:
                    yield FetchedPiece(raw.end - 1, found)
                    found, size = [], 0
        except StateError:
            if found:  # perhaps the reader wants no more than this
                yield FetchedPiece(self.next_fetch_offset - 1, found)
            raise
        if found:
            yield FetchedPiece(self.next_fetch_offset - 1, found)
        self.drain()

    def _read(self, tp: Any, raw: RawBatch, whole: bool) -> tuple[list[Any], int]:
        """The records from `next_fetch_offset` on, and what they take in bytes."""
        if raw.is_control or (whole and not raw.number):
            return [], 0
        if not raw.is_stamped_by_broker:
            raise StateError(
                f"{tp.topic} is not stamped by the broker (message.timestamp.type): `vigie check` says how to mend it"
            )
        if not whole:
            raise UnreadError(Reason.CORRUPT)
        first = self.next_fetch_offset
        unpacked = self._unpacker.unpack(raw)
        try:
            records = list(DefaultRecordBatch(unpacked))
        except CorruptRecordError:
            records = read_records(raw, unpacked)
        if not raw.covers([record.offset for record in records]):
            raise UnreadError(Reason.CORRUPT)
        kept = records if raw.start >= first else [record for record in records if record.offset >= first]
        return kept, len(unpacked) + RECORD_BYTES * raw.number


def read_in_pieces(consumer: Any, bytes_max: int) -> None:
    """Let this consumer's `poll(max_records=1)` return one `FetchedPiece`.

    Raises:
        StateError: this kafka-python is another one than was tried.
    """
    fetcher = getattr(consumer, "_fetcher", None)
    if not isinstance(fetcher, Fetcher):
        raise StateError("this kafka-python is not the one that was tried: install what the locked requirements say")
    fetcher.PartitionRecords = partial(FetchedPieces, Unpacker(bytes_max), Damages())
