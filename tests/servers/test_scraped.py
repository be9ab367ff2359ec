"""Observers scraped by a real Prometheus, with the configuration that is shipped."""

import urllib.parse
import urllib.request
import uuid

import orjson
import pytest

from streams.catalog import load_catalog
from streams.expose.collector import SettledMinutes
from streams.live import LiveReader
from streams.live.connection import RedisAddress
from streams.local import Process, ScrapedPorts, free_ports, prometheus
from streams.settings import default_config_dir
from tests.servers.observers import Filler, Place, events, now_minute, observing, settled_past
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

CATALOG = load_catalog(default_config_dir())
PAIRS = len(CATALOG.region_codes) * len(CATALOG.service_codes)


def test_prometheus_holds_the_minutes_at_their_own_time(redis_server, tmp_path):
    place = Place(redis_server.url, f"scraped.{uuid.uuid4().hex[:12]}", tmp_path)
    filler = Filler(place, CATALOG.digest, partitions=2)
    first = now_minute() - 45
    filler.count({first + n: events(100 + n) for n in range(40)}, watermark_ms=(first + 40) * 60_000)
    (port,) = free_ports(1)
    with observing(place) as one, observing(place) as two:
        wait_until(lambda: settled_past(one, first + 39))
        ports = ScrapedPorts(observers=(one.port, two.port), workers=(), prometheus=port, alertmanager=9, collector=9)
        program = prometheus(tmp_path, ports)
        config = tmp_path / "prometheus" / "prometheus.yml"  # as it is shipped, only quicker
        config.write_text(
            config.read_text().replace("_interval: 5s", "_interval: 2s").replace("_timeout: 4s", "_timeout: 2s")
        )
        server = Process(program)
        try:
            server.wait_ready()
            both = "max without (instance) (ent_minute_events)"
            total = f"sum({both})"
            wait_until(lambda: _query(port, total, first + 39) == [139.0], 30)
            assert [_query(port, total, first + n) for n in range(40)] == [[100.0 + n] for n in range(40)]
            visits = "sum(max without (instance) (ent_minute_visits))"
            assert [_query(port, visits, first + n) for n in range(40)] == [[(100 + n) // 3] for n in range(40)]
            # Both observers are there, every pair too, the zeros included.
            wait_until(lambda: _query(port, "count(ent_minute_events)", first) == [2.0 * PAIRS], 30)
            assert _query(port, "count(ent_minute_service_visits)", first) == [2.0 * PAIRS]
            # A scrape that a busy machine did not answer in time is tried again.
            events_total = "sum(max without (instance) (ent_events_total))"
            wait_until(lambda: _query(port, events_total) == [sum(100.0 + n for n in range(40))], 30)
            # A minute that settles later, while Prometheus has newer samples of nothing else: it comes at its own time too.
            filler.count({first + 40: events(7), first + 10: events(1000)}, watermark_ms=(first + 41) * 60_000)
            wait_until(lambda: _query(port, total, first + 40) == [7.0], 30)
            assert (tmp_path / "log" / "prometheus.log").read_text().count("level=warn") == 0
        finally:
            server.stop()


def test_a_settled_minute_is_read_again_only_when_it_changed(redis_server, tmp_path):
    place = Place(redis_server.url, f"scraped.{uuid.uuid4().hex[:12]}", tmp_path)
    filler = Filler(place, CATALOG.digest)
    first = now_minute() - 30
    filler.count({first: events(12), first + 1: events(5)})
    reader = LiveReader(RedisAddress(place.redis_url), place.prefix)
    minutes = SettledMinutes(reader, CATALOG)
    before = minutes.read([first, first + 1, first + 2])
    assert [one.counts.get(("e", "44", "NOTES")) for one in before] == [12, 5, None]
    filler.count({first + 1: events(1, region="GONE")})  # a late one, of a region that no list holds
    after = minutes.read([first, first + 1, first + 2])
    assert after[0] is before[0]
    assert after[1].counts["e", "GONE", "NOTES"] == 1
    assert minutes.read([first + 1])[0] is after[1]
    reader.close()


def _query(port: int, expression: str, minute: int | None = None) -> list[float]:
    asked = {"query": expression, **({} if minute is None else {"time": str(minute * 60)})}
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode(asked)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return [float(result["value"][1]) for result in orjson.loads(answer.read())["data"]["result"]]
