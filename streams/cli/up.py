"""`vigie up`."""

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from streams import edges
from streams.access import NewToken, TokenFile
from streams.access.tokens import Grant, make_token
from streams.audit.figures import Chain, Figures, Minutes, log_ends
from streams.audit.recount import recount
from streams.audit.verify import verify
from streams.catalog import load_catalog
from streams.cli.audit import recount_rules
from streams.cli.shared import DIRECTORY, Number, counts_reader
from streams.count import Cut
from streams.errors import InputError
from streams.live import LiveReader
from streams.local import (
    FrenchNames,
    Hooks,
    Process,
    Program,
    Screen,
    ServerPorts,
    StackPlan,
    kafka_jars,
    local_settings,
    run_stack,
)
from streams.local.jars import jars_are_there
from streams.local.process import check_programs
from streams.settings import Settings, default_data_dir, load_settings
from streams.simulate.levels import load_past
from streams.simulate.scenario import DEFAULT_SPEED, checked_scale, load_scenarios, scenario_shift_seconds
from streams.simulate.truth import Truth, load_truth
from streams.topics import ensure_topics

SCENARIOS = ("ordinary", "rentree", "storm", "none")
#: From `vigie up` to the first simulated event: the servers, then workers and observer. The shift is fixed before they start.
START_SECONDS = 15
#: The simulated ENT that sends over HTTP, through the collector; the others publish to Kafka.
COLLECTOR_PROJECT = "mbn"
COLLECTOR_EVENTS_PER_SECOND = 1_000_000
TOKENS = "tokens.json"
SIMULATED = "simulated ENT of vigie up"

_PORT = click.IntRange(2, 65535)


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="How many workers count.")
@click.option("--scenario", type=click.Choice(SCENARIOS), default="none", show_default=True, help="Simulated traffic.")
@click.option("--speed", type=float, help="Simulated seconds a second while the run-up is sent.")
@click.option("--scale", type=float, help="Volume of the traffic, 1 for that of all of France.")
@click.option("--data-dir", type=DIRECTORY, help="Where the servers keep their data.")
@click.option("--seconds", type=Number(min=0), help="Stop by itself after this time, counted from ready.")
@click.option("--verify", is_flag=True, help="With --seconds: then stop the traffic, drain, and compare all figures.")
@click.option("--kafka-port", type=_PORT, default=19092, show_default=True, help="The port below is used as well.")
@click.option("--redis-port", type=_PORT, default=16379, show_default=True)
@click.option("--prometheus-port", type=_PORT, default=19090, show_default=True)
@click.option("--alertmanager-port", type=_PORT, default=19093, show_default=True)
@click.option("--port", type=_PORT, help="Port of the observer.  [default: 8000]")
@click.option("--collector-port", type=_PORT, help="Port of the collector.  [default: 8400]")
@click.option("--worker-port", type=_PORT, help="Port of worker 0, the others follow.  [default: 8001]")
def up(
    *,
    workers: int,
    scenario: str,
    speed: float | None,
    scale: float | None,
    data_dir: Path | None,
    seconds: float | None,
    verify: bool,
    kafka_port: int,
    redis_port: int,
    prometheus_port: int,
    alertmanager_port: int,
    port: int | None,
    collector_port: int | None,
    worker_port: int | None,
) -> None:
    """Start a local stack and look after it: real Kafka, Redis, Prometheus, Alertmanager, then workers, observer and collector.

    Every other command finds it without options while it runs. A process that dies is started again within 5 seconds. Ctrl-C, SIGTERM or
    --seconds stop it cleanly; its data stay in the data directory.
    """
    directory = (data_dir or default_data_dir()).absolute()
    if verify and seconds is None:
        raise InputError("--verify needs --seconds: it compares when the traffic has stopped")
    check_programs(() if jars_are_there() else ("mvn",))
    kafka_jars(click.echo)  # the first time this takes a minute, and a shift must not be fixed before
    ports = ServerPorts(kafka_port, redis_port, prometheus_port, alertmanager_port)
    chosen = load_settings(observer_port=port, worker_port=worker_port, collector_port=collector_port)
    settings = local_settings(chosen, ports).model_copy(update={"tokens_file": directory / TOKENS})
    traffic = SimulatedTraffic()
    if settings.archive_dir is None and _has_pyarrow():
        settings = settings.model_copy(update={"archive_dir": directory / "archive"})
    if scenario != "none":
        settings, traffic = _traffic(settings, scenario, speed, scale, directory)
    # A token of the simulated ENT, new at each start: none can be read back from the file.
    grant = Grant(projects=(COLLECTOR_PROJECT,), name=SIMULATED, events_per_second_max=COLLECTOR_EVENTS_PER_SECOND)
    token = make_token(grant, datetime.now(UTC))
    plan = StackPlan(settings, directory, workers, ports, seconds=seconds, simulator=traffic.command, token=token.text)
    with _making_the_past(traffic, directory / "past.log"):
        code = _run(plan, traffic, verify, token)
    sys.exit(code)


@dataclass(frozen=True, slots=True)
class SimulatedTraffic:
    """Simulated traffic: the command that makes it and the file of its truth; empty for none."""

    command: tuple[str, ...] = ()
    truth: Path | None = None
    #: The command that makes the days before the scenario's.
    past: tuple[str, ...] = ()


def _traffic(
    settings: Settings, name: str, speed: float | None, scale: float | None, directory: Path
) -> tuple[Settings, SimulatedTraffic]:
    """Fix the shift of the scenario and the command line of its simulator."""
    scenario = load_scenarios(settings.config_dir).get(name)
    now = time.time()
    chosen_scale = checked_scale(scenario, scale)  # here, for the simulator would say it only in its log
    shift = scenario_shift_seconds(scenario, now + START_SECONDS, DEFAULT_SPEED if speed is None else speed)
    truth = directory / f"truth-{name}-{int(now)}.json"
    options = {
        "--scenario": name,
        "--truth": truth,
        "--collector-project": COLLECTOR_PROJECT,
        "--speed": speed,
        "--scale": scale,
    }
    given = (word for option, value in options.items() if value is not None for word in (option, str(value)))
    click.echo(f"scenario {name}: {scenario.label}; scale {chosen_scale:g}; calendar shift {shift} s")
    stand_in = load_past(settings.config_dir, load_catalog(settings.config_dir)).stand_in_zone
    changed: dict[str, object] = {"calendar_shift_seconds": shift, "calendar_stand_in_zone": stand_in}
    past: tuple[str, ...] = ()
    if _has_pyarrow():
        # A day of the past is as large as the scenario's: each scale has an archive of its own.
        archive = directory / f"archive-{name}-{chosen_scale:g}"
        changed["archive_dir"] = archive
        past = ("simulate", "--scenario", name, "--archive", str(archive), "--scale", str(chosen_scale))
    return settings.model_copy(update=changed), SimulatedTraffic(("simulate", "--live", *given), truth, past)


def _has_pyarrow() -> bool:
    return importlib.util.find_spec("pyarrow") is not None


@contextmanager
def _making_the_past(traffic: SimulatedTraffic, log: Path) -> Iterator[None]:
    """Make the days before the scenario's beside the start of the servers, at the lowest priority; it ends with this process.
    What it says goes to `log`.
    """
    if not traffic.past:
        yield
        return
    process = Process(Program("past", ("nice", sys.executable, "-m", "streams", *traffic.past), Path.cwd(), log))
    try:
        yield
    finally:
        process.kill()


def _run(plan: StackPlan, traffic: SimulatedTraffic, verify: bool, token: NewToken) -> int:
    settings = plan.settings
    catalog = load_catalog(settings.config_dir)
    names = FrenchNames(
        {code: catalog.region_name(code) for code in catalog.region_codes},
        {code: catalog.service_label(code) for code in catalog.service_codes},
    )

    def ensure() -> None:
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        kept = TokenFile(plan.data_dir / TOKENS)
        kept.change(lambda tokens: (*(each for each in tokens if each.name != SIMULATED), token.token))
        if verify and (held := sum(log_ends(edges.kafka_address(settings), settings.topic).values())):
            raise InputError(
                f"--verify compares everything that was ever counted with this run's traffic, but {plan.data_dir} holds {held:,} events of "
                "earlier runs: name an empty --data-dir"
            )

    hooks = Hooks(
        ensure_topics=ensure,
        reader=lambda: LiveReader(edges.redis_address(settings), settings.redis_prefix),
        at_end=(lambda pause, say: _verify(plan, traffic, pause, say)) if verify else None,
    )
    return run_stack(plan, hooks, Screen(plan.addresses(), names))


def _verify(
    plan: StackPlan, traffic: SimulatedTraffic, pause: Callable[[float], bool], say: Callable[[str], None]
) -> int:
    settings = plan.settings
    address = edges.kafka_address(plan.settings)
    rules = recount_rules(settings, visits=False)
    with counts_reader(settings) as reader:
        count_again = partial(recount, address, settings.topic, reader, rules, lambda _done, _all: None)

        def known() -> list[Figures]:
            return [] if traffic.truth is None else [truth_figures(load_truth(traffic.truth))]

        chain = Chain(reader, address, settings.topic, plan.page_url, settings.prometheus_url)
        return verify(chain, known, count_again, pause, say)


_CUTS = {"region_service": Cut.EVENTS, "project": Cut.PROJECT, "profile_region": Cut.PROFILE, "academy": Cut.ACADEMY}


def truth_figures(truth: Truth) -> Figures:
    """What the simulator knows; repeats of an id are no events, they are removed."""
    if not truth.complete:
        raise InputError("the simulator did not end in order, so its truth is not final: see its log, run again")
    minutes: Minutes = {
        (minute, (cut, *codes)): number
        for name, cut in _CUTS.items()
        for (minute, codes), number in truth.expected(name, with_duplicates=False).items()
    }
    return Figures(
        "simulator's truth",
        truth.published,
        truth.events,
        truth.rejected_total,
        truth.duplicates,
        truth.rejected,
        minutes,
        truth.resent,
    )
