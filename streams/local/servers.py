"""The four servers of the local stack: each function prepares the data directory and returns the program to run.

Every server listens on 127.0.0.1 only, keeps its data in `data_dir/<role>` and writes its log to `data_dir/log/<role>.log`.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from streams.addresses import host_port
from streams.errors import ServerError
from streams.local.jars import kafka_jars
from streams.local.ports import LOOPBACK, http_ok, kafka_answers, reached, redis_answers
from streams.local.process import Program, find_program
from streams.settings import deploy_dir

_FORMAT_SECONDS_MAX = 60
#: One node that nobody else joins: the id may be the same everywhere, and a data directory can be told by it.
_CLUSTER_ID = "VigieLocalStack0000000"


@dataclass(frozen=True, slots=True)
class ScrapedPorts:
    """The ports that Prometheus has to know, and where observers, workers and the collector listen."""

    observers: tuple[int, ...]
    workers: tuple[int, ...]
    prometheus: int
    alertmanager: int
    collector: int
    observer_host: str = LOOPBACK
    worker_host: str = LOOPBACK
    collector_host: str = LOOPBACK


def kafka(data_dir: Path, port: int, controller_port: int, heap_mib: int = 768) -> Program:
    """Apache Kafka in KRaft mode, one node that is broker and controller.

    Raises:
        ServerError: Java, Maven or the jars are missing, or the storage cannot be formatted.
    """
    directory = _directory(data_dir, "kafka")
    java, jars = find_program("java"), kafka_jars()
    properties = directory / "server.properties"
    properties.write_text(_kafka_properties(directory / "data", port, controller_port))
    common = (f"-Dlog4j2.configurationFile={deploy_dir() / 'kafka' / 'log4j2.xml'}", "-cp", f"{jars}/*")
    if not (directory / "data" / "meta.properties").is_file():
        _format([java, "-Xmx256m", *common, "kafka.tools.StorageTool"], properties, directory)
    scratch = directory / "tmp"  # libraries that Java unpacks: a Kafka that was killed leaves them behind
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    memory = (f"-Djava.io.tmpdir={scratch}", f"-Xmx{heap_mib}m", "-Xms128m", "-XX:+ExitOnOutOfMemoryError")
    return Program(
        role="kafka",
        argv=(java, *memory, *common, "kafka.Kafka", str(properties)),
        directory=directory,
        log_file=log_file(data_dir, "kafka"),
        port=port,
        ready=partial(kafka_answers, port),
        stop_seconds_max=20,
    )


def _kafka_properties(logs: Path, port: int, controller_port: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": logs,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # After a kill -9 the broker may register again only when its old session is over (9 s by default).
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _format(tool: list[str], properties: Path, directory: Path) -> None:
    shutil.rmtree(directory / "data", ignore_errors=True)
    command = [*tool, "format", "-t", _CLUSTER_ID, "-c", str(properties)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FORMAT_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise ServerError(f"Kafka's storage was not formatted within {_FORMAT_SECONDS_MAX} s: try again") from None
    if done.returncode != 0:
        raise ServerError(f"Kafka's storage in {directory} cannot be formatted:\n{(done.stdout + done.stderr)[-2000:]}")


def redis(data_dir: Path, port: int) -> Program:
    """Redis with its append-only file, as `deploy/redis/redis.conf` says.

    Raises:
        ServerError: Redis is not installed.
    """
    directory = _directory(data_dir, "redis")
    return Program(
        role="redis",
        argv=(
            find_program("redis-server"),
            str(deploy_dir() / "redis" / "redis.conf"),
            *("--port", str(port), "--bind", "127.0.0.1"),
            *("--dir", str(directory), "--daemonize", "no"),
        ),
        directory=directory,
        log_file=log_file(data_dir, "redis"),
        port=port,
        ready=partial(redis_answers, port),
    )


def prometheus(data_dir: Path, ports: ScrapedPorts) -> Program:
    """Prometheus, configured as `deploy/prometheus/prometheus.yml` says, with the ports in use.

    Raises:
        ServerError: Prometheus is not installed.
    """
    path = _configured(data_dir, "prometheus", lambda config: _with_ports(config, ports))
    return _of_prometheus("prometheus", path, ports.prometheus, f"--storage.tsdb.path={path.parent / 'data'}")


def _configured(data_dir: Path, role: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    """Write the configuration that is shipped, as `change` makes it; return its path."""
    path = _directory(data_dir, role) / f"{role}.yml"
    config = yaml.safe_load((deploy_dir() / role / path.name).read_text())
    path.write_text(yaml.safe_dump(change(config), sort_keys=False, allow_unicode=True))
    return path


def _of_prometheus(role: str, config: Path, port: int, *options: str) -> Program:
    """Prometheus, or the Alertmanager that belongs to it: both are started alike."""
    return Program(
        role=role,
        argv=(
            find_program("prometheus" if role == "prometheus" else "prometheus-alertmanager"),
            f"--config.file={config}",
            *options,
            f"--web.listen-address={LOOPBACK}:{port}",
            f"--web.external-url=http://{LOOPBACK}:{port}",
            "--log.level=warn",
        ),
        directory=config.parent,
        log_file=log_file(config.parent.parent, role),
        port=port,
        ready=partial(http_ok, port, "/-/ready"),
    )


def _with_ports(config: dict[str, Any], ports: ScrapedPorts) -> dict[str, Any]:
    config["rule_files"] = [str(deploy_dir() / "prometheus" / pattern) for pattern in config["rule_files"]]
    config["alerting"]["alertmanagers"][0]["static_configs"] = _targets((ports.alertmanager,))
    chosen = {
        "vigie-observer": _targets(ports.observers, ports.observer_host),
        "vigie-worker": _targets(ports.workers, ports.worker_host),
        "vigie-collector": _targets((ports.collector,), ports.collector_host),
        "prometheus": _targets((ports.prometheus,)),
        "alertmanager": _targets((ports.alertmanager,)),
    }
    for job in config["scrape_configs"]:
        job["static_configs"] = chosen[job["job_name"]]
    return config


def _targets(ports: tuple[int, ...], host: str = LOOPBACK) -> list[dict[str, list[str]]]:
    return [{"targets": [host_port(reached(host), port) for port in ports]}]


#: The live page, as `deploy/alertmanager/templates/addresses.tmpl` has it.
PAGE_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where the local Alertmanager sends: host:port of an SMTP server, whom to, an address to post to (None: not), and where links lead."""

    smtp: str | None = None
    email_to: str = ""
    webhook_url: str | None = None
    page_url: str = PAGE_URL


def alertmanager(data_dir: Path, port: int, receivers: Receivers = Receivers()) -> Program:
    """Alertmanager, alone, as `deploy/alertmanager/alertmanager.yml` says, with these receivers in place of those in it.

    Raises:
        ServerError: Alertmanager is not installed.
    """
    path = _configured(data_dir, "alertmanager", lambda config: _with_receivers(config, receivers))
    templates = path.parent / "templates"
    templates.mkdir(exist_ok=True)
    for template in (deploy_dir() / "alertmanager").glob("templates/*.tmpl"):
        (templates / template.name).write_text(template.read_text().replace(PAGE_URL, receivers.page_url))
    return _of_prometheus(
        "alertmanager", path, port, f"--storage.path={path.parent / 'data'}", "--cluster.listen-address="
    )


def _with_receivers(config: dict[str, Any], receivers: Receivers) -> dict[str, Any]:
    if receivers.smtp is not None:
        config["global"] |= {"smtp_smarthost": receivers.smtp, "smtp_require_tls": False}
    for receiver in config["receivers"]:
        if receivers.smtp is None:
            receiver.pop("email_configs", None)
        if receivers.webhook_url is None:
            receiver.pop("webhook_configs", None)
        for one in receiver.get("email_configs", ()):
            one["to"] = receivers.email_to
        for one in receiver.get("webhook_configs", ()):
            one["url"] = receivers.webhook_url
    return config


def _directory(data_dir: Path, role: str) -> Path:
    directory = data_dir.absolute() / role
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def log_file(data_dir: Path, role: str) -> Path:
    """Where a child writes what it prints."""
    return data_dir.absolute() / "log" / f"{role}.log"
