"""What settings must be together, beside what each must be by itself; and how problems are told. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from streams.addresses import is_loopback

if TYPE_CHECKING:
    from streams.settings import Settings


def problems_together(settings: Settings) -> list[str]:
    """Return what does not go together, all of it, each with what to do."""
    return [*_of_kafka(settings), *_of_tls(settings), *_of_topics(settings)]


def _of_kafka(settings: Settings) -> Iterator[str]:
    protocol = settings.kafka_security_protocol
    if protocol.startswith("SASL"):
        for name in ("kafka_sasl_username", "kafka_sasl_password"):
            if getattr(settings, name) is None:
                yield f"{name} is needed with kafka_security_protocol={protocol}"
    oauth = protocol.startswith("SASL") and settings.kafka_sasl_mechanism == "OAUTHBEARER"
    if oauth and settings.kafka_oauth_token_url is None:
        yield "kafka_oauth_token_url is needed with kafka_sasl_mechanism=OAUTHBEARER"
    try:
        url = urlsplit(settings.kafka_oauth_token_url or "")
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            yield "kafka_oauth_token_url is http://: the client's secret would travel in the clear, write https://"
    except ValueError as error:
        yield f"kafka_oauth_token_url is no address: {error}"
    for name in ("kafka_oauth_token_url", "kafka_oauth_scope"):
        if getattr(settings, name) is not None and not oauth:
            yield f"{name} is of no use without kafka_security_protocol=SASL_SSL and kafka_sasl_mechanism=OAUTHBEARER"
    if (settings.kafka_ssl_certfile is None) != (settings.kafka_ssl_keyfile is None):
        yield "kafka_ssl_certfile and kafka_ssl_keyfile go together"
    for name in ("kafka_ssl_cafile", "kafka_ssl_certfile"):
        if getattr(settings, name) is not None and not protocol.endswith("SSL"):
            yield f"{name} is of no use with kafka_security_protocol={protocol}: nothing is encrypted"


def _of_tls(settings: Settings) -> Iterator[str]:
    scheme = settings.redis_url.partition(":")[0]
    with_tls = "rediss+sentinel://" if scheme.endswith("+sentinel") else "rediss://"
    if (settings.redis_tls_cert_file is None) != (settings.redis_tls_key_file is None):
        yield "redis_tls_cert_file and redis_tls_key_file go together"
    for name in ("redis_tls_ca_file", "redis_tls_cert_file"):
        if getattr(settings, name) is not None and not scheme.startswith("rediss"):
            yield f"{name} is of no use with a redis_url of {scheme}://: write {with_tls} for TLS, or leave it out"
    for name in ("redis_sentinel_username", "redis_sentinel_password"):
        if getattr(settings, name) is not None and not scheme.endswith("+sentinel"):
            yield f"{name} is of no use with a redis_url of {scheme}://, which asks no sentinel: leave it out"
    if (settings.tls_certfile is None) != (settings.tls_keyfile is None):
        yield "tls_certfile and tls_keyfile go together"
    if (settings.proxy_address is None) != (settings.proxy_secret is None):
        yield "proxy_address and proxy_secret go together: without the secret anybody of that address could name anybody"
    if settings.tls_certfile is not None and settings.tls_by_proxy:
        yield "tls_by_proxy says that a proxy speaks TLS, tls_certfile that this process does: unset one"


def _of_topics(settings: Settings) -> Iterator[str]:
    if settings.topic == settings.rejected_topic:
        yield "topic and rejected_topic must differ"
    for name in ("topic_retention_hours_max", "rejected_retention_hours_max"):
        if getattr(settings, name) < settings.topic_retention_hours:
            yield f"{name} is below topic_retention_hours, which topics must keep at least: lower that, or raise this"
    if settings.topic_min_insync_replicas > settings.topic_replication_factor:
        yield "topic_min_insync_replicas cannot exceed topic_replication_factor"
    if settings.max_age_hours > settings.minutes_kept_hours:
        yield "minutes_kept_hours must be at least max_age_hours, or late events would be trimmed at once"


def problem_of(item: Any) -> str:
    """One problem that pydantic found, in a line."""
    where = ".".join(str(part) for part in item["loc"])
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text


def report_of(lines: list[str]) -> str:
    """All problems, and where settings are set."""
    count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''} in the settings"
    hint = "Set each as VIGIE_<NAME> in the environment or as <name> in vigie.toml; docs/operations.md lists them."
    return "\n".join([f"{count}:", *(f"  - {line}" for line in lines), hint])
