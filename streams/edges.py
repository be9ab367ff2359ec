"""From settings to the plain values that the rooms receive. Used by process entry points only: commands, worker, observer."""

from __future__ import annotations

from streams.broker import KafkaAddress
from streams.events import TimeBounds
from streams.live.connection import RedisAddress
from streams.settings import Settings, refuse_stopped_stack
from streams.topics import TopicDesign


def kafka_address(settings: Settings) -> KafkaAddress:
    """Where Kafka is.

    Raises:
        SettingsError: only the defaults say so, and a stack that was named does not run.
    """
    refuse_stopped_stack(settings, "kafka_bootstrap_servers")
    return KafkaAddress.from_settings(settings)


def redis_address(settings: Settings) -> RedisAddress:
    """Where Redis is.

    Raises:
        SettingsError: as above.
    """
    refuse_stopped_stack(settings, "redis_url")
    password = settings.redis_password
    return RedisAddress(
        url=settings.redis_url,
        username=settings.redis_username,
        password=password.get_secret_value() if password else None,
        tls_ca_file=str(settings.redis_tls_ca_file) if settings.redis_tls_ca_file else None,
    )


def time_bounds(settings: Settings) -> TimeBounds:
    """How far `ts` may lie from the append time."""
    return TimeBounds(settings.max_ahead_seconds * 1000, settings.max_age_hours * 3_600_000)


def topic_designs(settings: Settings) -> list[TopicDesign]:
    """The events topic, then the dead-letter topic."""
    return [
        TopicDesign(
            name=name,
            partitions=settings.topic_partitions,
            replication_factor=settings.topic_replication_factor,
            min_insync_replicas=settings.topic_min_insync_replicas,
            retention_hours=settings.topic_retention_hours,
        )
        for name in (settings.topic, settings.rejected_topic)
    ]
