"""From settings to the plain values that the rooms receive. Used by process entry points only: commands, worker, observer."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from streams.addresses import CollectorAddress, is_loopback
from streams.broker import KafkaAddress
from streams.errors import InputError, SettingsError
from streams.events import EventBounds
from streams.settings import Settings, refuse_stopped_stack

if TYPE_CHECKING:  # imported where they are made: `vigie publish` needs neither Redis's client nor Kafka's admin
    from streams.access import Lock
    from streams.live.connection import RedisAddress
    from streams.topics import TopicDesign
    from streams.web import TlsFiles


def kafka_address(settings: Settings) -> KafkaAddress:
    """Where Kafka is.

    Raises:
        SettingsError: only the defaults say so, and a stack that was named does not run.
    """
    refuse_stopped_stack(settings, "kafka_bootstrap_servers")
    sasl = settings.kafka_security_protocol.startswith("SASL")
    return KafkaAddress(
        bootstrap_servers=tuple(settings.kafka_bootstrap_servers.split(",")),
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism if sasl else None,
        sasl_username=settings.kafka_sasl_username if sasl else None,
        sasl_password=_secret(settings.kafka_sasl_password) if sasl else None,
        oauth_token_url=settings.kafka_oauth_token_url,
        oauth_scope=settings.kafka_oauth_scope,
        ssl_cafile=_path(settings.kafka_ssl_cafile),
        ssl_certfile=_path(settings.kafka_ssl_certfile),
        ssl_keyfile=_path(settings.kafka_ssl_keyfile),
        unpacked_bytes_max=settings.unpacked_mib_max << 20,
    )


def publish_address(settings: Settings) -> KafkaAddress | CollectorAddress:
    """Where events are published: to a collector where one is named, else to Kafka.

    Raises:
        SettingsError: as `kafka_address`, or the collector's address or token cannot be used.
    """
    if settings.publish_url is None:
        return kafka_address(settings)
    try:
        return CollectorAddress(
            settings.publish_url, _secret(settings.publish_token) or "", _path(settings.publish_cafile)
        )
    except InputError as error:
        raise SettingsError(f"publish_url, publish_token: {error}") from None


def redis_address(settings: Settings) -> RedisAddress:
    """Where Redis is.

    Raises:
        SettingsError: as above.
    """
    from streams.live.connection import RedisAddress

    refuse_stopped_stack(settings, "redis_url")
    return RedisAddress(
        url=settings.redis_url,
        username=settings.redis_username,
        password=_secret(settings.redis_password),
        tls_ca_file=_path(settings.redis_tls_ca_file),
        tls_cert_file=_path(settings.redis_tls_cert_file),
        tls_key_file=_path(settings.redis_tls_key_file),
        sentinel_username=settings.redis_sentinel_username,
        sentinel_password=_secret(settings.redis_sentinel_password),
    )


def event_bounds(settings: Settings) -> EventBounds:
    """What an event may hold."""
    return EventBounds(settings.max_ahead_seconds * 1000, settings.max_age_hours * 3_600_000, settings.pseudonyms_only)


def http_tls(settings: Settings, name: str) -> TlsFiles | None:
    """What the `observer`, the `collector` or a `worker` shows over TLS; None: it speaks plain HTTP.

    Raises:
        SettingsError: the files cannot be used; or it would speak plain HTTP to other machines.
    """
    from streams.web import TlsFiles

    if settings.tls_certfile is not None and settings.tls_keyfile is not None:
        return TlsFiles(settings.tls_certfile, settings.tls_keyfile)
    host = getattr(settings, f"{name}_host")
    if not settings.tls_by_proxy and not is_loopback(host):
        raise SettingsError(
            f"{name}_host {host} is reached from other machines, and tokens would travel in the clear: set tls_certfile and tls_keyfile; "
            "or tls_by_proxy=true where a proxy in front speaks TLS and nobody else reaches this port"
        )
    return None


def http_lock(settings: Settings, name: str) -> Lock | None:
    """What opens the `observer`, the `collector` or a `worker`; None: whoever reaches it may look, since it listens on this machine alone.

    Raises:
        SettingsError: others reach it, and nothing says who may look; or the tokens cannot be read.
    """
    from streams.access import Lock, TokenBook

    host = getattr(settings, f"{name}_host")
    if settings.access_control == "auto" and is_loopback(host):
        return None
    if settings.tokens_file is None and settings.proxy_secret is None:
        raise SettingsError(
            f"{name}_host {host} is reached from other machines, and nothing says who may look: set tokens_file (`vigie token new --scope "
            f"read` makes the first), or proxy_address and proxy_secret where a proxy says who looks; {name}_host=127.0.0.1 keeps it to "
            "this machine"
        )
    return Lock(
        book=None if settings.tokens_file is None else TokenBook(settings.tokens_file),
        session_secret=_secret(settings.session_secret) or secrets.token_hex(32),
        proxy_address=settings.proxy_address,
        proxy_secret=_secret(settings.proxy_secret),
    )


def topic_designs(settings: Settings) -> list[TopicDesign]:
    """The events topic, then the dead-letter topic."""
    from streams.topics import TopicDesign

    return [
        TopicDesign(
            name=name,
            partitions=settings.topic_partitions,
            replication_factor=settings.topic_replication_factor,
            min_insync_replicas=settings.topic_min_insync_replicas,
            retention_hours=settings.topic_retention_hours,
            partition_bytes_max=bytes_max,
            retention_hours_max=hours_max,
        )
        for name, bytes_max, hours_max in (
            (settings.topic, None, settings.topic_retention_hours_max),
            (settings.rejected_topic, settings.rejected_topic_mib_max << 20, settings.rejected_retention_hours_max),
        )
    ]


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def _path(value: Path | None) -> str | None:
    return str(value) if value else None
