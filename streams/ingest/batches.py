"""Whole record batches out of aiokafka, instead of one Python object a record (1.6 us -> 0.2 us a record), and unpacked within a bound.

Three private pieces of aiokafka 0.14.0 are replaced, all of what turns a fetch response into records: `MemoryRecords` (ours keeps the
response), `PartitionRecords._unpack_records` (ours yields one `CoveredBatch` a record batch) and `FetchResult.getall` (ours stops where
enough is in hand, and goes on there later). Fetching, rebalancing and position keeping stay aiokafka's own.
`tests/ingest/test_batches_contract.py` and `tests/servers/test_ingest.py` hold the contract.
"""

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar

import aiokafka
import msgspec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from streams.count import Batch, between
from streams.errors import ServerError, StateError
from streams.events import Reason
from streams.record_batches import RECORD_BYTES, Damages, RawBatch, Unpacker, UnreadError, read_records, split

log = logging.getLogger(__name__)

#: The only version whose private parts were read and tried.
KNOWN_VERSION = "0.14.0"
#: How long a fetch waits for what is in hand to be counted, before it comes back with nothing.
WAIT_SECONDS_MAX = 1.0
WAIT_STEP_SECONDS = 0.005
#: At most this often garbage is collected because the hand is full: while Redis is away it stays so.
COLLECT_SECONDS = 10.0


class Hand:
    """What a worker has unpacked and not counted yet, over all its partitions, in bytes; bounds it.

    `taken` is written by the thread that fetches, `given_back` by the one that counts; `_returned` passes between them.
    """

    def __init__(self, unpacker: Unpacker) -> None:
        self.unpacker = unpacker
        self._taken = self._given_back = 0
        self._returned: deque[int] = deque()
        self._pause = False
        self._collect_at = 0.0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be unpacked now: half the bound is in hand, or one batch took long enough."""
        return self._pause or self._taken - self._given_back >= self.unpacker.bytes_max // 2

    def take(self, size: int) -> "Held":
        """Account for a batch; what it takes is given back when the result goes."""
        self._taken += size
        return Held(size, self._returned)

    def pause(self) -> None:
        """End this fetch: the event loop has other work than to unpack what is not worth it."""
        self._pause = True

    async def wait(self) -> bool:
        """Wait until there is room, at most `WAIT_SECONDS_MAX`; return whether there is."""
        self._pause = False
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while self._look() and time.monotonic() < deadline:
            await asyncio.sleep(WAIT_STEP_SECONDS)
        if self.is_full and time.monotonic() >= self._collect_at:
            # What a rebalance dropped may lie in cycles, and a worker collects these rarely.
            self._collect_at = time.monotonic() + COLLECT_SECONDS
            gc.collect()
        return not self._look()

    def _look(self) -> bool:
        while self._returned:
            self._given_back += self._returned.popleft()
        return self.is_full


class Held:
    """A place in a `Hand`, for as long as somebody keeps it."""

    __slots__ = ("_returned", "_size")

    def __init__(self, size: int, returned: deque[int]) -> None:
        self._size = size
        self._returned = returned

    def __del__(self) -> None:
        self._returned.append(self._size)


class CoveredBatch(msgspec.Struct, frozen=True):
    """A batch and the offset from which it covers the log: what lies between `start` and its first record holds no event.

    `problem` tells why counting cannot go on behind it.
    """

    start: int
    batch: Batch
    held: Held | None = None
    problem: StateError | None = None


class FetchedRecords:
    """A fetch response of one partition, as `Fetcher` asks it: is there a batch, is there anything."""

    def __init__(self, response: bytes) -> None:
        self.response = response

    def has_next(self) -> bool:
        """Whether it holds a whole batch, or one that stops counting."""
        try:
            return next(split(self.response), None) is not None
        except StateError:
            return True

    def size_in_bytes(self) -> int:
        """Of the whole response."""
        return len(self.response)


class BatchRecords(fetcher.PartitionRecords):
    """A fetch response of one partition, iterated batch by batch."""

    hand: ClassVar[Hand]
    damages: ClassVar[Damages] = Damages()
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[CoveredBatch]:
        start: int = self.next_fetch_offset
        last: RawBatch | None = None
        try:
            for raw in split(self._records.response):
                if raw.end <= self.next_fetch_offset:
                    continue
                whole = raw.is_whole
                if not whole and not self.damages.is_for_good(self._tp, raw.start):
                    return  # what follows is fetched again, from here
                last = raw
                if raw.is_control:
                    self.next_fetch_offset = raw.end
                    continue
                if not raw.is_stamped_by_broker:
                    raise _stamped_by_sender(self._tp, raw.start)
                yield self._cover(start, raw, whole)  # and keep nothing of it while others work
                start = raw.end
        except StateError as problem:
            # `next_fetch_offset` stays: a worker that goes on nevertheless comes here again.
            at = self.next_fetch_offset
            yield CoveredBatch(start, Batch(last.append_ms if last else 0, (), (), (), at), None, problem)
            return
        if last is not None and self.next_fetch_offset > start:
            # Markers at the end of the response: say that they were covered.
            yield CoveredBatch(start, Batch(last.append_ms, (), (), (), self.next_fetch_offset))

    def _cover(self, start: int, raw: RawBatch, whole: bool) -> CoveredBatch:
        batch, size = self._read(raw, whole)
        self.next_fetch_offset = raw.end
        return CoveredBatch(start, batch, self.hand.take(size))

    def _read(self, raw: RawBatch, whole: bool) -> tuple[Batch, int]:
        """The batch from `next_fetch_offset` on, and what it takes in bytes."""
        first = self.next_fetch_offset
        try:
            if not whole:
                raise UnreadError(Reason.CORRUPT)
            unpacked = self.hand.unpacker.unpack(raw) if raw.number else None
            batch = Batch(raw.append_ms, (), (), (), raw.end) if unpacked is None else _read_batch(raw, unpacked, first)
        except UnreadError as error:
            number = raw.records_from(first)
            log.error(
                "%s: the %d records from offset %d on cannot be read, and are rejected as %s",
                self._tp,
                number,
                first,
                error.reason.value,
            )
            self.hand.pause()
            return Batch(raw.append_ms, (), (), (), raw.end, number, error.reason), 0
        return batch, RECORD_BYTES * raw.number + (0 if unpacked is None else len(unpacked))


def _read_batch(raw: RawBatch, unpacked: memoryview, first_wanted: int) -> Batch:
    values: list[bytes | None] = []
    keys: list[bytes | None] = []
    offsets: list[int] = []
    try:
        for record in DefaultRecordBatch(unpacked):  # one loop, no list of records: half the time
            values.append(record.value)
            keys.append(record.key)
            offsets.append(record.offset)
    except (CorruptRecordException, ValueError):  # names of headers that are not UTF-8 are ValueErrors
        found = read_records(raw, unpacked)
        values, keys, offsets = [r.value for r in found], [r.key for r in found], [r.offset for r in found]
    if not raw.covers(offsets):
        raise UnreadError(Reason.CORRUPT)
    batch = Batch(raw.append_ms, values, keys, offsets, raw.end)
    # Kafka returns whole batches: the head may be below what was asked for.
    return between([batch], first_wanted)[0] if offsets and offsets[0] < first_wanted else batch


def _stamped_by_sender(partition: Any, offset: int) -> StateError:
    return StateError(
        f"{partition.topic}, partition {partition.partition}: from offset {offset} on, batches are stamped by their senders' clocks "
        "(message.timestamp.type is CreateTime), not by the broker: nobody knows when they came. Nothing from there on was counted. "
        "Set the topic back to LogAppendTime (`vigie check` says how), then remove what came meanwhile (kafka-delete-records; it is "
        "counted as lost), and start the workers"
    )


class BoundedResult(fetcher.FetchResult):
    """A fetch response on its way to whoever reads, piece by piece where a piece fills the hand."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[CoveredBatch]:
        """What can be had of it now; the rest stays where it is."""
        del max_records  # a worker reads all that was fetched
        if BatchRecords.hand.is_full or not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        found: list[CoveredBatch] = []
        for covered in self._partition_records:
            found.append(covered)
            if BatchRecords.hand.is_full:
                self._update_position()
                return found
        self._update_position()
        self._partition_records = None
        return found


def use_raw_batches(unpacked_bytes_max: int) -> None:
    """Make every aiokafka consumer of this process deliver batches that unpack to at most `unpacked_bytes_max`.

    Raises:
        ServerError: another version of aiokafka is installed.
    """
    if aiokafka.__version__ != KNOWN_VERSION:
        raise ServerError(
            f"aiokafka {aiokafka.__version__} is installed, of which Vigie does not know how it unpacks: install "
            f"aiokafka=={KNOWN_VERSION}, as the locked requirements say"
        )
    BatchRecords.hand = Hand(Unpacker(unpacked_bytes_max))
    fetcher.MemoryRecords = FetchedRecords
    fetcher.PartitionRecords = BatchRecords
    fetcher.FetchResult = BoundedResult
