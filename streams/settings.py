"""Settings: one frozen object, from options, environment, the running local stack, and a file, in that order.

Sources, strongest first:

1. arguments of `load_settings(...)` (the command line's options);
2. environment variables `VIGIE_<NAME>`, for instance `VIGIE_KAFKA_BOOTSTRAP_SERVERS`;
3. the local stack that `vigie up` recorded, as long as it runs (`streams.local` writes it, a clean stop removes it);
4. the file named by `VIGIE_SETTINGS_FILE`, else `vigie.toml` in the configuration directory if there is one;
5. the defaults below, which are those of a local stack on its usual ports.

Only the edges (commands, process entry points) read settings; the rooms receive plain values.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from streams.addresses import check_address, check_host_port, check_http_url, check_redis_url
from streams.errors import SettingsError
from streams.settings_problems import (
    OwnVariables,
    problem_of,
    problems_together,
    report_of,
    unknown_variables,
    with_secrets,
)
from streams.stack_record import read_stack, stack_file, user_dir
from streams.values import check_setting, setting_number

_PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A directory beside the package in a checkout, its copy inside the package in an installed wheel."""
    checkout = _PACKAGE.parent / name
    return checkout if checkout.is_dir() else _PACKAGE / f"_{name}"


def default_config_dir() -> Path:
    """`config/`, as it is shipped."""
    return _shipped("config")


def deploy_dir() -> Path:
    """`deploy/`, as it is shipped."""
    return _shipped("deploy")


def default_data_dir() -> Path:
    """Where `vigie up` keeps the data of its servers when `--data-dir` is not given; raises as `stack_file` does."""
    return user_dir("XDG_DATA_HOME", ".local", "share")


class Settings(BaseSettings):
    """Every setting of every process. Names carry their unit; secrets never show in a `repr` or an error."""

    #: An empty variable is none, as compose files and env files leave it.
    model_config = SettingsConfigDict(env_prefix="VIGIE_", env_ignore_empty=True, frozen=True, extra="forbid")

    # --- Kafka
    kafka_bootstrap_servers: str = Field("127.0.0.1:19092", description="host:port, several separated by commas")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to speak to the brokers"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "SCRAM-SHA-512", description="how to log in, with SASL_*"
    )
    kafka_sasl_username: str | None = Field(None, description="needed with SASL_*; with OAUTHBEARER the client's id")
    kafka_sasl_password: SecretStr | None = Field(None, description="needed with SASL_*; the client's secret")
    kafka_sasl_password_file: Path | None = Field(None, description="a file that holds it, in its place")
    kafka_oauth_token_url: str | None = Field(
        None,
        pattern=r"^https?://[^/@]+(/.*)?$",
        description="with OAUTHBEARER: where a token is asked for, by client credentials",
    )
    kafka_oauth_scope: str | None = Field(None, description="what is asked for there, where the endpoint wants a scope")
    kafka_ssl_cafile: Path | None = Field(None, description="PEM of the authority that signed the brokers")
    kafka_ssl_certfile: Path | None = Field(None, description="PEM of the client, where brokers ask for one")
    kafka_ssl_keyfile: Path | None = Field(None, description="PEM of its key, not encrypted")
    publish_url: str | None = Field(
        None, description="https://host:port of a collector that `vigie publish` sends to in place of Kafka"
    )
    publish_token: SecretStr | None = Field(None, description="what `vigie token new` printed, for that collector")
    publish_cafile: Path | None = Field(
        None, description="PEM of the authority that signed the collector; none: those that Python trusts"
    )
    topic: str = Field("ent.visits", pattern=r"^[A-Za-z0-9._-]{1,200}$", description="where events are published")
    rejected_topic: str = Field(
        "ent.visits.rejected", pattern=r"^[A-Za-z0-9._-]{1,200}$", description="where rejected events are kept"
    )
    topic_partitions: int = Field(8, ge=1, le=1000, description="of a topic that is created; one worker each at most")
    topic_replication_factor: int = Field(1, ge=1, le=7, description="of a topic that is created; 3 in production")
    topic_min_insync_replicas: int = Field(1, ge=1, le=7, description="at least; 2 in production")
    topic_retention_hours: int = Field(
        168, ge=1, le=24 * 3660, description="at least: as far back as counts can be made again"
    )
    topic_retention_hours_max: int = Field(336, ge=1, le=24 * 3660, description="at most; `vigie check` warns")
    rejected_retention_hours_max: int = Field(336, ge=1, le=24 * 3660, description="at most, of rejected ones")
    worker_session_seconds: int = Field(
        12,
        ge=6,
        le=1800,
        description="a worker that is back by then keeps its partitions; of one that is not they wait so long",
    )
    consumer_group: str = Field("vigie", pattern=r"^[A-Za-z0-9._-]{1,200}$", description="of all workers")

    # --- Redis
    redis_url: str = Field(
        "redis://127.0.0.1:16379/0",
        pattern=r"^(rediss?|unix|rediss?\+sentinel)://",
        description="rediss:// for TLS; redis+sentinel://a:26379,b:26379/service/0 asks Sentinel; no password in it",
    )
    redis_username: str | None = Field(None, description="ACL user; left out, the default user")
    redis_password: SecretStr | None = Field(None, description="of that user")
    redis_password_file: Path | None = Field(None, description="a file that holds it, in its place")
    redis_sentinel_username: str | None = Field(None, description="at the sentinels; left out, the default user")
    redis_sentinel_password: SecretStr | None = Field(None, description="at the sentinels, where they ask for one")
    redis_sentinel_password_file: Path | None = Field(None, description="a file that holds it, in its place")
    redis_tls_ca_file: Path | None = Field(None, description="for TLS, the authority that signed the server")
    redis_tls_cert_file: Path | None = Field(None, description="PEM of the client, where Redis asks for one")
    redis_tls_key_file: Path | None = Field(None, description="PEM of its key, not encrypted")
    redis_prefix: str = Field("vigie", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="hash tag of every key")

    # --- The measurement
    lateness_seconds: int = Field(20, ge=0, le=3600, description="how long a partition waits for events out of order")
    max_ahead_seconds: int = Field(120, ge=0, le=3600, description="an event further ahead of the broker is rejected")
    max_age_hours: int = Field(48, ge=1, le=24 * 7, description="an event older than this on arrival is rejected")
    pseudonyms_only: bool = Field(
        True,
        description="an event whose visitor looks like an e-mail address, a name, a login or a short number is rejected",
    )
    unseen_hours_kept: int = Field(
        24, ge=1, le=24 * 31, description="values that no list knows are forgotten once they did not come for so long"
    )
    marks_days_kept: int = Field(
        90, ge=7, le=3660, description="`vigie publish` removes marks of other files of a directory that are older"
    )
    users_shown_min: int = Field(
        5,
        ge=1,
        le=1000,
        description="fewer distinct users are told as no number anywhere, but as so few; 1: as they are",
    )
    minutes_kept_hours: int = Field(72, ge=1, le=24 * 31, description="settled time that Redis holds by the minute")
    archive_dir: Path | None = Field(None, description="where observers keep settled days for years; none: not kept")
    archive_sketches_days_max: int | None = Field(None, ge=3, description="older sketches of users leave the archive")
    archive_wait_hours: int = Field(
        72, ge=1, le=24 * 31, description="how long minutes that are to be trimmed wait for an archive that fails"
    )
    apply_interval_ms: int = Field(
        100, ge=0, le=5000, description="a worker writes to Redis what it counted at most this often; a backlog at once"
    )
    unpacked_mib_max: int = Field(
        64, ge=1, le=1024, description="MiB that a record batch may unpack to; the records of a larger one are rejected"
    )
    rejects_kept_per_minute: int = Field(
        1000, ge=0, le=10_000_000, description="dead letters kept a minute and reason by one worker"
    )
    rejects_kept_kib_per_minute: int = Field(
        4096, ge=0, le=1 << 20, description="KiB of them, uncompressed; of large values only the head is kept"
    )
    rejected_topic_mib_max: int = Field(
        4096, ge=64, le=1 << 20, description="MiB that a partition of the rejected topic holds, once it is created"
    )
    calendar_shift_seconds: int = Field(
        0, ge=-(10**10), le=10**10, description="scenario time minus clock; 0 in production"
    )
    calendar_stand_in_zone: Literal["A", "B", "C"] | None = Field(
        None,
        description="zone whose dates of school regions without known ones have; for simulations, which are made so",
    )

    # --- Processes
    observer_host: str = Field("127.0.0.1", description="address that `vigie serve` listens on")
    observer_port: int = Field(8000, ge=1, le=65535, description="its port")
    worker_host: str = Field("127.0.0.1", description="address that `vigie worker` listens on")
    worker_port: int = Field(8001, ge=1, le=65535, description="port of slot 0; slot n listens on worker_port + n")
    collector_host: str = Field("127.0.0.1", description="address that `vigie collect` listens on")
    collector_port: int = Field(8400, ge=1, le=65535, description="its port")
    tokens_file: Path | None = Field(
        None, description="hashes of the tokens that collectors, observers and workers let in; `vigie token` writes it"
    )
    tls_certfile: Path | None = Field(
        None,
        description="PEM of the certificate and its chain that collector, observer and worker show; read again when it changes",
    )
    tls_keyfile: Path | None = Field(None, description="PEM of its key, not encrypted")
    tls_by_proxy: bool = Field(
        False,
        description="a proxy in front speaks TLS: lets collector, observer and worker listen elsewhere than on loopback without",
    )
    access_control: Literal["auto", "on"] = Field(
        "auto", description="who looks must say who it is: auto, where a process listens elsewhere than on loopback"
    )
    session_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="signs the page's sessions, the same for all observers; none: new at each start",
    )
    proxy_address: str | None = Field(
        None, description="address of a proxy that says who looks, in X-Vigie-User, X-Vigie-Scopes, X-Vigie-Regions"
    )
    proxy_secret: SecretStr | None = Field(
        None, min_length=16, description="what that proxy sends in X-Vigie-Proxy-Secret"
    )
    collector_body_kib_max: int = Field(4096, ge=1, le=1 << 20, description="KiB of a request as it is sent")
    collector_unpacked_kib_max: int = Field(16384, ge=1, le=1 << 20, description="KiB that its gzip may unpack to")
    collector_events_max: int = Field(10_000, ge=1, le=1_000_000, description="events of a request")
    collector_events_per_second_max: int = Field(
        5000, ge=1, le=10_000_000, description="of one token, on average, at each collector; a token may have its own"
    )
    collector_waiting_mib_max: int = Field(
        64, ge=1, le=1 << 16, description="MiB of events that wait for Kafka; beyond, senders are told to come back"
    )
    collector_confirm_seconds_max: int = Field(
        10, ge=1, le=600, description="how long a request waits for Kafka before its sender is told to come back"
    )
    prometheus_url: str = Field("http://127.0.0.1:19090", pattern=r"^https?://", description="of the local stack")
    alertmanager_url: str = Field(
        "http://127.0.0.1:19093",
        pattern=r"^https?://",
        description="whose silences say who has taken an incident in charge; `vigie alerts ack` sets them",
    )
    grafana_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="where operators reach Grafana, for links to boards; none: no such links",
    )
    alert_smtp: str | None = Field(
        None, description="host:port that the local Alertmanager sends e-mail to; none: no e-mail"
    )
    alert_email_to: str = Field("exploitation@example.org", description="who gets the e-mail of the local Alertmanager")
    alert_webhook_url: str | None = Field(
        None, pattern=r"^https?://", description="where the local Alertmanager posts alerts; none: nowhere"
    )
    alive_without_redis_seconds: int = Field(
        300, ge=0, le=86_400, description="without an answer of Redis for so long, /healthz says 503; 0: never"
    )
    metrics_all: bool = Field(
        False, description="whether `/metrics` of an observer also has the series that no shipped board or rule reads"
    )
    detector: bool = Field(True, description="whether this observer judges minutes: surges, drops, silences")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="of worker and observer")
    log_format: Literal["text", "json"] = Field("text", description="json: one object a line, for machines")
    config_dir: Path = Field(default_factory=default_config_dir, description="where the lists are: `config/`")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del env_settings, dotenv_settings, file_secret_settings
        return (init_settings, OwnVariables(settings_cls), _StackSource(settings_cls), _file_source(settings_cls))

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, given: Any) -> Any:
        return with_secrets(given) if isinstance(given, dict) else given

    @field_validator("*", mode="before")
    @classmethod
    def _check_value(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, str):
            check_setting(value, secret=kind == SecretStr | None)
        return setting_number(value) if kind in (int, int | None) else value

    @field_validator("kafka_bootstrap_servers", "alert_smtp")
    @classmethod
    def _check_servers(cls, value: str | None, info: ValidationInfo) -> str | None:
        servers = [server.strip() for server in value.split(",")] if value is not None else []
        if info.field_name == "alert_smtp" and len(servers) > 1:
            raise ValueError(f"{value!r} is not one host:port")
        for server in servers:
            check_host_port(server)
        return ",".join(servers) or None

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, value: str) -> str:
        check_redis_url(value)
        return value

    @field_validator("prometheus_url", "alertmanager_url", "alert_webhook_url", "grafana_url")
    @classmethod
    def _check_http(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            check_http_url(value, may_log_in=info.field_name == "alert_webhook_url")
        return value

    @field_validator("proxy_address")
    @classmethod
    def _check_proxy(cls, value: str | None) -> str | None:
        return None if value is None else str(check_address(value))

    @field_validator(
        *("kafka_ssl_cafile", "kafka_ssl_certfile", "kafka_ssl_keyfile"),
        *("redis_tls_ca_file", "redis_tls_cert_file", "redis_tls_key_file"),
        *("tls_certfile", "tls_keyfile", "publish_cafile"),
    )
    @classmethod
    def _check_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"is a directory: {value}" if value.is_dir() else f"no such file: {value}")
        return value

    @field_validator("archive_dir", "config_dir", "tokens_file")
    @classmethod
    def _check_place(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and value.parts[:1] and value.parts[0].startswith("~"):
            raise ValueError(f"{value}: only a shell knows what ~ is: write the whole path")
        if value is not None and info.field_name == "archive_dir" and value.exists() and not value.is_dir():
            raise ValueError(f"is no directory: {value}")
        if value is not None and info.field_name == "config_dir" and not value.is_dir():
            raise ValueError(f"no such directory: {value} (it holds regions.yaml, services.yaml, ...)")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> "Settings":
        if problems := problems_together(self):
            raise ValueError("; ".join(problems))
        return self


class _StackSource(PydanticBaseSettingsSource):
    """The `settings` member of the running local stack's record; nothing when no stack runs."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # pydantic-settings asks for it; __call__ below answers for all fields

    def __call__(self) -> dict[str, Any]:
        record = read_stack()
        return dict(record["settings"]) if record else {}


def _file_source(settings_cls: type[BaseSettings]) -> PydanticBaseSettingsSource:
    named = os.environ.get("VIGIE_SETTINGS_FILE")
    path = Path(named) if named else default_config_dir() / "vigie.toml"
    if path.exists() != path.is_file() or (named and not path.exists()):
        what = "is no file" if path.exists() else "does not exist"
        where = f"VIGIE_SETTINGS_FILE names {path}, which {what}" if named else f"{path} {what}"
        raise SettingsError(f"{where}: create it or unset the variable" if named else f"{where}: move it away")
    try:
        return TomlConfigSettingsSource(settings_cls, path)
    except (ValueError, OSError) as error:  # not TOML, not UTF-8, or not readable
        raise ValueError(f"{path}: {error}") from None


def refuse_stopped_stack(settings: Settings, name: str) -> None:
    """Hold that the address `name` is not a default only because the stack that somebody named does not run.

    Raises:
        SettingsError: it is: another installation may listen on the default port.
    """
    if not os.environ.get("VIGIE_STACK_FILE") or name in settings.model_fields_set or read_stack() is not None:
        return
    raise SettingsError(
        f"VIGIE_STACK_FILE names {stack_file()}, but no stack runs there: it was stopped, or never started. Start it with `vigie up`, "
        f"unset the variable, or name its servers (VIGIE_{name.upper()}): the default is perhaps another stack's"
    )


def load_settings(**overrides: Any) -> Settings:
    """Read the settings once; `overrides` with the value None are left out.

    Raises:
        SettingsError: with one line a problem, all of them, and where each value may be set.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    unknown = unknown_variables({*OTHER_VARIABLES, *(f"VIGIE_{name.upper()}" for name in Settings.model_fields)})
    try:
        settings = Settings(**given)
    except ValidationError as error:
        lines = [problem_of(item) for item in error.errors(include_url=False, include_input=False)]
        raise SettingsError(report_of(lines + unknown)) from None
    except (ValueError, OSError) as error:  # a settings file that is not TOML, or cannot be read
        raise SettingsError(report_of([str(error), *unknown])) from None
    if unknown:
        raise SettingsError(report_of(unknown))
    return settings


#: Variables that are not settings of `Settings` but are read elsewhere.
OTHER_VARIABLES = ("VIGIE_SETTINGS_FILE", "VIGIE_STACK_FILE")
