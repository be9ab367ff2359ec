"""Observers over a real Redis: what they expose is what was counted, whatever happens to Redis."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from streams.catalog import load_catalog
from streams.clock import iso_utc
from streams.count.local_dates import LocalDays
from streams.errors import ServerError
from streams.expose.observer import ObserverServer
from streams.expose.probes import REDIS_CALL_SECONDS_MAX
from streams.live import LiveKeeper, SketchReader
from streams.live.connection import RedisAddress, connect
from streams.local import Process, free_ports, redis
from streams.observe import Observer as ObserverLoop
from streams.observe import ObserverRules
from streams.settings import default_config_dir
from streams.small_numbers import SmallNumbers
from tests.servers.observers import (
    DEDUPE_WINDOW_MS,
    Filler,
    Place,
    events,
    now_minute,
    observing,
    observing_process,
    say_the_same,
    settled_past,
    vigie,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

CATALOG = load_catalog(default_config_dir())
PAIRS = len(CATALOG.region_codes) * len(CATALOG.service_codes)


@pytest.fixture
def place(redis_server, tmp_path):
    return Place(redis_server.url, f"test.{uuid.uuid4().hex[:12]}", tmp_path)


@pytest.fixture
def filler(place):
    return Filler(place, CATALOG.digest, partitions=2)


def test_an_empty_redis_is_ready_and_holds_zeros(place):
    with observing(place) as observer:
        wait_until(lambda: observer.get("/readyz")[0] == 200)
        samples = observer.scrape()
        assert samples[("ent_redis_up",)] == 1
        assert samples[("ent_events_total", "44", "NOTES")] == 0
        assert ("ent_settled_timestamp_seconds",) not in samples
        assert not [key for key in samples if key[0] in ("ent_users", "ent_establishments_reporting")]
        assert observer.json("/api/v1/minutes") == (
            200,
            {"by": "region,service", "measure": None, "settled_to": None, "rows": []},
        )


def test_metrics_api_and_commands_say_what_was_counted(place, filler):
    first = now_minute() - 30
    filler.count(
        {first: events(12), first + 1: {**events(5), ("e", "11", "NOTES"): 2, ("l", "44"): 1}, first + 9: events(1)},
        {("r", "not_json"): 3, ("k", "not_json"): 1, ("x",): 4, ("d",): 8},
        watermark_ms=(first + 5) * 60_000,
    )
    with observing(replace(place, metrics_all=True)) as one, observing(replace(place, metrics_all=True)) as two:
        wait_until(lambda: settled_past(one, first + 4) and say_the_same(one, two))
        filler.beat()
        samples = one.scrape()
        assert samples[("ent_events_total", "44", "NOTES")] == 18
        assert samples[("ent_project_events_total", "mbn")] == 18
        assert samples[("ent_profile_events_total", "ELEVE", "44")] == 18
        assert samples[("ent_academy_events_total", "INCONNU")] == 18
        assert samples[("ent_events_rejected_total", "not_json")] == 3
        assert samples[("ent_rejects_not_kept_total", "not_json")] == 1
        assert samples[("ent_events_late_total", "44")] == 1
        assert samples[("ent_events_lost_total",)] == 4
        assert samples[("ent_events_duplicate_total",)] == 8
        assert samples[("ent_visits_total", "44")] == 4 + 1
        assert samples[("ent_project_visits_total", "mbn")] == 5
        assert samples[("ent_profile_visits_total", "ELEVE", "44")] == 5
        assert samples[("ent_academy_visits_total", "INCONNU")] == 5
        assert samples[("ent_service_visits_total", "44", "NOTES")] == 6 + 2
        assert samples[("ent_dedupe_window_seconds",)] == DEDUPE_WINDOW_MS / 1000
        assert samples[("ent_lag_events", "0")] == 7
        assert samples[("ent_settled_timestamp_seconds",)] == (first + 5) * 60
        minutes = {key[1:]: value for key, value in samples.items() if key[0] == "ent_minute_events"}
        # Five minutes settled: three of them without any event are measured zeros.
        assert len(minutes) == 5 * PAIRS
        assert minutes["44", "NOTES", str(first * 60.0)] == 12
        assert minutes["44", "NOTES", str((first + 2) * 60.0)] == 0
        assert samples["ent_minute_visits", "44", str(first * 60.0)] == 4
        assert samples["ent_minute_service_visits", "44", "NOTES", str(first * 60.0 + 60)] == 2

        rows = one.json("/api/v1/minutes")[1]["rows"]
        assert rows[0] == {
            "minute": iso_utc(first * 60_000),
            "region": "44",
            "service": "NOTES",
            "events": 12,
            "visits": 6,
            "settled": True,
        }
        assert [(row["region"], row["events"], row["settled"]) for row in rows] == [
            ("44", 12, True),
            ("11", 2, True),
            ("44", 5, True),
            ("44", 1, False),  # a running minute
        ]
        # A process of its own, as a person runs it: nothing but JSON on its standard output.
        printed = subprocess.run(
            [sys.executable, "-m", "streams", "minutes", "--json", "--by", "region,service"],
            env={**os.environ, **place.environment},
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert [orjson.loads(line) for line in printed.stdout.splitlines()] == rows
        assert printed.stderr == b""

        bounds = {"from": iso_utc((first + 1) * 60_000), "to": iso_utc((first + 9) * 60_000), "by": "none"}
        bounded = one.json(f"/api/v1/minutes?{urllib.parse.urlencode(bounds)}")[1]["rows"]
        assert bounded == [{"minute": bounds["from"], "events": 7, "visits": 1, "settled": True}]
        options = [f"--{name}={value}" for name, value in bounds.items()]
        assert [
            orjson.loads(line) for line in vigie(place, "minutes", "--json", *options).stdout.splitlines()
        ] == bounded


@pytest.fixture(scope="module")
def observed(redis_server, tmp_path_factory):
    """A running observer with a few counts, and its place; nothing changes them."""
    place = Place(redis_server.url, f"test.{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("observed"))
    minute = now_minute() - 9
    Filler(place, CATALOG.digest, 2).count({minute: events(3)}, watermark_ms=(minute + 1) * 60_000)
    with observing(place) as observer:
        wait_until(lambda: observer.get("/readyz")[0] == 200)
        yield place, observer


def test_bad_parameters_are_refused_in_words(observed):
    place, observer = observed
    for query, words in [
        ("by=town", "allowed: region,service | region"),
        ("from=yesterday", "write ISO 8601"),
        ("measure=hits", "allowed: events, visits, users"),
        ("measure=users", "allowed by: region | project | academy | none"),
        ("form=2026-09-01", "allowed: from, to, by, measure"),
        ("from=2026-09-02&to=2026-09-01", "swap them"),
    ]:
        status, body = observer.json(f"/api/v1/minutes?{query}")
        assert (status, words in body["error"]) == (422, True), body
    assert observer.json("/nothing")[0] == 404
    refused = vigie(place, "minutes", "--json", "--by", "town")
    assert (refused.code, refused.stdout) == (2, b"")
    assert "allowed: region,service | region" in refused.message


def test_the_status_works_whatever_is_down(observed):
    place, observer = observed
    Filler(place, CATALOG.digest, 2, positions={0: 100}).beat()  # a slow machine may have been long with other tests
    found = vigie(place, "status", "--json")
    state = orjson.loads(found.stdout)
    assert found.code == 1  # nobody listens in place of Kafka
    assert (state["ready"], state["redis"]["up"], state["kafka"]["up"]) == (False, True, False)
    assert (state["visits"], state["duplicates"], state["dedupe_window_seconds"]) == (1, 0, DEDUPE_WINDOW_MS / 1000)
    assert (state["users"], state["establishments"]) == ({"5m": 0, "15m": 0, "day": 0}, 0)
    assert [p["warming"] for p in state["partitions"]["rows"]] == [None, None]
    assert (state["events"], state["lag_events"], state["partitions"]["count"]) == (3, 7, 2)
    assert state["processes"][0]["role"] == "worker"
    assert state["processes"][0]["pid"] == 4242
    assert observer.json("/api/v1/status")[0] == 200
    human = vigie(place, "status")
    assert "Kafka does not answer" in human.stdout.decode()

    nowhere = Place("redis://127.0.0.1:9/0", place.prefix, place.directory)
    found = vigie(nowhere, "status", "--json")
    state = orjson.loads(found.stdout)
    assert (found.code, state["redis"]["up"], state["events"]) == (1, False, None)
    assert vigie(nowhere, "minutes").code == 3


def test_the_minutes_are_lines_that_nothing_is_cut_of(observed):
    place, _observer = observed
    shown = vigie(place, "minutes").stdout.decode().splitlines()
    assert [len(shown), shown[0].split()] == [3, ["minute", "(Paris)", "events", "visits", "users", "≈"]]
    assert shown[2] == "3 events, 1 visits, 1 lines"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d\+0[12]:00 +(running)? +3 +1 +\S+", shown[1])
    by_service = vigie(place, "minutes", "--by", "service").stdout.decode()
    assert "NOTES Notes" in by_service, "the name stands beside the code, whole"
    assert "3 events, 1 lines" in by_service
    only = [orjson.loads(line) for line in vigie(place, "minutes", "--json", "--measure", "visits").stdout.splitlines()]
    assert [(row["visits"], "events" in row) for row in only] == [(1, False)]
    assert "3 events, 1 visits, 1 lines" in vigie(place, "minutes", "--by", "region").stdout.decode()
    assert "simulation" not in by_service
    assert len(vigie(place, "minutes", "--since", "2d").stdout.splitlines()) == 3
    assert vigie(place, "minutes", "--since", "1m", "--to", "2020-01-01").code == 2
    assert vigie(place, "minutes", "--follow", "--to", "2020-01-01").code == 2
    simulated = replace(place, calendar_shift_seconds=-86_400)
    for command in ("minutes", "status"):
        assert "simulation: times are the scenario's, in Paris" in vigie(simulated, command).stdout.decode()
    # Standard output of --json stays JSON alone.
    assert orjson.loads(vigie(simulated, "status", "--json").stdout)["simulation"].startswith("simulation du ")
    assert len(vigie(simulated, "minutes", "--json").stdout.splitlines()) == 1


def test_minutes_are_followed_as_they_settle(place, filler):
    first = now_minute() - 30
    command = [sys.executable, "-m", "streams", "minutes", "--follow", "--since", "1h", "--json"]
    said: list[bytes] = []

    def has_said(lines):
        filler.beat()  # partitions are idle for some seconds after a heartbeat only, and time settles by it
        return len(said) >= lines

    filler.count({first: events(3)}, watermark_ms=(first + 2) * 60_000)
    environment = {**os.environ, **place.environment}
    with observing(place), subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as following:
        reading = threading.Thread(target=said.extend, args=(following.stdout or (),))
        reading.start()
        try:
            wait_until(lambda: has_said(1), 60)
            filler.count({first + 3: events(4), first + 5: events(9)}, watermark_ms=(first + 5) * 60_000)
            wait_until(lambda: has_said(2), 60)
        finally:
            following.send_signal(signal.SIGINT)
            assert following.wait(30) == 130
            reading.join(30)
    rows = [orjson.loads(line) for line in said]
    assert [(row["minute"], row["events"], row["settled"]) for row in rows[:2]] == [
        (iso_utc(first * 60_000), 3, True),
        (iso_utc((first + 3) * 60_000), 4, True),
    ]


def test_the_api_keeps_to_its_openapi_description(observed):
    place, observer = observed
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run"),
            f"http://127.0.0.1:{observer.port}/openapi.json",
            *("--max-examples", "5", "--phases", "coverage,fuzzing", "--generation-deterministic", "--no-color"),
            # `from` after `to` is refused although each of them is right: a schema cannot say that.
            *("--exclude-checks", "positive_data_acceptance"),
        ],
        capture_output=True,
        text=True,
        cwd=place.directory,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def without_kafka(samples):
    """Whether Kafka answers does not come from Redis; how far the detector has come is its own story."""
    others = ("ent_kafka_up", "ent_judged_", "ent_detector_", "ent_problem", "ent_defects_")
    return {key: value for key, value in samples.items() if not key[0].startswith(others)}


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that may be killed: a function that starts it, again on the same port and data."""
    (port,) = free_ports(1)
    started: list[Process] = []

    def start() -> tuple[Process, str]:
        process = Process(redis(tmp_path, port))
        started.append(process)
        process.wait_ready()
        return process, f"redis://127.0.0.1:{port}/0"

    yield start
    for process in started:
        process.kill()


@pytest.mark.alone
def test_redis_killed_hung_and_back(own_redis, tmp_path):
    server, url = own_redis()
    place = Place(url, "test", tmp_path)
    filler = Filler(place, CATALOG.digest)
    minute = now_minute() - 10
    filler.count({minute: events(12)}, watermark_ms=(minute + 1) * 60_000)
    with observing_process(place) as (observer, process):
        wait_until(lambda: settled_past(observer, minute))
        wait_until(lambda: ("ent_users", "-", "5m") in observer.scrape(minutes=False))
        before = without_kafka(observer.scrape())
        assert before[("ent_events_total", "44", "NOTES")] == 12
        os.kill(server.pid, signal.SIGSTOP)  # hung: it takes connections and never answers
        status, body, seconds = observer.get("/metrics")
        assert status == 200
        assert seconds < 3
        assert _names(body) - {"ent_kafka_up", "ent_problem", "ent_defects_total"} == {"ent_redis_up"}
        assert without_kafka(observer.scrape()) == {("ent_redis_up",): 0}
        wait_until(lambda: observer.get("/readyz")[0] == 503)
        took = [observer.get("/healthz")[2] for _ in range(5)]
        assert min(took) < 0.5
        assert max(took) < REDIS_CALL_SECONDS_MAX, "it does not wait for Redis, only for a busy machine"
        os.kill(server.pid, signal.SIGCONT)
        wait_until(lambda: observer.get("/readyz")[0] == 200)

        server.kill()
        wait_until(lambda: observer.get("/readyz")[0] == 503)
        assert without_kafka(observer.scrape()) == {("ent_redis_up",): 0}
        assert "Redis at" in observer.json("/readyz")[1]["reason"]
        assert "Redis at" in observer.json("/api/v1/minutes")[1]["error"]
        assert observer.json("/api/v1/minutes")[0] == observer.json("/api/v1/status")[0] == 503

        server, _url = own_redis()
        wait_until(lambda: observer.get("/readyz")[0] == 200)
        wait_until(lambda: without_kafka(observer.scrape()) == {**before, ("ent_partitions_unowned",): 0}, 5)
        log = process.program.log_file.read_text()
        assert log.count("minutes are not settled") == 2  # once hung, once killed: one line a change, not one a second
        assert log.count("minutes are settled again") == 2
        os.kill(server.pid, signal.SIGSTOP)  # it ends in time although Redis hangs
        began = time.monotonic()
        process.ask_to_stop()
        wait_until(lambda: process.exit_code is not None, 10)
        assert time.monotonic() - began < 10
        assert process.exit_code == 0


def _names(body: bytes) -> set[str]:
    return {line.split(b"{")[0].split(b" ")[0].decode() for line in body.splitlines() if not line.startswith(b"#")}


def test_a_taken_port_is_one_clear_message(place):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ServerError, match=r"^cannot listen on 127"):
        ObserverServer(place.settings(taken.getsockname()[1]))


def test_what_another_program_wrote_is_named_and_nothing_is_exposed(place, filler):
    filler.count({now_minute(): events(3)}, watermark_ms=1)
    client = connect(RedisAddress(place.redis_url))
    with observing(place) as observer:
        wait_until(lambda: observer.get("/readyz")[0] == 200)
        for key, member, value, words in [
            ("heartbeats", "0", "not JSON", "was not written by this version"),
            ("meta", "layout", "0", "key layout 0"),
        ]:
            before = client.hget("{" + place.prefix + "}:" + key, member)
            client.hset("{" + place.prefix + "}:" + key, member, value)
            wait_until(lambda: observer.get("/readyz")[0] == 503)
            assert words in observer.json("/readyz")[1]["reason"]
            assert without_kafka(observer.scrape()) == {("ent_redis_up",): 0}
            assert observer.json("/api/v1/minutes")[0] == 503
            assert vigie(place, "status", "--json").code == 1
            client.hset("{" + place.prefix + "}:" + key, member, before)
            wait_until(lambda: observer.get("/readyz")[0] == 200)
    client.close()


def observer_loop(reader, sketches, shift_seconds=0):
    return ObserverLoop(reader, sketches, ObserverRules(CATALOG, LocalDays(CATALOG, shift_seconds), 20_000, 72))


@pytest.fixture
def readers(place):
    address = RedisAddress(place.redis_url)
    reader, sketches = LiveKeeper(address, place.prefix), SketchReader(address, place.prefix, CATALOG, SmallNumbers(1))
    yield reader, sketches
    reader.close()
    sketches.close()


def test_old_minutes_are_trimmed_and_settled_time_never_goes_back(filler, readers):
    reader, sketches = readers
    last = now_minute() - 2
    filler.count(
        {last - hours * 60 - n: events(1) for hours in (1, 80) for n in range(450)}, watermark_ms=last * 60_000
    )
    for loop in [observer_loop(reader, sketches) for _ in range(2)]:
        loop.round()
    assert reader.snapshot().settled_ms == last * 60_000
    held = reader.held()
    assert (len(held), held[0]) == (450, last - 60 - 449)
    assert reader.settle((last - 5) * 60_000) == last * 60_000
    # Of 80 hours those 72 that are kept were noted as settled, each once.
    noted = reader.settled_since(0)
    assert [minute for minute, _at in noted] == list(range(last - 72 * 60, last))
