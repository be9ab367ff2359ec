"""`vigie rehearse-load`: the worst day before it comes."""

import datetime
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from streams import edges
from streams.audit.log import Unread, open_log
from streams.catalog import Catalog
from streams.cli.forecast import worst_minute_events
from streams.cli.load_chain import LoadChain, chain_settings, refuse_live_names, running_chain
from streams.cli.shared import (
    DAY,
    DIRECTORY,
    Number,
    counts_reader,
    open_archive,
    paris_moment,
    say,
    settings_and_lists,
    time_of_day,
)
from streams.clock import PARIS
from streams.count import Cut
from streams.errors import InputError
from streams.history import load_calendar
from streams.history.reading import History
from streams.live import LiveReader
from streams.load_test.drawn import busiest, draw
from streams.load_test.load_events import LoadReplay, replay_of
from streams.load_test.load_french import Balance, LoadTestResult, of_a_forecast, of_what_was_sent
from streams.load_test.load_meter import COUNTERS, LoadMeter, SendPlan, SentLog, send
from streams.load_test.load_verdict import LoadOutcome, delays_seconds, percentiles, verdict
from streams.local.leash import die_with
from streams.publish import PublisherLimits, VisitPublisher
from streams.settings import Settings
from streams.work_pool import WorkPool

#: The senders are ready, and the first minute begins, so long after everything runs.
LEAD_SECONDS = 3
#: How long what is in Kafka may take to be counted at the end.
DRAIN_SECONDS_MAX = 120.0
DEFAULT_MINUTES = 10


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What the command was asked, besides the events."""

    times: float
    through: str
    senders: int
    workers: int
    own_servers: bool
    name: str
    at_once: bool
    #: Events a second in the worst minute of the day that is to come, and what day that is.
    need: tuple[float, str]


@click.command("rehearse-load")
@click.option("--day", type=DAY, help="A day of the archive, whose counts the events are drawn from.")
@click.option("--archive", type=DIRECTORY, help="That archive.  [default: archive_dir]")
@click.option("--from", "begin", metavar="HH:MM", help="--day: first minute (Paris).  [default: the busiest]")
@click.option(
    "--minutes", type=click.IntRange(1, 1440), default=DEFAULT_MINUTES, show_default=True, help="--day: how many."
)
@click.option(
    "--range", "span", nargs=2, metavar="FROM TO", help="Events of the live topic with ts in these ISO times instead."
)
@click.option("--times", type=Number(0.01, 1000), default=1.0, show_default=True, help="So many times the visitors.")
@click.option(
    "--for", "coming", type=DAY, help="Tell the workers for this day's forecast.  [default: for what was sent]"
)
@click.option("--through", type=click.Choice(["kafka", "collector"]), default="kafka", show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Workers that count.")
@click.option("--senders", type=click.IntRange(1, 64), help="Processes that send.  [default: half of the cores]")
@click.option(
    "--servers",
    type=click.Choice(["own", "settings"]),
    default="own",
    show_default=True,
    help="A Kafka and a Redis started here for this alone, or those of the settings, under names of its own.",
)
@click.option("--name", default="essai-charge", show_default=True, help="Topic, prefix and group of the chain.")
@click.option(
    "--at-once", is_flag=True, help="Begin now, not at the next whole minute: minutes are then not those of the day."
)
def rehearse_load(
    *,
    day: datetime.datetime | None,
    archive: Path | None,
    begin: str | None,
    minutes: int,
    span: tuple[str, str] | None,
    times: float,
    coming: datetime.datetime | None,
    through: str,
    workers: int,
    senders: int | None,
    servers: str,
    name: str,
    at_once: bool,
) -> None:
    """Replay a real day, moved onto now and multiplied, into a chain of its own, and tell what it held.

    Multiplied are visitors: each does what one of that day did, in the same minutes. The live chain is never touched. It is a test
    of machines: run it where the chain is to run.

    Exit status: 0 held; 1 not held, or limited by the machine.
    """
    settings, catalog = settings_and_lists()
    refuse_live_names(settings, name)
    if day and not span:
        replay = _of_day(settings, catalog, (day.date(), archive), (begin, minutes))
    elif span and not day:
        replay = _of_topic(settings, span)
    else:
        raise InputError("say --day DAY of an archive, or --range FROM TO of the live topic: one of them")
    options = LoadOptions(
        times,
        through,
        senders or max(1, (os.cpu_count() or 2) // 2),
        workers,
        servers == "own",
        name,
        at_once,
        _need(settings, catalog, archive, (replay, times), coming.date() if coming else None),
    )
    say(f"{replay.events:,} events in {len(replay.minutes)} minutes from {replay.source}, {times:g} times")
    result = _run(settings, replay, options)
    click.echo("\n".join(result.lines()))
    sys.exit(0 if result.verdict.outcome is LoadOutcome.HELD else 1)


def _of_day(
    settings: Settings, catalog: Catalog, source: tuple[datetime.date, Path | None], wanted: tuple[str | None, int]
) -> LoadReplay:
    date, archive = source
    if (day := History(open_archive(settings, archive), catalog).day(date)) is None:
        raise InputError(f"the archive holds nothing of {date}: `vigie history` lists its days")
    begin, minutes = wanted
    if begin is None:
        return draw(day, catalog, busiest(day, minutes))
    first = int(datetime.datetime.combine(date, time_of_day("--from", begin), PARIS).timestamp()) // 60
    return draw(day, catalog, (first, min(first + minutes, day.minutes[1])))


def _need(
    settings: Settings,
    catalog: Catalog,
    archive: Path | None,
    sent: tuple[LoadReplay, float],
    coming: datetime.date | None,
) -> tuple[float, str]:
    """Events a second in the worst minute that the chain is wanted for, and whose that is."""
    replay, times = sent
    if coming is None:
        return max(replay.by_minute()) * times / 60, of_what_was_sent(replay.source, times)
    calendar = load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)
    history = History(open_archive(settings, archive), catalog)
    return worst_minute_events(history, calendar, coming) / 60, of_a_forecast(coming)


def _of_topic(settings: Settings, span: tuple[str, str]) -> LoadReplay:
    begin_ms, end_ms = (int(paris_moment("--range", text).timestamp() * 1000) for text in span)
    if not begin_ms < end_ms:
        raise InputError(f"--range {span[0]} {span[1]}: the second time must lie after the first")
    with open_log(edges.kafka_address(settings), settings.topic) as log:
        pieces = log.read(log.ends, log.offsets_since(begin_ms - settings.max_ahead_seconds * 1000))
        values = (record.value for _, records in pieces if not isinstance(records, Unread) for record in records)
        return replay_of(values, begin_ms, end_ms)


def _run(settings: Settings, replay: LoadReplay, options: LoadOptions) -> LoadTestResult:
    with tempfile.TemporaryDirectory(prefix="vigie-load-") as name:
        directory = Path(name)
        own, ports = chain_settings(settings, options.name, directory, options.workers, own_servers=options.own_servers)
        say("starting the chain ...")
        with running_chain(own, ports, directory, options.workers, own_servers=options.own_servers) as chain:
            result = _measured(chain, replay, options)
    if not options.own_servers:
        say(
            f"left on the servers, to be removed when you like: topics {own.topic}, {own.rejected_topic}, keys {{{own.redis_prefix}}}:*"
        )
    return result


def _measured(chain: LoadChain, replay: LoadReplay, options: LoadOptions) -> LoadTestResult:
    with counts_reader(chain.settings) as reader:
        logs, meter = _sent(chain, replay, options, reader)
        delays, weights = delays_seconds(logs, *meter.looks())
        balance = _balance(reader, logs, replay, options.times)
        redis_bytes = reader.facts().used_bytes
    last_sent = max(float(log.at[-1]) for log in logs)
    flowing = [one for one in meter.seconds if not one.sent][-1:]  # the one before
    flowing += [one for one in meter.seconds if one.sent and one.at <= last_sent + 1.5]
    cpu = sum(log.cpu_seconds for log in logs)
    return LoadTestResult(
        source=replay.source,
        times=options.times,
        through=options.through,
        workers=options.workers,
        senders=options.senders,
        verdict=verdict(flowing),
        delays_seconds=percentiles(delays, weights),
        balance=balance,
        memory_mib=meter.memory_mib,
        redis_bytes=redis_bytes,
        sender_rate_per_core=balance.sent / cpu if cpu else 0.0,
        need_rate=options.need[0],
        need_of=options.need[1],
        restarts=chain.restarts,
        left_out=replay.left_out,
    )


def _sent(
    chain: LoadChain, replay: LoadReplay, options: LoadOptions, reader: LiveReader
) -> tuple[list[SentLog], LoadMeter]:
    """Send all, wait until it is counted, and return what was seen."""
    partitions = chain.settings.topic_partitions
    start_ms = _start_ms(at_once=options.at_once)
    plan = SendPlan(replay, f"load-{start_ms:x}", options.times, options.senders, partitions, start_ms)
    pool = WorkPool(options.senders, options.senders * COUNTERS, die_with)

    def counted() -> Sequence[int]:
        offsets = reader.snapshot().offsets
        return [offsets[number].next_offset if number in offsets else 0 for number in range(partitions)]

    meter = LoadMeter(counted, chain.processes, pool.counters)
    logs: list[SentLog] = []
    said = time.monotonic()

    def look() -> None:
        nonlocal said
        meter.start()
        chain.supervisor.tick()
        if meter.seconds and time.monotonic() - said > 10:
            said, now = time.monotonic(), meter.seconds[-1]
            say(
                f"sent {now.sent:,}, counted {now.counted:,}, machine {now.machine:.0%}, slowest sender {now.behind_seconds:.1f} s behind"
            )

    def one_sender(number: int) -> SentLog:
        return send(plan, number, _publisher(chain, options.through), pool.counters, lambda: bool(pool.stopping.value))

    say(f"sending from {datetime.datetime.fromtimestamp(start_ms / 1000, PARIS):%H:%M:%S} (Paris) on ...")
    try:
        pool.run(one_sender, range(options.senders), lambda _number, log: logs.append(log), look)
        _drain(meter, sum(log.delivered for log in logs), look)
    finally:
        meter.stop()
    return logs, meter


def _start_ms(*, at_once: bool) -> int:
    now_ms = int((time.time() + LEAD_SECONDS) * 1000)
    return now_ms if at_once else -(-now_ms // 60_000) * 60_000


def _publisher(chain: LoadChain, through: str) -> VisitPublisher:
    """What one sender sends with: the library that an ENT embeds."""
    limits = PublisherLimits(delivery_seconds_max=600, block_seconds_max=1)
    if through == "collector":
        publisher = VisitPublisher(chain.plan.collector_url, token=chain.token, limits=limits)
    else:
        publisher = VisitPublisher(edges.kafka_address(chain.settings), topic=chain.settings.topic, limits=limits)
    publisher.connect()
    return publisher


def _drain(meter: LoadMeter, delivered: int, look: Callable[[], None]) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    while meter.counted < delivered and time.monotonic() < deadline:
        look()
        time.sleep(0.2)


def _balance(reader: LiveReader, logs: Sequence[SentLog], replay: LoadReplay, times: float) -> Balance:
    sums = Counter[str]()
    for found, counted in reader.snapshot().totals.items():
        sums[found[0]] += counted
    whole = replay.visits is not None and float(times).is_integer()
    return Balance(
        sent=sum(int(log.numbers[-1].sum()) for log in logs),
        confirmed=sum(log.delivered for log in logs),
        counted=sums[Cut.EVENTS],
        rejected=sums[Cut.REJECTED],
        duplicates=sums[Cut.DUPLICATE],
        visits=sums[Cut.VISITS],
        visits_expected=round(replay.visits * times) if whole and replay.visits is not None else None,
    )
