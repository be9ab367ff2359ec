"""Reads a topic from its beginning up to given offsets. A plain consumer: no group, no commit, no counting.

Reading is bounded in bytes, not in records: `FetchedPieces` replaces `Fetcher.PartitionRecords` of one consumer, which turns a fetch
response into records. `tests/audit/test_fetched.py` holds what that needs of kafka-python.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, NoOffsetForPartitionError, OffsetOutOfRangeError
from kafka.record.default_records import DefaultRecordBatch

from streams.append_times import offsets_since
from streams.broker import KafkaAddress
from streams.connecting import open_consumer
from streams.errors import ServerError, StateError
from streams.events import Reason
from streams.record_batches import RECORD_BYTES, Damages, RawBatch, Unpacker, UnreadError, read_records, split

#: Records in one piece, but for a batch that has more.
RECORDS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Unread:
    """The `number` records of a batch before offset `end` that nobody can read: each is rejected for `reason`, as workers count it."""

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


#: How long Kafka may send nothing while there is something to read.
SILENCE_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class LogReader:
    """One reading of a topic. `starts` and `ends` are the offsets of the log by partition, as of the opening."""

    address: KafkaAddress
    consumer: Any
    topic: str
    starts: Mapping[int, int]
    ends: Mapping[int, int]

    def offsets_since(self, since_ms: int) -> dict[int, int]:
        """Return, of each partition, where to begin for what the broker took at `since_ms` or later; a little of before may come first."""
        found = offsets_since(self.address, self.topic, dict.fromkeys(self.ends, since_ms))
        return {number: min(offset, self.ends[number]) for number, offset in found.items()}

    def read(
        self, until: Mapping[int, int], since: Mapping[int, int] | None = None
    ) -> Iterator[tuple[int, Sequence[Any] | Unread]]:
        """Yield (partition, records) in log order of each partition, up to the offset `until[partition]`, that one not included.

        Reading begins at the start of the log, or at `since[partition]`.

        Records have `timestamp` (epoch ms), `key`, `value`, `headers` and `offset`. A batch that nobody can read comes as `Unread`.

        Raises:
            ServerError: Kafka fell silent.
            StateError: `until` lies beyond the log, retention removed records meanwhile, or publishers' clocks stamp the topic.
        """
        self._check(until)
        consumer = self.consumer
        starts = {p: max(start, (since or {}).get(p, start)) for p, start in self.starts.items()}
        left = {TopicPartition(self.topic, p): end for p, end in until.items() if starts[p] < end}
        consumer.assign(list(left))
        consumer.resume(*left)  # from a reading before
        for tp in left:
            consumer.seek(tp, starts[tp.partition])
        heard = time.monotonic()
        while left:
            try:
                found = consumer.poll(timeout_ms=500, max_records=1)
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                raise StateError(
                    f"Retention removed records of {self.topic} while they were read: start again"
                ) from error
            for tp, pieces in found.items():
                if (end := left.get(tp)) is not None:
                    for piece in pieces:
                        yield tp.partition, _until(piece, end)
                heard = time.monotonic()  # the caller may have taken its time
            # The position, not the last record: what ends a log may be no record (a compacted or a control batch).
            for tp in [tp for tp, end in left.items() if consumer.position(tp) >= end]:
                del left[tp]
                consumer.pause(tp)
            if time.monotonic() - heard > SILENCE_SECONDS_MAX:
                raise ServerError(
                    f"Kafka sends nothing of {self.topic} for {SILENCE_SECONDS_MAX:g} s: see its log, then try again"
                )

    def _check(self, until: Mapping[int, int]) -> None:
        for partition, end in sorted(until.items()):
            if partition not in self.ends:
                raise StateError(
                    f"Redis counts partition {partition} of {self.topic}, which Kafka does not have: another topic?"
                )
            if end > self.ends[partition]:
                raise StateError(
                    f"Redis stands at offset {end} of partition {partition} of {self.topic}, Kafka's log ends at "
                    f"{self.ends[partition]}: Kafka lost records, or this is another topic"
                )


def _until(piece: FetchedPiece, end: int) -> Sequence[Any] | Unread:
    records = piece.records
    if piece.offset < end:
        return records
    if isinstance(records, Unread):
        return replace(records, number=max(0, records.number - (records.end - end)), end=end)
    return [record for record in records if record.offset < end]


@contextmanager
def open_log(address: KafkaAddress, topic: str) -> Iterator[LogReader]:
    """Open a topic.

    Raises:
        ServerError: Kafka is down or refuses us, or there is no such topic.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the errors raised here say it
    with open_consumer(address, max_partition_fetch_bytes=4 << 20) as consumer:
        read_in_pieces(consumer, address.unpacked_bytes_max)
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise ServerError(f"Kafka has no topic {topic!r}: `vigie check` creates it, or set another topic")
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        yield LogReader(
            address,
            consumer,
            topic,
            starts={tp.partition: offset for tp, offset in consumer.beginning_offsets(partitions).items()},
            ends={tp.partition: offset for tp, offset in consumer.end_offsets(partitions).items()},
        )
