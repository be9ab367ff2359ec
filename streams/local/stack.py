"""What the local stack is made of: its options, its ports, its programs; and the file by which every command finds it while it runs.

The reader of that file is `streams.stack_record.read_stack`.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from streams.addresses import host_port
from streams.errors import SettingsError
from streams.local.ports import PortUse, http_ok
from streams.local.process import Program
from streams.local.servers import Receivers, ScrapedPorts, log_file
from streams.local.supervisor import ProcessStatus
from streams.settings import Settings
from streams.stack_record import process_start_ticks


@dataclass(frozen=True, slots=True)
class StackRecord:
    """Writes the record: whole or not at all, at every change; `remove` at a clean stop."""

    path: Path
    data_dir: Path
    settings: dict[str, Any]
    started_at: float

    def write(self, processes: Sequence[ProcessStatus]) -> None:
        """Replace the file."""
        pid = os.getpid()
        document = {
            "pid": pid,
            "start_ticks": process_start_ticks(pid),
            "started_at": self.started_at,
            "written_at": time.time(),
            "data_dir": str(self.data_dir),
            "settings": self.settings,
            "processes": [asdict(status) for status in processes],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.{pid}")
        fresh.touch(mode=0o600)  # it names servers, and where their data are
        fresh.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        fresh.replace(self.path)

    def remove(self) -> None:
        """Say that no stack runs."""
        self.path.unlink(missing_ok=True)


def recorded_settings(settings: Settings) -> dict[str, Any]:
    """The settings that differ from the defaults, as JSON values; secrets are left out."""
    return {
        name: value
        for name, value in settings.model_dump(mode="json", exclude_defaults=True).items()
        if not isinstance(getattr(settings, name), SecretStr)
    }


def as_environment(settings: Settings) -> dict[str, str]:
    """The same settings for child processes, as variables; where their servers are, always."""
    servers = {"kafka_bootstrap_servers": settings.kafka_bootstrap_servers, "redis_url": settings.redis_url}
    return {f"VIGIE_{name.upper()}": str(value) for name, value in {**servers, **recorded_settings(settings)}.items()}


#: A worker stops within 25 s, an observer within 10 s (their own bounds), a simulator when it has flushed what it holds.
STOP_SECONDS_MAX = {"worker": 28, "observer": 13, "collector": 13, "simulator": 40}
_REMOTE_ONLY = ("redis_username", "redis_password", "redis_tls_ca_file", "tls_certfile")


@dataclass(frozen=True, slots=True)
class ServerPorts:
    """Where the four servers listen."""

    kafka: int
    redis: int
    prometheus: int
    alertmanager: int


@dataclass(frozen=True, slots=True)
class StackPlan:
    """The stack that is wanted. `simulator` is the command line of the traffic after `vigie`, empty for none; `token` is what it sends to
    the collector with.

    `settings` are those of all children; the addresses in them are of the servers that the stack starts.
    """

    settings: Settings
    data_dir: Path
    workers: int
    ports: ServerPorts
    seconds: float | None = None
    simulator: tuple[str, ...] = ()
    token: str = field(default="", repr=False)

    @property
    def kafka_controller_port(self) -> int:
        """Where Kafka's controller listens: one below the broker."""
        return self.ports.kafka - 1

    def worker_ports(self) -> tuple[int, ...]:
        """One port a slot."""
        return tuple(self.settings.worker_port + slot for slot in range(self.workers))

    def scraped(self) -> ScrapedPorts:
        """What Prometheus scrapes, and where it talks to."""
        settings = self.settings
        return ScrapedPorts(
            (settings.observer_port,),
            self.worker_ports(),
            self.ports.prometheus,
            self.ports.alertmanager,
            collector=settings.collector_port,
            observer_host=settings.observer_host,
            worker_host=settings.worker_host,
            collector_host=settings.collector_host,
        )

    def receivers(self) -> Receivers:
        """Where Alertmanager sends."""
        settings = self.settings
        return Receivers(settings.alert_smtp, settings.alert_email_to, settings.alert_webhook_url, self.page_url)

    def port_uses(self) -> list[PortUse]:
        """Every port that must be free."""
        return [
            PortUse("Kafka", self.ports.kafka, "--kafka-port"),
            PortUse("Kafka's controller", self.kafka_controller_port, "--kafka-port"),
            PortUse("Redis", self.ports.redis, "--redis-port"),
            PortUse("Prometheus", self.ports.prometheus, "--prometheus-port"),
            PortUse("Alertmanager", self.ports.alertmanager, "--alertmanager-port"),
            PortUse("observer", self.settings.observer_port, "--port"),
            PortUse("collector", self.settings.collector_port, "--collector-port"),
            *(PortUse(f"worker {slot}", port, "--worker-port") for slot, port in enumerate(self.worker_ports())),
        ]

    @property
    def page_url(self) -> str:
        """Where the observer serves, without a slash at the end."""
        return f"http://{host_port(self.settings.observer_host, self.settings.observer_port)}"

    @property
    def collector_url(self) -> str:
        """Where the collector takes events."""
        return f"http://{host_port(self.settings.collector_host, self.settings.collector_port)}"

    def addresses(self) -> dict[str, str]:
        """Where people and programs find the parts."""
        settings = self.settings
        return {
            "live page": f"{self.page_url}/",
            "API": f"{self.page_url}/openapi.json",
            "metrics": f"{self.page_url}/metrics",
            "Prometheus": settings.prometheus_url,
            "Alertmanager": settings.alertmanager_url,
            "collector": self.collector_url,
            "Kafka": settings.kafka_bootstrap_servers,
            "Redis": settings.redis_url,
            "data, logs": str(self.data_dir),
        }

    def observer(self) -> Program:
        """`vigie serve`."""
        return self._vigie("observer", ("serve",), self.settings.observer_port)

    def collector(self) -> Program:
        """`vigie collect`."""
        return self._vigie("collector", ("collect",), self.settings.collector_port)

    def worker_programs(self) -> list[Program]:
        """`vigie worker`, one a slot."""
        return [
            self._vigie("worker", ("worker", "--slot", str(slot)), port, slot)
            for slot, port in enumerate(self.worker_ports())
        ]

    def simulator_program(self) -> Program:
        """The traffic."""
        program = self._vigie("simulator", self.simulator, None)
        own = {"VIGIE_PUBLISH_URL": self.collector_url, "VIGIE_PUBLISH_TOKEN": self.token}
        return replace(program, environment={**program.environment, **own})

    def _vigie(self, role: str, words: tuple[str, ...], port: int | None, slot: int | None = None) -> Program:
        hosts = {"observer": self.settings.observer_host, "collector": self.settings.collector_host}
        host = hosts.get(role, self.settings.worker_host)
        return Program(
            role=role,
            slot=slot,
            argv=(sys.executable, "-P", "-m", "streams", *words),
            directory=self.data_dir,
            log_file=log_file(self.data_dir, role if slot is None else f"{role}-{slot}"),
            port=port,
            ready=(lambda: True) if port is None else partial(http_ok, port, "/readyz", host),
            stop_seconds_max=STOP_SECONDS_MAX[role],
            may_end=role == "simulator",
            environment=as_environment(self.settings),
        )


def local_settings(given: Settings, ports: ServerPorts) -> Settings:
    """The settings of a local stack: those given, with the addresses of its own servers, one copy of each topic, no passwords.

    Raises:
        SettingsError: passwords or TLS are set, which these servers do not have.
    """
    wrong = [name for name in _REMOTE_ONLY if getattr(given, name) is not None]
    if given.kafka_security_protocol != "PLAINTEXT":
        wrong.append("kafka_security_protocol")
    if wrong:
        raise SettingsError(
            f"vigie up starts servers without passwords or TLS, but these are set: {', '.join(wrong)}. Unset them for the local stack."
        )
    return given.model_copy(
        update={
            "kafka_bootstrap_servers": f"127.0.0.1:{ports.kafka}",
            "redis_url": f"redis://127.0.0.1:{ports.redis}/0",
            "prometheus_url": f"http://127.0.0.1:{ports.prometheus}",
            "alertmanager_url": f"http://127.0.0.1:{ports.alertmanager}",
            "topic_replication_factor": 1,
            "topic_min_insync_replicas": 1,
        }
    )
