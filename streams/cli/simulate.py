"""`vigie simulate`."""

import datetime
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from streams import edges
from streams.cli.shared import DAY, DIRECTORY, NEW_FILE, NamedPath, Number, paris_moment, say, time_of_day
from streams.cli.simulate_years import simulate_past, simulate_scenario_past
from streams.clock import paris_text
from streams.errors import InputError
from streams.publish import PublisherLimits, VisitPublisher
from streams.settings import Settings, load_settings
from streams.simulate.inputs import (
    FILE_SECONDS_MAX,
    Configuration,
    FileRequest,
    earlier_truth,
    make_book,
    new_run,
    plan_file,
    steps_of,
    write_file,
    write_steps,
)
from streams.simulate.live import DELIVERY_SECONDS_MAX, LiveRun, Pace, TwoWays, begin_second
from streams.simulate.scenario import DEFAULT_SPEED, Scenario, scenario_shift_seconds
from streams.simulate.traffic import Generator, TrafficPlan

_DEFAULT_MINUTES = 10


@click.command()
@click.option("--scenario", "name", help="ordinary, rentree or storm (config/scenarios.yaml).")
@click.option("--years", type=float, help="A past of so many years, straight to --archive.")
@click.option(
    "--archive",
    type=DIRECTORY,
    help="An archive: for --years, or --scenario's past.",
)
@click.option("--until", type=DAY, help="--years: last day.  [default: as config/ says]")
@click.option("--out", type=NamedPath(dir_okay=False, allow_dash=True), help="Write events to this file, - for stdout.")
@click.option("--live", is_flag=True, help="Publish to Kafka, on the clock, until stopped.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other schools and visitors.")
@click.option("--scale", type=float, help="Volume, 1 for that of all of France.  [default: the scenario's]")
@click.option("--truth", type=NEW_FILE, help="[default for a file: FILE.truth.json]")
@click.option("--run", help="Name that begins every id.  [default: new for --live, derived for --out]")
@click.option("--clean", is_flag=True, help="No repeats, delayed, broken or unknown events.")
@click.option(
    "--minutes", type=click.IntRange(1, FILE_SECONDS_MAX // 60), help="--out: minutes of traffic.  [default: 10]"
)
@click.option("--events", type=click.IntRange(1), help="--out: exactly so many lines, instead of --minutes.")
@click.option(
    "--from", "begin", help="--out: HH:MM (Paris) of the day to begin at.  [default: the scenario's live_from]"
)
@click.option(
    "--start", help="--out: ISO time (Paris, if none is said) of the first event's ts.  [default: so as to end now]"
)
@click.option("--speed", type=float, help=f"--live: seconds a second in the run-up.  [default: {DEFAULT_SPEED:g}]")
@click.option("--seconds", type=Number(min=0), help="--live: stop by itself after this time.")
@click.option("--collector-project", help="--live: good events of this project go to the collector (publish_url).")
def simulate(
    *,
    name: str | None,
    years: float | None,
    archive: Path | None,
    until: datetime.datetime | None,
    out: str | None,
    live: bool,
    seed: int,
    scale: float | None,
    truth: Path | None,
    run: str | None,
    clean: bool,
    minutes: int | None,
    events: int | None,
    begin: str | None,
    start: str | None,
    speed: float | None,
    seconds: float | None,
    collector_project: str | None,
) -> None:
    """Make a seeded day of traffic whose truth is known, to a file (--out) or live (--live).

    With --archive it makes counts of the past and no events: years of them, or the eight weeks and the rentrée before a scenario.
    A file needs no servers: publish it with `vigie publish FILE`. Live traffic begins in the past of the scenario, catches up with the
    clock within a minute or two, then goes on at the pace of the day.
    """
    if years is not None or archive is not None or until is not None:
        if archive is None or out or live or (years is None) is (name is None) or (until and name):
            raise InputError("--archive goes with --years (and --until) or with --scenario, without --out and --live")
        _past(archive, name, years, until=until, seed=seed, scale=scale)
        return
    if name is None:
        raise InputError("say --scenario NAME, or --years N --archive DIR")
    if (out is None) is not live:
        raise InputError("say either --out FILE or --live")
    misplaced = {
        "--minutes": live and minutes,
        "--events": live and events,
        "--from": live and begin,
        "--start": live and start,
        "--speed": out and speed,
        "--seconds": out and seconds is not None,
        "--collector-project": out and collector_project,
    }
    if wrong := [option for option, given in misplaced.items() if given]:
        raise InputError(f"{', '.join(wrong)} cannot be used with {'--live' if live else '--out'}: leave it out")
    settings = load_settings()
    configuration = Configuration.load(settings.config_dir, name)
    if out is None:
        make_plan = partial(configuration.plan, seed=seed, scale=scale, run=run or new_run(), clean=clean)
        pace = DEFAULT_SPEED if speed is None else speed
        _live(
            configuration.scenario, settings, make_plan, truth, speed=pace, seconds=seconds, project=collector_project
        )
        return
    if minutes and events:
        raise InputError("say either --minutes or --events")
    scenario = configuration.scenario
    request = FileRequest(
        seed=seed,
        scale=scale,
        run=run,
        clean=clean,
        first_s=scenario.at(f"{time_of_day('--from', begin):%H:%M}") if begin else scenario.live_from_s,
        start_s=int(paris_moment("--start", start).timestamp()) if start else None,
        seconds=(minutes or _DEFAULT_MINUTES) * 60,
        events=events,
    )
    _file(configuration, request, out, truth)


def _past(
    archive: Path,
    name: str | None,
    years: float | None,
    *,
    until: datetime.datetime | None,
    seed: int,
    scale: float | None,
) -> None:
    config_dir = load_settings().config_dir
    if years is None:
        simulate_scenario_past(config_dir, name or "", archive, seed, scale)
    else:
        simulate_past(config_dir, archive, years, last_day=until.date() if until else None, seed=seed, scale=scale)


def _file(configuration: Configuration, request: FileRequest, out: str, truth: Path | None) -> None:
    plan, request = plan_file(configuration, request, time.time())
    generator = Generator(plan)
    book = make_book(plan, generator)
    path = None if out == "-" else Path(out)
    truth = truth or (path.with_name(f"{path.name}.truth.json") if path else None)
    if path and truth and path.absolute() == truth.absolute():
        raise InputError(f"--out and --truth are both {path}: write the truth to another file")
    say(
        f"scenario {plan.scenario.name}, seed {plan.seed}, scale {plan.scale:g}, run {plan.run}; first event at "
        f"{_paris(generator.next_clock_s)}, calendar shift {plan.shift_seconds} s"
    )
    steps = steps_of(generator, request)
    if path is None:
        write_steps(steps, book, sys.stdout.buffer, say)
        sys.stdout.buffer.flush()
    else:
        write_file(steps, book, path, say)
    if truth:
        book.save(truth, complete=True)
    say(
        f"{book.published} lines: {book.events} events, {book.duplicates} repeats, {book.rejected.total()} to be rejected; "
        f"truth in {truth or 'no file (--truth names one)'}"
    )


def _live(
    scenario: Scenario,
    settings: Settings,
    make_plan: Callable[..., TrafficPlan],
    truth: Path | None,
    *,
    speed: float,
    seconds: float | None,
    project: str | None,
) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    now = time.time()
    # Computed even where the shift is set: it refuses a speed that cannot be used.
    own_shift = scenario_shift_seconds(scenario, now, speed)
    shift = settings.calendar_shift_seconds or own_shift
    earlier = earlier_truth(truth, scenario, shift)
    begin_s = begin_second(scenario, shift, now, earlier.reached_s if earlier else None)
    plan = make_plan(
        first_s=begin_s + shift,
        shift_seconds=shift,
        begin_s=scenario.begin_s if earlier else begin_s + shift,
    )
    generator = Generator(plan)
    book = make_book(plan, generator)
    if earlier:
        book.go_on_from(earlier)
    say(
        f"scenario {scenario.name} ({scenario.label}), seed {plan.seed}, scale {plan.scale:g}, speed {speed:g}, run {plan.run}; "
        f"calendar shift {shift} s; first event at {_paris(begin_s)}, that is {_paris(begin_s + shift)} in the scenario"
    )
    limits = PublisherLimits(delivery_seconds_max=DELIVERY_SECONDS_MAX, block_seconds_max=5)
    kafka = VisitPublisher(edges.kafka_address(settings), topic=settings.topic, limits=limits)
    kafka.connect()
    publisher: VisitPublisher | TwoWays = kafka
    if project is not None:
        collector = VisitPublisher(edges.publish_address(settings), limits=limits)
        collector.connect()
        publisher = TwoWays(kafka, collector, project)
    LiveRun(
        generator,
        book,
        publisher,
        pace=Pace(begin_s, now, speed),
        truth=truth,
        seconds=seconds,
        say=say,
        stop=stop,
    ).run()


def _paris(second: int) -> str:
    return paris_text(second * 1000, 0, "seconds")
