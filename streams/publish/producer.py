"""The kafka-python producer, opened and ended as Vigie needs it. What was read in the source of 3.0.12 is said where it matters.

All of a visitor's events must lie in one partition, whoever publishes them. So the placement is part of the contract: murmur2 of the key,
as Java's clients place it. kafka-python's own murmur2 takes 14 us for a 64-character key, as much as the rest of sending an event. Here a
key is hashed once while it is remembered.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.partitioner import DefaultPartitioner

from streams.broker import KafkaAddress
from streams.connecting import connecting
from streams.errors import ServerError
from streams.publish.outbox import RECORD_BYTES_MAX, PublisherLimits

#: Keys remembered: visitors of about the last minutes of a busy publisher, some 10 MB.
KEYS_REMEMBERED = 65_536
_M = 0x5BD1E995
_MASK = 0xFFFF_FFFF
_UNPACK: list[Callable[[bytes], tuple[int, ...]]] = [struct.Struct(f"<{words}I").unpack_from for words in range(33)]


def murmur2(data: bytes) -> int:
    """Return the unsigned 32-bit murmur2 of Kafka's clients; equal to `kafka.partitioner.murmur2`, which tests hold it to."""
    length = len(data)
    words = length >> 2
    unpack = _UNPACK[words] if words < len(_UNPACK) else struct.Struct(f"<{words}I").unpack_from
    h = 0x9747B28C ^ length
    for k in unpack(data):
        k = k * _M & _MASK
        h = (h * _M ^ (k ^ k >> 24) * _M) & _MASK
    if length & 3:
        h = (h ^ int.from_bytes(data[words << 2 :], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


_remembered = lru_cache(KEYS_REMEMBERED)(murmur2)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key in a topic of so many partitions, which are numbered from 0 without a hole."""
    return (_remembered(key) & 0x7FFF_FFFF) % partitions


class VisitorPartitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python has no types
    """murmur2 for records with a key; records without one are spread at random, as kafka-python does."""

    def partition(self, topic: str, key: Any, serialized_key: bytes | None, *rest: Any) -> int:
        """Return the partition of a record; called by the producer, `rest` is the value, the serialized value and the cluster."""
        if serialized_key is None:
            return int(super().partition(topic, key, None, *rest))
        return partition_of(serialized_key, len(rest[-1].partitions_for_topic(topic)))


#: How long Kafka, once it answers, may take to know the topic.
METADATA_SECONDS_MAX = 2.0
#: How long an answer may take before the request is sent again (idempotent: Kafka knows it).
REQUEST_SECONDS_MAX = 30.0
#: How long ending the producer's thread may take once nothing is pending.
ABANDON_SECONDS_MAX = 5.0
#: Reconnect this often at least: the default of 30 s would keep events waiting long after Kafka is back.
RECONNECT_BACKOFF_MS_MAX = 1_000


def open_producer(address: KafkaAddress, topic: str, limits: PublisherLimits) -> Any:
    """Connect and see that the topic exists.

    Raises:
        ServerError: Kafka is down, refuses us, or does not have the topic.
    """
    delivery_ms = int(limits.delivery_seconds_max * 1000)
    with connecting(address) as client:
        producer = KafkaProducer(
            **address.client_options(),
            acks="all",
            enable_idempotence=True,
            partitioner=VisitorPartitioner(),
            compression_type="lz4",
            linger_ms=limits.linger_ms,
            batch_size=limits.batch_bytes,
            max_request_size=RECORD_BYTES_MAX,
            delivery_timeout_ms=delivery_ms,
            request_timeout_ms=min(int(REQUEST_SECONDS_MAX * 1000), delivery_ms // 2),
            max_block_ms=int(METADATA_SECONDS_MAX * 1000),
            bootstrap_timeout_ms=int(limits.connect_seconds_max * 1000),
            reconnect_backoff_max_ms=RECONNECT_BACKOFF_MS_MAX,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            kafka_client=client,
        )
    try:
        producer.partitions_for(topic)
    except KafkaError as error:
        producer.close(timeout=ABANDON_SECONDS_MAX)
        if not isinstance(error, KafkaTimeoutError):
            raise address.explain(error) from error
        servers = ",".join(address.bootstrap_servers)
        raise ServerError(
            f"Kafka at {servers} has no topic {topic!r}: `vigie check` creates it, or set another topic"
        ) from error
    return producer


class KafkaSender:
    """A producer that is connected to one topic; used by one thread.

    Raises:
        ServerError: as `open_producer`.
    """

    #: The producer is idempotent: Kafka holds nothing twice that it sends again.
    resent = 0

    def __init__(self, address: KafkaAddress, topic: str, limits: PublisherLimits) -> None:
        self._address = address
        self._topic = topic
        self._producer = open_producer(address, topic, limits)

    def send(self, value: bytes, key: bytes | None) -> Any:
        """Hand one record to the producer; return the future of its confirmation.

        Raises:
            MessageSizeTooLargeError: it is no record for Kafka.
            ServerError: the producer takes none now.
        """
        try:
            return self._producer.send(self._topic, value, key)
        except MessageSizeTooLargeError:
            raise
        except KafkaError as error:
            raise self._address.explain(error) from error

    def work(self) -> None:
        """Nothing: the producer has a thread of its own."""

    def leave_to_parent(self) -> None:
        """In the child of a fork: never touch the producer again, also not at the end of the process. Its connections are the parent's."""
        self._producer._unregister_cleanup()
        self._producer._closed = True

    def close(self, *, abandon: bool) -> None:
        """End the producer; `abandon` fails what is pending, at once."""
        if abandon:
            # `KafkaProducer.close(timeout)` raises and leaves the producer running when a batch is not confirmed in time, so its thread is
            # told directly. kafka-python is pinned below 4 and a test holds this.
            self._producer._sender.force_close()
            self._producer._sender.join(ABANDON_SECONDS_MAX)
        self._producer.close(timeout=ABANDON_SECONDS_MAX)
