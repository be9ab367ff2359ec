"""Every query of Grafana's boards, against a real Prometheus that scrapes two observers and a worker of a running chain: none is empty.

A second Prometheus scrapes one of the observers alone: what it answers is what a figure is when nothing can double it.
"""

import json
import math
import shutil
import threading
import time
import urllib.parse
import urllib.request
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Producer

from bench.load import establishments
from streams.clock import PARIS, iso_utc
from streams.expose.observer import ObserverServer
from streams.forecast.kept import ForecastDay, ForecastQuarter, KeptForecast, keep
from streams.history.archive import Archive
from streams.live import AlertRecord, AlertStore
from streams.live.connection import RedisAddress
from streams.local import Process, ScrapedPorts, free_ports, prometheus
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs
from tests.board_panels import DRAW, Span
from tests.board_pictures import ask as ask_panel
from tests.board_queries import BoardQuery, boards, panels, queries
from tests.servers.conftest import install
from tests.servers.observers import SCHOOL_MORNING, to_school_morning_seconds
from tests.servers.own_servers import varied
from tests.servers.workers import reader_of, workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers

MINUTES = 26
EVENTS_A_MINUTE = 60
#: Days of the past from which the detector learns what to expect: the same weekday, some weeks back.
WEEKS = 2
WEEK_SECONDS = 7 * 86_400
#: Older than what an observer judges again when it starts, which takes a while.
FIRST_WEEK = 5


@dataclass(frozen=True, slots=True)
class Scraped:
    """Two servers of Prometheus: one sees both observers, the other one of them."""

    both: int
    one: int


def ask(port, query, at, *, instant):
    """The series of a query: labels without those of the scrape -> {time: value}."""
    span = {"time": at} if instant else {"start": at - MINUTES * 60, "end": at, "step": 60}
    path = "query" if instant else "query_range"
    address = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode({'query': query, **span})}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        found = json.load(answer)["data"]["result"]
    series = {}
    for one in found:
        points = [one["value"]] if instant else one["values"]
        known = {int(moment): float(value) for moment, value in points if not math.isnan(float(value))}
        if known:
            labels = {name: value for name, value in one["metric"].items() if name not in ("instance", "job")}
            series[tuple(sorted(labels.items()))] = known
    return series


@contextmanager
def observing_with(settings):
    """An observer in a thread of this process."""
    server = ObserverServer(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def scraping(directory, observers, worker):
    """Prometheus as it is shipped, only quicker."""
    (port,) = free_ports(1)
    program = prometheus(
        directory, ScrapedPorts(observers=observers, workers=(worker,), prometheus=port, alertmanager=9, collector=9)
    )
    config = directory / "prometheus" / "prometheus.yml"
    config.write_text(
        config.read_text().replace("_interval: 5s", "_interval: 2s").replace("_timeout: 4s", "_timeout: 2s")
    )
    server = Process(program)
    try:
        server.wait_ready()
        yield port
    finally:
        server.stop()


def write_past(directory: Path) -> None:
    """Some weeks of the same weekday, for the detector."""
    past, archive = PastMaker(load_inputs(default_config_dir(), 1, 0.002)), Archive(directory)
    archive.prepare(simulated=True)
    for week in range(FIRST_WEEK, FIRST_WEEK + WEEKS):
        archive.write(past.day(SCHOOL_MORNING.date() - timedelta(weeks=week)))


def keep_forecast(directory: Path, now: float) -> None:
    """A forecast of two days from now (as screens show it) on, and what it says of the day and the next one."""
    first = int(now // 900) * 900 - 3600
    quarters = [ForecastQuarter(iso_utc((first + 900 * number) * 1000), 900.0, 700.0, 1100.0) for number in range(192)]
    today = datetime.fromtimestamp(now, PARIS).date()
    days = [
        ForecastDay(f"{today + timedelta(days=number)}", 80_000, 70_000, 90_000, 1, None, 1, ()) for number in (0, 1)
    ]
    keep(directory, KeptForecast(quarters[0].minute, f"{today - timedelta(days=1)}", tuple(days), tuple(quarters)))


def publish(settings, catalog):
    """A morning of events up to now; some are broken, some come twice, one value is in no list."""
    import random

    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers, "partitioner": "murmur2_random"})
    places = establishments(catalog, 200, random.Random(7))
    services = [service.code for service in catalog.services]
    now_ms = int(time.time() * 1000)
    for number in range(MINUTES * EVENTS_A_MINUTE):
        visitor = f"{number:032x}"
        event = {
            "v": 1,
            "id": uuid.uuid4().hex,
            "visitor": visitor,
            "project": catalog.projects[number % 20].code,
            "profile": "ELEVE",
        }
        event |= {"ts": now_ms - (MINUTES * 60_000) + number * (60_000 // EVENTS_A_MINUTE), "uai": places[number % 200]}
        event["service"] = "NO_SUCH_SERVICE" if number % 200 == 0 else services[(number // 7) % len(services)]
        value = json.dumps(event)
        for _copy in range(2 if number % 20 == 0 else 1):
            producer.produce(settings.topic, value, key=visitor)
        if number % 100 == 0:
            producer.produce(settings.topic, "not json", key=visitor)
    assert producer.flush(30) == 0


def tell_alerts(settings):
    """One alert that somebody is called for, and one that nobody is, as an observer tells them."""
    store = AlertStore(RedisAddress(settings.redis_url), settings.redis_prefix)
    minute = store.book().judged_minute or int(time.time()) // 60

    def alert(region, planned):
        return AlertRecord(
            id=f"surge:region={region}:{minute * 60_000}", kind="surge", scope="region", region=region, service=None, project=None,
            measure="visits", start_ms=minute * 60_000, raised_ms=minute * 60_000, until_ms=(minute + 1) * 60_000, end_ms=None,
            observed=300.0, expected=100.0, lower=80.0, upper=120.0, planned=planned, observed_now=40.0, expected_now=10.0,
        )  # fmt: skip

    store.judged(minute + 1, [alert("44", None), alert("53", "mise à jour")], [])
    store.close()


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    directory = tmp_path_factory.mktemp("past") / "archive"
    write_past(directory)
    return directory


@pytest.fixture(scope="module")
def scraped(kafka_server, redis_server, catalog, past, tmp_path_factory):
    """A chain with the events of the last minutes, and what scrapes it; both tests look at the same."""
    tmp_path = tmp_path_factory.mktemp("boards")
    installation = varied(
        install(kafka_server, redis_server, tmp_path), calendar_shift_seconds=to_school_morning_seconds()
    )
    ports = free_ports(2)
    worker_port = int(installation.environment["VIGIE_WORKER_PORT"])
    with ExitStack() as stack:
        stack.enter_context(workers(installation.environment, tmp_path, 1))
        for port in ports:
            own = shutil.copytree(past, tmp_path / f"archive-{port}")
            keep_forecast(own, time.time() + installation.settings.calendar_shift_seconds)
            changed = {"observer_port": port, "archive_dir": own}
            stack.enter_context(observing_with(installation.settings.model_copy(update=changed)))
        directories = [tmp_path / name for name in ("both", "one")]
        both = stack.enter_context(scraping(directories[0], tuple(ports), worker_port))
        one = stack.enter_context(scraping(directories[1], (ports[0],), worker_port))

        def both_have(name: str) -> bool:
            return all(ask(p, name, time.time(), instant=True) for p in (both, one))

        for first in ("ent_worker_events_total", "all:ent_redis_up:max"):
            wait_for(f"a first {first}", partial(both_have, first))
        publish(installation.settings, catalog)
        reader = reader_of(installation.settings)
        wait_for("settled minutes", lambda: (reader.snapshot().settled_ms or 0) > (time.time() - 180) * 1000)
        judged = "ent_judged_timestamp_seconds > time() - 240"
        wait_for("judged minutes", lambda: ask(both, judged, time.time(), instant=True))
        tell_alerts(installation.settings)
        yield Scraped(both, one)
        reader.close()


def empty(port, at):
    """The queries that answer nothing; what looks a week back is asked in a week."""
    return [
        query.where
        for query in queries()
        if not ask(port, query.sent, at + WEEK_SECONDS * (" offset 10080m" in query.sent), instant=query.is_instant)
    ]


def total(query: BoardQuery, port: int, at: float) -> float:
    """All series of the last moment that a query answers, added up."""
    series = ask(port, query.sent, at, instant=query.is_instant)
    last = max((max(points) for points in series.values()), default=0)
    return sum(points.get(last, 0.0) for points in series.values())


def soon(found, seconds_max=150):
    """What is still found when nothing was for the first time, or at the end."""
    deadline = time.monotonic() + seconds_max
    while (some := found()) and time.monotonic() < deadline:
        time.sleep(1)
    return some


def doubled(scraped: Scraped, at: float) -> list[str]:
    """The queries that answer more for two observers than for one."""
    found = []
    for query in queries():
        if "up{" in query.expression or "ent_worker" in query.expression or " / $" in query.where:
            continue  # how many are scraped; what no observer exposes; a variable, which takes labels and not values
        both, one = (total(query, port, at) for port in (scraped.both, scraped.one))
        if abs(both) > abs(one) * 1.5 + 5:
            found.append(f"{query.where}: {both} with two observers, {one} with one")
    return found


def test_every_query_answers_and_two_observers_double_none(scraped):
    def missing():
        return [*empty(scraped.both, time.time()), *empty(scraped.one, time.time())]

    assert not soon(missing)
    # An observer may be behind the other, in its visitors by a minute: they are counted when a minute settles, and of what was sent at
    # once not all may be counted by then. What is doubled stays so.
    assert not soon(lambda: doubled(scraped, time.time()), 130)
    at = time.time()
    # A minute that was sent at once may settle before its last event is counted, so a scrape may have less than all of it; never more.
    curve = "sum(max without (instance, pod) (last_over_time(ent_minute_events[1m])))"
    for port in (scraped.both, scraped.one):
        (minutes,) = ask(port, curve, at // 60 * 60, instant=False).values()
        assert max(minutes.values()) == EVENTS_A_MINUTE


def undrawn(scraped):
    """The panels that show nothing, or lines that have no name of their own."""
    span = Span(time.time() - MINUTES * 60, time.time())
    found = []
    for title, board in boards().items():
        for panel in panels(board):
            drawn = ask_panel(f"http://127.0.0.1:{scraped.both}", panel, span)
            names = [[one.name for one in target] for target in drawn if panel["type"] == "timeseries"]
            is_unnamed = any(len(set(some)) < len(some) or not all(some) for some in names)
            # The alerts of the fixture may have ended by now: the test above holds that their queries answer.
            is_empty = "aucune donnée" in DRAW[panel["type"]](panel, drawn, span)
            if is_unnamed or (is_empty and not panel["title"].startswith("Alertes")):
                found.append((title, panel["title"], names))
    return found


def test_every_panel_is_drawn_with_a_name_for_each_line_and_a_unit(scraped):
    assert not soon(lambda: undrawn(scraped))
