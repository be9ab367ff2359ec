"""The chain of a load test: names of its own, workers, observer and collector of its own, servers of its own where wanted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from streams import edges
from streams.access import TokenFile
from streams.access.tokens import Grant, make_token
from streams.audit.figures import log_ends
from streams.catalog import load_catalog
from streams.cli.shared import counts_reader
from streams.errors import InputError
from streams.local import Program, ServerPorts, StackPlan, free_ports, kafka, redis
from streams.local.supervisor import Supervisor
from streams.settings import Settings
from streams.topics import ensure_topics

TOKENS = "tokens.json"
STOP_ORDER = (("collector",), ("worker",), ("observer",), ("kafka",), ("redis",))


@dataclass(slots=True)
class LoadChain:
    """A chain that runs. `settings` are those of its processes, `token` opens its collector."""

    settings: Settings
    plan: StackPlan
    token: str
    supervisor: Supervisor

    def processes(self) -> Sequence[tuple[str, int]]:
        """(name, process id) of each that runs."""
        return [(one.name, one.pid) for one in self.supervisor.statuses() if one.pid is not None]

    @property
    def restarts(self) -> int:
        """How often one of them died."""
        return sum(one.restarts for one in self.supervisor.statuses())


def refuse_live_names(settings: Settings, name: str) -> None:
    """A load test never touches what counts.

    Raises:
        InputError: the name is one of the live chain's.
    """
    live = {
        "topic": settings.topic,
        "rejected_topic": settings.rejected_topic,
        "redis_prefix": settings.redis_prefix,
        "consumer_group": settings.consumer_group,
    }
    wanted = (name, f"{name}.rejected")
    if taken := [f"{setting}={value}" for setting, value in live.items() if value in wanted]:
        raise InputError(
            f"--name {name} is the live chain's own ({', '.join(taken)}): a load test counts under names of its own; choose another --name"
        )


def chain_settings(
    settings: Settings, name: str, directory: Path, workers: int, *, own_servers: bool
) -> tuple[Settings, ServerPorts]:
    """The settings of the chain, and ports for its servers; everything that leads to the live chain is replaced."""
    refuse_live_names(settings, name)
    ports = free_ports(6 + workers)
    own: dict[str, object] = {
        "topic": name,
        "rejected_topic": f"{name}.rejected",
        "redis_prefix": name,
        "consumer_group": name,
        "archive_dir": directory / "archive",
        "tokens_file": directory / TOKENS,
        "access_control": "auto",
        "observer_host": "127.0.0.1",
        "worker_host": "127.0.0.1",
        "collector_host": "127.0.0.1",
        "observer_port": ports[3],
        "collector_port": ports[4],
        "worker_port": ports[6],
        "prometheus_url": f"http://127.0.0.1:{ports[5]}",  # nobody listens there
        "alertmanager_url": f"http://127.0.0.1:{ports[5]}",
    }
    if own_servers:
        own |= {
            "kafka_bootstrap_servers": f"127.0.0.1:{ports[1]}",
            "redis_url": f"redis://127.0.0.1:{ports[2]}/0",
            "kafka_security_protocol": "PLAINTEXT",
            "topic_replication_factor": 1,
            "topic_min_insync_replicas": 1,
        }
    return settings.model_copy(update=own), ServerPorts(ports[1], ports[2], ports[5], ports[5])


@contextmanager
def running_chain(
    settings: Settings, ports: ServerPorts, directory: Path, workers: int, *, own_servers: bool
) -> Iterator[LoadChain]:
    """Start the chain, and stop it in the end.

    Raises:
        ServerError: something does not start, or does not answer.
        InputError: on servers that are not its own, these names hold something already.
    """
    plan = StackPlan(settings, directory, workers, ports)
    supervisor = Supervisor(lambda _statuses: None)
    try:
        if own_servers:
            servers = [redis(directory, ports.redis), kafka(directory, ports.kafka, plan.kafka_controller_port)]
            supervisor.start(servers, lambda: True)
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        _refuse_what_is_used(settings)
        token = _token(settings, directory / TOKENS)
        programs = [plan.observer(), plan.collector(), *plan.worker_programs()]
        supervisor.start([_apart(program, settings, directory) for program in programs], lambda: True)
        yield LoadChain(settings, plan, token, supervisor)
    finally:
        for roles in STOP_ORDER:
            supervisor.stop(roles, lambda: False)


def _apart(program: Program, settings: Settings, directory: Path) -> Program:
    """The program with every setting said, so that nothing of the live chain's reaches it."""
    own = {f"VIGIE_{name.upper()}": str(getattr(settings, name)) for name in _SAID}
    return replace(
        program, environment={**program.environment, **own, "VIGIE_STACK_FILE": str(directory / "none.json")}
    )


_SAID = (
    "topic", "rejected_topic", "redis_prefix", "consumer_group", "archive_dir", "tokens_file", "access_control", "observer_host",
    "worker_host", "collector_host", "observer_port", "collector_port", "worker_port", "kafka_bootstrap_servers", "redis_url",
    "kafka_security_protocol", "prometheus_url", "alertmanager_url",
)  # fmt: skip


def _refuse_what_is_used(settings: Settings) -> None:
    name = settings.topic
    held = sum(log_ends(edges.kafka_address(settings), name).values())
    with counts_reader(settings) as reader:
        layout = reader.snapshot().layout
    if held or layout is not None:
        raise InputError(
            f"the topic or the prefix {name!r} holds something already: choose another --name for this load test"
        )


def _token(settings: Settings, path: Path) -> str:
    projects = tuple(project.code for project in load_catalog(settings.config_dir).projects)
    made = make_token(Grant(projects=projects, name="load test", events_per_second_max=1_000_000), datetime.now(UTC))
    TokenFile(path).change(lambda tokens: (*tokens, made.token))
    return made.text
