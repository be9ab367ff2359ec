"""What is wrong with settings, beside what each must be by itself: together, and in the environment; and how problems are told.

Kubernetes sets variables for each Service beside a pod: one named `vigie-worker` gives `VIGIE_WORKER_PORT=tcp://10.0.0.7:8001`. Manifests
should say `enableServiceLinks: false`; where they do not, nobody has to find out why.

Secrets may be in files, as container platforms and systemd (`LoadCredential=`) hand them on: the setting `<name>_file` names one. A file
keeps a secret out of the environment, which every child process and every crash report of a process gets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic_settings import EnvSettingsSource

from streams.addresses import check_http_url, is_loopback

if TYPE_CHECKING:
    from streams.settings import Settings


def problems_together(settings: Settings) -> list[str]:
    """Return what does not go together, all of it, each with what to do."""
    return [text for is_wrong, text in (*_of_kafka(settings), *_of_tls(settings), *_of_topics(settings)) if is_wrong]


def _of_kafka(settings: Settings) -> Iterator[tuple[bool, str]]:
    protocol, token_url = settings.kafka_security_protocol, settings.kafka_oauth_token_url
    has_login = protocol.startswith("SASL")
    oauth = has_login and settings.kafka_sasl_mechanism == "OAUTHBEARER"
    for name in ("kafka_sasl_username", "kafka_sasl_password"):
        yield has_login and not _is_set(settings, name), f"{name} is needed with kafka_security_protocol={protocol}"
    yield (
        oauth and token_url is None,
        "kafka_oauth_token_url is needed with kafka_sasl_mechanism=OAUTHBEARER",
    )
    try:
        if token_url is not None:
            check_http_url(token_url)
        url = urlsplit(token_url or "")
        yield (
            url.scheme == "http" and not is_loopback(url.hostname or ""),
            "kafka_oauth_token_url is http://: the client's secret would travel in the clear, write https://",
        )
    except ValueError as error:
        yield True, f"kafka_oauth_token_url is no address: {error}"
    for name in ("kafka_oauth_token_url", "kafka_oauth_scope"):
        yield (
            _is_set(settings, name) and not oauth,
            f"{name} is of no use without kafka_security_protocol=SASL_SSL and kafka_sasl_mechanism=OAUTHBEARER",
        )
    yield _together(settings, "kafka_ssl_certfile", "kafka_ssl_keyfile")
    for name in ("kafka_ssl_cafile", "kafka_ssl_certfile"):
        yield (
            _is_set(settings, name) and not protocol.endswith("SSL"),
            f"{name} is of no use with kafka_security_protocol={protocol}: nothing is encrypted",
        )


def _of_tls(settings: Settings) -> Iterator[tuple[bool, str]]:
    scheme = settings.redis_url.partition(":")[0]
    asks_sentinels = scheme.endswith("+sentinel")
    with_tls = "rediss+sentinel://" if asks_sentinels else "rediss://"
    yield _together(settings, "redis_tls_cert_file", "redis_tls_key_file")
    for name in ("redis_tls_ca_file", "redis_tls_cert_file"):
        yield (
            _is_set(settings, name) and not scheme.startswith("rediss"),
            f"{name} is of no use with a redis_url of {scheme}://: write {with_tls} for TLS, or leave it out",
        )
    for name in ("redis_sentinel_username", "redis_sentinel_password"):
        yield (
            _is_set(settings, name) and not asks_sentinels,
            f"{name} is of no use with a redis_url of {scheme}://, which asks no sentinel: leave it out",
        )
    yield _together(settings, "tls_certfile", "tls_keyfile")
    half, text = _together(settings, "proxy_address", "proxy_secret")
    yield half, f"{text}: without the secret anybody of that address could name anybody"
    yield (
        settings.tls_certfile is not None and settings.tls_by_proxy,
        "tls_by_proxy says that a proxy speaks TLS, tls_certfile that this process does: unset one",
    )


def _of_topics(settings: Settings) -> Iterator[tuple[bool, str]]:
    yield settings.topic == settings.rejected_topic, "topic and rejected_topic must differ"
    for name in ("topic_retention_hours_max", "rejected_retention_hours_max"):
        yield (
            getattr(settings, name) < settings.topic_retention_hours,
            f"{name} is below topic_retention_hours, which topics must keep at least: lower that, or raise this",
        )
    yield (
        settings.topic_min_insync_replicas > settings.topic_replication_factor,
        "topic_min_insync_replicas cannot exceed topic_replication_factor",
    )
    yield (
        settings.max_age_hours > settings.minutes_kept_hours,
        "minutes_kept_hours must be at least max_age_hours, or late events would be trimmed at once",
    )


def _is_set(settings: Settings, name: str) -> bool:
    return getattr(settings, name) is not None


def _together(settings: Settings, one: str, other: str) -> tuple[bool, str]:
    return _is_set(settings, one) != _is_set(settings, other), f"{one} and {other} go together"


def problem_of(item: Any) -> str:
    """One problem that pydantic found, in a line."""
    where = ".".join(str(part) for part in item["loc"])
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text


def report_of(lines: list[str]) -> str:
    """All problems, and where settings are set."""
    head = f"{len(lines)} problem{'s' if len(lines) > 1 else ''} in the settings:"
    hint = "Set each as VIGIE_<NAME> in the environment or as <name> in vigie.toml; docs/operations.md lists them."
    return "\n".join([head, *(f"  - {line}" for line in lines), hint])


_HOST = re.compile(r"(VIGIE(?:_[A-Z0-9_]+)?)_SERVICE_HOST")
#: What else a Service named so gives; the plain port only where it is an URL, since it may be somebody's setting.
_OTHERS = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
_URL = re.compile(r"(tcp|udp|sctp)://")


def service_links(environment: Mapping[str, str]) -> frozenset[str]:
    """The names of variables of `environment` that Services have set: those of a family that has both a host and a port."""
    found = set()
    for name in environment:
        told = _HOST.fullmatch(name)
        if told is None or f"{told[1]}_SERVICE_PORT" not in environment:
            continue
        found |= {
            other for other in environment if other.startswith(told[1]) and _OTHERS.fullmatch(other[len(told[1]) :])
        }
        if _URL.match(environment.get(f"{told[1]}_PORT", "")):
            found.add(f"{told[1]}_PORT")
    return frozenset(found)


class OwnVariables(EnvSettingsSource):
    """The variables that somebody set; those of Kubernetes' Services are none."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        links = service_links(os.environ)
        return {name: value for name, value in super()._load_env_vars().items() if name.upper() not in links}


def unknown_variables(known: Collection[str]) -> list[str]:
    """Say of each variable that begins as ours and is not one of `known` what is wrong with it."""
    links = service_links(os.environ)
    ours = [name for name in sorted(os.environ) if name.upper().startswith("VIGIE_") and name not in links]
    return [
        f"{name}: write {name.upper()}"
        if name != name.upper()
        else f"{name}: no such setting (a typing error would be ignored silently otherwise)"
        for name in ours
        if name != name.upper() or (name not in known and not name.startswith("VIGIE_SECRET"))
    ]


#: The settings that may be in a file.
SECRET_NAMES = ("kafka_sasl_password", "redis_password", "redis_sentinel_password")
#: No secret is longer: somebody named another file.
SECRET_BYTES_MAX = 4096


def with_secrets(given: dict[str, Any]) -> dict[str, Any]:
    """Put into what was set the secrets that were named by a file; a line's end after one is none of it.

    Raises:
        ValueError: what is wrong, all of it; never with what a file holds.
    """
    found, problems = dict(given), []
    for name in SECRET_NAMES:
        if (file := given.get(f"{name}_file")) is None or file == "":
            continue
        if given.get(name):
            problems.append(f"{name} and {name}_file are both set: leave one out")
            continue
        try:
            found[name] = _read(Path(file))
        except TypeError:
            problems.append(f"{name}_file: {file!r} is no path of a file")
        except ValueError as error:
            problems.append(f"{name}_file: {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def _read(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            held = opened.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(held) > SECRET_BYTES_MAX:
        raise ValueError(f"{path} is longer than a secret: name the file that holds it alone")
    try:
        secret = held.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None
    if not secret or "\n" in secret:
        raise ValueError(f"{path} {'is empty' if not secret else 'has several lines: it must hold the secret alone'}")
    return secret
