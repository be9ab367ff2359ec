"""Reads a topic from its beginning up to given offsets. A plain consumer: no group, no commit, no counting."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from streams.append_times import offsets_since
from streams.audit.fetched import FetchedPiece, Unread, read_in_pieces
from streams.broker import KafkaAddress
from streams.connecting import connecting
from streams.errors import ServerError, StateError

BOOTSTRAP_SECONDS_MAX = 8.0
#: How long Kafka may send nothing while there is something to read.
SILENCE_SECONDS_MAX = 30.0


class LogReader:
    """One reading of a topic. `starts` and `ends` are the offsets of the log by partition, as of the opening."""

    def __init__(
        self, address: KafkaAddress, consumer: Any, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> None:
        self._address = address
        self._consumer = consumer
        self._topic = topic
        self.starts = starts
        self.ends = ends

    def offsets_since(self, since_ms: int) -> dict[int, int]:
        """Return, of each partition, where to begin for what the broker took at `since_ms` or later; a little of before may come first."""
        found = offsets_since(self._address, self._topic, dict.fromkeys(self.ends, since_ms))
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
        consumer = self._consumer
        starts = {p: max(start, (since or {}).get(p, start)) for p, start in self.starts.items()}
        left = {TopicPartition(self._topic, p): end for p, end in until.items() if starts[p] < end}
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
                    f"Retention removed records of {self._topic} while they were read: start again"
                ) from error
            for tp, pieces in found.items():
                end = left.get(tp)
                if end is not None:
                    for piece in pieces:
                        yield tp.partition, _until(piece, end)
                heard = time.monotonic()  # the caller may have taken its time
            # The position, not the last record: what ends a log may be no record (a compacted or a control batch).
            for tp in [tp for tp, end in left.items() if consumer.position(tp) >= end]:
                del left[tp]
                consumer.pause(tp)
            if time.monotonic() - heard > SILENCE_SECONDS_MAX:
                raise ServerError(
                    f"Kafka sends nothing of {self._topic} for {SILENCE_SECONDS_MAX:g} s: see its log, then try again"
                )

    def _check(self, until: Mapping[int, int]) -> None:
        for partition, end in sorted(until.items()):
            if partition not in self.ends:
                raise StateError(
                    f"Redis counts partition {partition} of {self._topic}, which Kafka does not have: another topic?"
                )
            if end > self.ends[partition]:
                raise StateError(
                    f"Redis stands at offset {end} of partition {partition} of {self._topic}, Kafka's log ends at "
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
    with connecting(address) as client:
        consumer = KafkaConsumer(
            **address.client_options(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=int(BOOTSTRAP_SECONDS_MAX * 1000),
            max_partition_fetch_bytes=4 << 20,
            metrics_enabled=False,
            kafka_client=client,
        )
    try:
        read_in_pieces(consumer, address.unpacked_bytes_max)
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise ServerError(f"Kafka has no topic {topic!r}: `vigie check` creates it, or set another topic")
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        starts = {tp.partition: offset for tp, offset in consumer.beginning_offsets(partitions).items()}
        ends = {tp.partition: offset for tp, offset in consumer.end_offsets(partitions).items()}
        yield LogReader(address, consumer, topic, starts, ends)
    except KafkaError as error:
        raise address.explain(error) from error
    finally:
        consumer.close()
