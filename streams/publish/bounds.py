"""Every bound of a publisher, in one value."""

from __future__ import annotations

from dataclasses import dataclass

#: Kafka's own limit of one record; the broker's `message.max.bytes` is a little above it.
RECORD_BYTES_MAX = 1_048_576
#: At most so many of them are the record's own frame.
RECORD_OVERHEAD_BYTES = 128


@dataclass(frozen=True, slots=True)
class PublisherLimits:
    """`block_seconds_max` is how long a call may wait for room in a full buffer: not at all, so that a portal never waits.

    `connect_seconds_max` is how long one attempt to connect may take. `delivery_seconds_max` is how long a taken event may wait for Kafka
    before it has failed: with the buffer it decides how long an outage may last before the ENT has to act.
    """

    buffer_events_max: int = 50_000
    buffer_bytes_max: int = 64 * 1024 * 1024
    block_seconds_max: float = 0.0
    connect_seconds_max: float = 10.0
    delivery_seconds_max: float = 120.0
    linger_ms: int = 30
    batch_bytes: int = 131_072
