"""What a worker is told at its start: plain values, no settings object."""

from dataclasses import dataclass

from streams.broker import KafkaAddress
from streams.events import EventBounds
from streams.ingest.health import HealthAddress
from streams.live.connection import RedisAddress
from streams.live.unseen import KEPT_MS
from streams.topics import TopicDesign


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Addresses, topics (events, then dead letters), limits and the address of `/metrics` and `/readyz`."""

    kafka: KafkaAddress
    redis: RedisAddress
    redis_prefix: str
    topics: tuple[TopicDesign, TopicDesign]
    group: str
    bounds: EventBounds
    lateness_ms: int
    shift_seconds: int
    apply_seconds: float
    rejects_kept_per_minute: int
    rejects_kept_bytes_per_minute: int
    http: HealthAddress
    log_level: str
    #: Without an answer of Redis for so long the worker is no longer alive; 0: it always is.
    alive_without_redis_seconds: int = 0
    log_format: str = "text"
    #: How long Kafka waits for a worker that is silent.
    session_seconds: int = 12
    #: A value that no list knows is forgotten once it did not come for so long.
    unseen_kept_ms: int = KEPT_MS
