"""From which offset on does a log hold what was appended since a time? Found by bisection over the headers of its batches.

Not asked from Kafka: to answer, a broker unpacks the batch at which it looks, values and all, in its own memory. One message that unpacks
to a gigabyte ends it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import OffsetOutOfRangeError

from streams.broker import KafkaAddress
from streams.connecting import open_consumer
from streams.errors import KafkaUnavailable
from streams.record_batches import split

#: Brokers hand leadership to others whose clocks are behind by at most this.
CLOCKS_APART_MS = 60_000
#: Reading may begin so many offsets too early: the last steps of a bisection are not worth their round trips.
OFFSETS_EARLY_MAX = 1000
SILENCE_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Appended:
    """The header of a batch. `offset` is its last one, by which kafka-python knows what it returned."""

    start: int
    offset: int
    append_ms: int


class FetchedHeaders(Fetcher.PartitionRecords):  # type: ignore[misc]
    """A fetch response of one partition: its first batch's header, and nothing unpacked."""

    next_fetch_offset: int

    def _unpack_records(self, _tp: Any, records: Any, *_deserializers: Any) -> Iterator[Appended]:
        for raw in split(records._buffer):
            self.next_fetch_offset = raw.end
            yield Appended(raw.start, raw.end - 1, raw.append_ms)
            break
        self.drain()


def bisect_log(start: int, end: int, since_ms: int, look: Callable[[int], Appended | None]) -> int:
    """Return an offset from which on everything lies that was appended at `since_ms` or later, at most `OFFSETS_EARLY_MAX` too early.

    `look(offset)` returns the first batch that reaches beyond an offset; None where retention has removed it.
    """
    low, high = start, end
    while high - low > OFFSETS_EARLY_MAX:
        middle = (low + high) // 2
        found = look(middle)
        if found is None:
            low = middle + 1
        elif found.append_ms >= since_ms:
            high = min(middle, found.start)
        else:
            low = found.offset + 1
    return max(low, start)


def offsets_since(address: KafkaAddress, topic: str, since_ms: Mapping[int, int]) -> dict[int, int]:
    """Return, of each of these partitions, where to begin for what the broker took at that time (epoch ms) or later.

    What was taken before may come first: at most a minute of it, for clocks that differ, and `OFFSETS_EARLY_MAX` records.

    Raises:
        KafkaUnavailable: Kafka does not answer.
    """
    # One batch at a time: Kafka sends the first one whole.
    with open_consumer(address, max_partition_fetch_bytes=1, fetch_max_wait_ms=10) as consumer:
        consumer._fetcher.PartitionRecords = FetchedHeaders
        partitions = [TopicPartition(topic, number) for number in since_ms]
        starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        found = {}
        for tp in partitions:
            consumer.assign([tp])
            look = _looking(address, consumer, tp)
            found[tp.partition] = bisect_log(starts[tp], ends[tp], since_ms[tp.partition] - CLOCKS_APART_MS, look)
        return found


def _looking(address: KafkaAddress, consumer: Any, tp: TopicPartition) -> Callable[[int], Appended | None]:
    def look(offset: int) -> Appended | None:
        consumer.seek(tp, offset)
        deadline = time.monotonic() + SILENCE_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                found: list[Appended] = consumer.poll(timeout_ms=500, max_records=1).get(tp, [])
            except OffsetOutOfRangeError:
                return None
            if found:
                return found[0]
        raise KafkaUnavailable(
            f"Kafka at {','.join(address.bootstrap_servers)} sends nothing of {tp.topic} for {SILENCE_SECONDS_MAX:g} s: see its log"
        )

    return look
