"""Users and establishments over a real Redis: unions of sketches, never sums; local days; trimmed; gone with Redis."""

import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import pytest

from streams.catalog import control_letter, load_catalog
from streams.clock import iso_utc
from streams.count import Batch, Counting, CountingRules, Delta, PartitionCounter, Sketch
from streams.count.local_dates import LocalDays
from streams.events import EventBounds
from streams.live import LiveKeeper, SketchReader
from streams.live.connection import RedisAddress, connect
from streams.observe import Census, ObserverRules, take_census
from streams.observe import Observer as ObserverLoop
from streams.settings import default_config_dir
from streams.small_numbers import SmallNumbers
from tests.servers.observers import Filler, Observer, Place, observing, say_the_same, vigie
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

CATALOG = load_catalog(default_config_dir())
#: HyperLogLog has 0.81 % standard error; this is more than three of them.
CLOSE = 0.03


@pytest.fixture
def place(redis_server, tmp_path):
    return Place(redis_server.url, f"users.{uuid.uuid4().hex[:12]}", tmp_path)


@pytest.fixture
def filler(place):
    return Filler(place, CATALOG.digest)


@pytest.fixture
def reader(place):
    one = LiveKeeper(RedisAddress(place.redis_url), place.prefix)
    yield one
    one.close()


@pytest.fixture
def sketches(place):
    one = SketchReader(RedisAddress(place.redis_url), place.prefix, CATALOG, SmallNumbers(1))
    yield one
    one.close()


def has_users(observer: Observer) -> bool:
    return ("ent_users", "-", "5m") in observer.scrape(minutes=False)


def people(first: int, end: int) -> list[str]:
    return [f"v{number}" for number in range(first, end)]


def close(number: int):
    return pytest.approx(number, rel=CLOSE)


def a_quarter_of_an_hour(last: int) -> Delta:
    """Two academies of region 44 and one of 11, two projects; half of everybody comes back, some in another region.

    `last` is the last settled minute; what matters is who is in which of the two windows, and what lies outside of both.
    """
    nancy, reims, paris = (Sketch.ACADEMY_USERS, "44", "12"), (Sketch.ACADEMY_USERS, "44", "19"), ("ua", "11", "01")
    mbn, monlycee = (Sketch.PROJECT_USERS, "mbn"), (Sketch.PROJECT_USERS, "monlycee")
    schools, project_schools = (Sketch.REGION_SCHOOLS, "44"), (Sketch.PROJECT_SCHOOLS, "mbn")
    uais = [f"054{number:04d}X" for number in range(300)]
    delta = Delta(None, 0, 0, int(time.time() * 1000), (last + 1) * 60_000, 100)
    delta.minute_sketches = {
        last + 1: {nancy: people(90_000, 90_400)},  # running
        last: {nancy: people(0, 2000), mbn: people(0, 2000), schools: uais, project_schools: uais},
        last - 4: {reims: people(1000, 3000), paris: people(2500, 3500), mbn: people(1000, 3000)},
        last - 5: {nancy: people(3000, 4000), mbn: people(3000, 4000)},
        last - 14: {paris: people(0, 500), monlycee: people(0, 500), schools: [*uais, "0540300X"]},
        last - 15: {paris: people(50_000, 55_000), schools: [f"055{number:04d}X" for number in range(300)]},
    }
    counts = {("e", "44", "NOTES"): 9, ("p", "mbn"): 9, ("f", "ELEVE", "44"): 9, ("a", "12"): 9, ("v", "44"): 2}
    delta.minutes = {minute: dict(counts) for minute in (*delta.minute_sketches, last - 40)}
    return delta


def test_users_are_unions_of_settled_minutes(place, filler):
    last = int(time.time()) // 60 - 3
    filler.apply(a_quarter_of_an_hour(last))
    with observing(place) as one, observing(place) as two:
        # Labels come in the order of their names.
        for observer in (one, two):
            wait_until(partial(has_users, observer))
        wait_until(lambda: say_the_same(one, two))
        samples = one.scrape(minutes=False)
        assert samples["ent_users", "44", "5m"] == close(3000)  # not 4000
        assert samples["ent_users", "11", "5m"] == close(1000)
        assert samples["ent_users", "-", "5m"] == close(3500)  # not 4000
        assert samples["ent_users", "44", "15m"] == close(4000)
        assert samples["ent_users", "11", "15m"] == close(1500)
        assert samples["ent_users", "-", "15m"] == close(4000)
        assert samples["ent_users", "53", "15m"] == 0
        assert samples["ent_academy_users", "12", "5m"] == close(2000)
        assert samples["ent_academy_users", "19", "15m"] == close(2000)
        assert samples["ent_project_users", "mbn", "15m"] == close(4000)
        assert samples["ent_project_users", "monlycee", "5m"] == 0
        assert samples["ent_establishments_reporting", "-"] == close(301)
        assert samples["ent_establishments_reporting", "44"] == close(301)
        assert samples["ent_project_establishments_reporting", "mbn"] == close(300)

        status, state = one.json("/api/v1/status")
        assert status == 200
        assert state["users"]["5m"] == samples["ent_users", "-", "5m"]
        assert state["users"]["15m"] == samples["ent_users", "-", "15m"]
        assert state["establishments"] == samples["ent_establishments_reporting", "-"]
        printed = orjson.loads(vigie(place, "status", "--json").stdout)
        assert (printed["users"], printed["establishments"]) == (state["users"], state["establishments"])

        # By minute: of those alone whose sketches are held.
        rows = one.json("/api/v1/minutes?by=region")[1]["rows"]
        assert rows == [
            orjson.loads(line) for line in vigie(place, "minutes", "--json", "--by=region").stdout.splitlines()
        ]
        by_row = {(row["minute"], row["region"]): row for row in rows}
        assert by_row[iso_utc(last * 60_000), "44"]["users"] == close(2000)
        assert by_row[iso_utc(last * 60_000), "44"]["visits"] == 2
        assert by_row[iso_utc((last - 4) * 60_000), "11"] == {
            "minute": iso_utc((last - 4) * 60_000),
            "region": "11",
            "events": 0,
            "visits": 0,
            "users": close(1000),
            "settled": True,
        }
        assert by_row[iso_utc((last + 1) * 60_000), "44"]["users"] == close(400)  # a running one too
        assert "users" not in by_row[iso_utc((last - 40) * 60_000), "44"]
        national = one.json("/api/v1/minutes?by=none&measure=users")[1]["rows"]
        assert [row["users"] for row in national] == [close(n) for n in (5000, 500, 1000, 2500, 2000, 400)]
        assert set(national[0]) == {"minute", "users", "settled"}

        # Redis emptied: nothing of before is said about what is there now.
        client: Any = connect(RedisAddress(place.redis_url))
        client.delete(*client.keys("{" + place.prefix + "}:*"))
        client.close()
        wait_until(lambda: not [key for key in one.scrape(minutes=False) if key[0].endswith(("_users", "_reporting"))])


def uai(digits: str) -> str:
    return digits + control_letter(digits)


PARIS, REUNION = uai("0750001"), uai("9740001")


@pytest.mark.parametrize("shift_seconds", [0, -30 * 86_400 - 1800])
def test_a_day_ends_at_midnight_where_the_region_is(filler, sketches, shift_seconds):
    """Counted by a worker's counter; in winter midnight is 23:00 UTC in Paris, 20:00 UTC in La Réunion."""

    def epoch_ms(year: int, month: int, day: int, hour: int, minute: int) -> int:
        return int((datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() - shift_seconds) * 1000)

    seen = [
        ("a", REUNION, epoch_ms(2026, 12, 7, 19, 50)),
        ("b", REUNION, epoch_ms(2026, 12, 7, 20, 10)),
        ("c", PARIS, epoch_ms(2026, 12, 7, 22, 50)),
        ("d", PARIS, epoch_ms(2026, 12, 7, 23, 10)),
        ("a", PARIS, epoch_ms(2026, 12, 7, 23, 15)),
        ("e", REUNION, epoch_ms(2026, 12, 7, 23, 20)),
    ]
    values = [
        orjson.dumps({"v": 1, "id": f"{visitor}{ts}", "ts": ts, "visitor": visitor, "uai": school})
        for visitor, school, ts in seen
    ]
    end_ms = epoch_ms(2026, 12, 7, 23, 30)
    counter = PartitionCounter(Counting(CountingRules.of(CATALOG, EventBounds(), 20_000, shift_seconds)), None)
    filler.apply(counter.count([Batch(end_ms, values, [None] * 6, range(6), 6)]))

    def figures(hour: int, minute: int) -> tuple[int | None, int | None, int | None]:
        settled_ms = epoch_ms(2026, 12, 7, hour, minute)
        day = take_census(sketches, settled_ms, CATALOG, LocalDays(CATALOG, shift_seconds)).users["day"]
        return day.by_region.get("04", 0), day.by_region.get("11", 0), day.national

    assert figures(19, 59) == (1, 1, 3)  # France has a, b and c on that day
    assert figures(20, 0) == (2, 1, 3)  # the next day of La Réunion: b and e
    assert figures(22, 59) == (2, 1, 3)
    assert figures(23, 0) == (2, 2, 3)  # the next day of Paris: a and d there, e in La Réunion


def test_sketches_are_trimmed(place, filler, reader, sketches, monkeypatch):
    settled = datetime(2026, 9, 10, 6, tzinfo=UTC)
    last = int(settled.timestamp()) // 60
    delta = Delta(None, 0, 0, last * 60_000, last * 60_000, 100)
    academies = [(Sketch.ACADEMY_USERS, region.code, a.code) for region in CATALOG.regions for a in region.academies]
    delta.minute_sketches = {last - n: {key: ["v"] for key in academies} for n in range(45)}
    delta.day_sketches = {f"2026-09-{day:02d}": {(Sketch.LOCAL_DAY, "44"): ["v"]} for day in range(3, 11)}
    filler.apply(delta)
    reader.settle(last * 60_000)
    rules = ObserverRules(CATALOG, LocalDays(CATALOG, 0), 20_000, 72)
    loops = [ObserverLoop(reader, sketches, rules) for _ in range(2)]
    for loop in loops:
        loop.round()

    def census() -> Census:
        found = loops[0].census
        assert found is not None
        return found

    client: Any = connect(RedisAddress(place.redis_url))
    try:
        base = "{" + place.prefix + "}:"
        minutes = sorted(int(key.removeprefix(base).split(":")[1]) for key in client.keys(base + "sketch:*"))
        assert minutes == sorted([*range(last - 20, last + 1)] * len(academies))
        assert client.zcard(base + "sketches") == len(minutes)
        days = sorted(key.removeprefix(base).split(":")[1] for key in client.keys(base + "day:*"))
        assert days == ["2026-09-07", "2026-09-08", "2026-09-09", "2026-09-10"]
        assert client.zcard(base + "days") == len(days)
    finally:
        client.close()
    assert loops[0].census == loops[1].census
    assert census().users["15m"].national == 1

    # Taken anew when another minute has settled, but not at every one that settles in a catch-up.
    reader.settle((last + 6) * 60_000)
    loops[0].round()
    assert census().minute == last
    monkeypatch.setattr("streams.observe.loop.CENSUS_SECONDS_MIN", 0)
    loops[0].round()
    assert (census().minute, census().users["5m"].national) == (last + 6, 0)
    assert census().users["15m"].national == 1
