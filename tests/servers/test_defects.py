"""A defect in any part of an observer is shown wherever somebody looks; what a stranger wrote into Redis is none, and stops nothing."""

import uuid
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import redis

from streams.background import BackgroundLoop
from streams.catalog import load_catalog
from streams.count import Delta
from streams.errors import RedisUnavailable
from streams.expose.probes import open_detector, open_keeper
from streams.live import AlertStore
from streams.live.connection import RedisAddress
from streams.settings import default_config_dir
from tests.servers.conftest import RedisServer
from tests.servers.observers import Filler, Place, events, now_minute, observing_server, vigie
from tests.servers.test_alert_store import alert
from tests.waiting import wait_until

pytestmark = pytest.mark.servers
CATALOG = load_catalog(default_config_dir())


@pytest.fixture
def place(redis_server: RedisServer, tmp_path: Path) -> Place:
    return Place(redis_server.url, f"test.{uuid.uuid4().hex[:12]}", tmp_path, archive_dir=tmp_path / "archive")


@pytest.fixture
def filler(place: Place) -> Filler:
    return Filler(place, CATALOG.digest, partitions=2)


def problems(place: Place) -> list[str]:
    """Those that `vigie status` names."""
    return list(orjson.loads(vigie(place, "status", "--json").stdout)["problems"])


def test_a_defect_of_any_part_is_shown_wherever_somebody_looks_and_so_is_its_end(
    place: Place, filler: Filler, caplog: pytest.LogCaptureFixture
) -> None:
    filler.count({now_minute(): events(3)}, watermark_ms=1)

    def fail() -> None:
        raise KeyError("date")

    with observing_server(place) as (observer, server):
        parts = {loop.rules.name: loop for loop in server.loops.all}
        herald = parts.pop("herald")
        assert {"observer", "archivist", "detector", "page", "prober"} < set(parts)

        def shown(name: str, loop: BackgroundLoop) -> None:
            wait_until(lambda: observer.get("/readyz")[0] == 503)
            said = observer.json("/readyz")[1]
            assert said["reason"].startswith(f"{name}: a defect of Vigie (KeyError: 'date')")
            assert said["reason"] in said["problems"]
            samples = observer.scrape(minutes=False)
            assert samples["ent_problem", name] == 1
            assert 1 <= samples["ent_defects_total", name] <= loop.state.defects
            herald.wake()
            wait_until(lambda: any(f": {name}: a defect" in text for text in problems(place)))

        wait_until(lambda: observer.get("/readyz")[0] == 200)
        for name, loop in parts.items():
            action, loop._action = loop._action, fail
            loop.wake()
            shown(name, loop)
            loop._action = action
            loop.wake()
            wait_until(lambda: observer.get("/readyz")[0] == 200)
            assert observer.scrape(minutes=False)["ent_problem", name] == 0
        herald.wake()
        wait_until(lambda: not any("defect" in text for text in problems(place)))
        assert caplog.text.count("Traceback") == len(parts), "once each"
    with redis.Redis.from_url(place.redis_url) as client:
        assert client.hgetall("{" + place.prefix + "}:observers") == {}, "it said good-bye"


#: Key, entry (None: the whole key) and what a stranger wrote there.
FOREIGN: list[tuple[str, str | None, str | bytes]] = [
    ("meta", "settled_ms", "yesterday"),
    ("meta", "settled_ms", "9" * 18),
    ("meta", "settled_ms", "4102444800000"),  # the year 2100
    ("meta", "partitions", "1e9"),
    ("meta", "partitions", "999999999"),
    ("meta", "trimmed_before", ""),
    ("meta", "missed_events", "-1"),
    ("meta", "judged_minute", "12.5"),
    ("meta", None, "no hash"),
    ("offsets", "0", "1 2 3"),
    ("offsets", "0", "5 1 1 1"),
    ("offsets", "zero", "0 1 1 1"),
    ("heartbeats", "0", "{}"),
    ("heartbeats", "0", '{"worker":1}'),
    ("heartbeats", "1", b"\xff\xfe"),
    (
        "heartbeats",
        "0",
        '{"worker":"w","pid":1,"port":1,"position":1,"end":null,"lag_seconds":0,"at_ms":99999999999999}',
    ),
    ("totals", "e:44:NOTES", "many"),
    ("totals", "e:44", "1"),
    ("totals", "", "1"),
    ("minute", "e:44:NOTES", "\u0661"),
    ("minute", "v", "1"),
    ("minute", None, "no hash"),
    ("archives", "a", '{"minute":1}'),
    ("archives", "a", "no JSON"),
    ("archives", "a", '{"minute":1,"date":20260901,"at_ms":4102444800000}'),
    ("archives", None, "no hash"),
    ("alerts", "surge:region=44:1740000000000", "{}"),
    ("alerts", "surge:region=44:1740000000000", '{"id":'),
    ("alert_places", "a place", "no id and no minute"),
    ("unseen:service", "X", "some"),
    ("observers", "a:8000", "no JSON"),
    ("sketch", None, b"HYLL\x01" + bytes(11) + b"\x7f"),
    ("sketch", None, b"no sketch"),
    ("day", None, b"HYLL\x01" + bytes(11) + b"\x7f"),
]
PATHS = (
    "/metrics",
    "/api/v1/status",
    "/api/v1/minutes",
    "/api/v1/alerts",
    "/api/v1/incidents",
    "/api/v1/unseen",
    "/readyz",
    "/",
)


def test_what_a_stranger_wrote_is_named_and_stops_no_part(place: Place, filler: Filler) -> None:
    minute = now_minute() - 2
    sketches = {minute: {("ua", "44", "12"): ["a"], ("sr", "44"): ["b"]}}
    filler.apply(
        Delta(None, 0, 0, minute * 60_000, (minute + 1) * 60_000, 1, {minute: events(3)}, minute_sketches=sketches,
            day_sketches={"2026-09-01": {("dl", "44"): ["a"]}}, unseen={("service", "X"): 1})
    )  # fmt: skip
    AlertStore(RedisAddress(place.redis_url), place.prefix).judged(29_000_003, [alert()], [])
    base = "{" + place.prefix + "}:"
    keys = {"minute": f"minute:{minute}", "sketch": f"sketch:{minute}:ua:44:12", "day": "day:2026-09-01:dl:44"}
    client = redis.Redis.from_url(place.redis_url)
    with observing_server(place) as (observer, server):
        wait_until(lambda: observer.get("/readyz")[0] == 200)
        for name, entry, value in FOREIGN:
            key = base + keys.get(name, name)
            before = client.dump(key)
            if entry is None:
                client.set(key, value)
            else:
                client.hset(key, entry, value)
            seen = {loop: loop.state.rounds + loop.state.failures_total for loop in server.loops.vital}
            for loop in seen:
                loop.wake()
            wait_until(lambda: all(loop.state.rounds + loop.state.failures_total > n for loop, n in seen.items()))  # noqa: B023
            server._feed.look()
            answers = {path: observer.get(path)[0] for path in PATHS}
            assert set(answers.values()) <= {200, 503}, (name, entry, value, answers)
            assert server.loops.defects() == (), (name, entry, value)
            client.delete(key)
            if before is not None:
                client.restore(key, 0, before)
        for loop in server.loops.vital:
            loop.wake()
        wait_until(lambda: server.loops.problems() == (), 30)
        assert [loop.state.defects for loop in server.loops.all] == [0] * len(server.loops.all)
    client.close()


def test_an_alert_that_ended_while_redis_did_not_answer_is_told_once_it_does(
    place: Place, filler: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = now_minute() - 10
    filler.count({minute: events(3)}, watermark_ms=(minute + 1) * 60_000)
    settings = place.settings(1)
    reader = open_keeper(settings)
    reader.settle((minute + 1) * 60_000)
    detector = open_detector(settings, CATALOG, lambda: None)
    detector.load()
    detector.follow()
    known, away = detector._parts, AlertStore(RedisAddress("redis://127.0.0.1:9/0"), place.prefix)
    ended = alert(start=minute - 5, until=minute, over=True)
    with monkeypatch.context() as patch:
        patch.setattr(type(detector._never), "feed", lambda *_: [ended])  # the next minute ends it
        detector._parts = replace(known, store=away)
        reader.settle((minute + 2) * 60_000)
        with pytest.raises(RedisUnavailable):
            detector.follow()
    detector._parts = known
    detector.follow()
    detector.follow()
    assert [told.id for told in known.store.book().alerts] == [ended.id]
