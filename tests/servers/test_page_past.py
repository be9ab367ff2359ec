"""The curve's past from a real Redis: what it holds, what is a measured zero, what nobody knows."""

import uuid

import numpy as np
import pytest

from streams.catalog import load_catalog
from streams.expose.codes import Codes
from streams.expose.page.minutes_read import MinuteFigures
from streams.expose.page.older_minutes import PastVisits
from streams.expose.scope import Scope
from streams.live import LiveReader, MinuteCounts
from streams.live.connection import RedisAddress
from streams.settings import default_config_dir
from tests.servers.observers import Filler, Place
from tests.servers.scenes import fill, minute_counts

pytestmark = pytest.mark.servers

CATALOG = load_catalog(default_config_dir())
FIRST, MINUTES, VISITS = 29_000_000, 40, 9_000
SCOPES = [
    Scope("france", ""),
    Scope("france", "", "PAGE_ENT"),
    Scope("region", "44"),
    Scope("region", "44", "CAHIER_TEXTES"),
    Scope("academy", "12"),
    Scope("project", "mbn"),
]


@pytest.fixture(scope="module")
def place(redis_server, tmp_path_factory):
    place = Place(redis_server.url, f"past.{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("past"))
    filler = Filler(place, CATALOG.digest)
    fill(filler, CATALOG, FIRST, FIRST + MINUTES, lambda minute: 0 if minute == FIRST + 20 else 1 + minute % 3, VISITS)
    return place


@pytest.fixture
def past(place):
    reader = LiveReader(RedisAddress(place.redis_url), place.prefix)
    yield PastVisits(None, reader, CATALOG, 0)
    reader.close()


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: f"{scope.kind} {scope.service or ''}")
def test_every_scope_is_read_as_the_feed_reads_it(past, scope):
    codes = Codes.of(CATALOG)
    found = past.between(scope, FIRST, FIRST + MINUTES, None)
    for at in (0, 7, MINUTES - 1):
        counts = MinuteCounts(FIRST + at, minute_counts(CATALOG, FIRST + at, 1 + (FIRST + at) % 3, VISITS))
        assert found[at] == MinuteFigures.of(counts, codes).of_scope(scope)[1] > 0
    assert found[20] == 0  # held by nobody, between minutes that are: a measured zero


def test_what_nobody_counted_is_unknown(past):
    france = SCOPES[0]
    assert np.isnan(past.between(france, FIRST - 5, FIRST + 3, None)).tolist() == [True] * 5 + [False] * 3
    assert np.isnan(past.between(france, FIRST, FIRST + 3, FIRST + 1)).tolist() == [True, False, False]
    assert np.isnan(past.between(france, FIRST - 9, FIRST - 5, None)).all()


def test_minutes_are_asked_once_in_a_while(past, place, monkeypatch):
    france = SCOPES[0]
    before = past.between(france, FIRST, FIRST + 5, None)
    late = Filler(place, CATALOG.digest, positions={0: 100 * (MINUTES // 10)})
    late.count({FIRST + 2: {("v", "44"): 1000}})
    assert past.between(france, FIRST, FIRST + 5, None).tolist() == before.tolist()
    monkeypatch.setattr("streams.expose.page.older_minutes.LIVE_SECONDS", 0.0)
    assert (past.between(france, FIRST, FIRST + 5, None) - before).tolist() == [0, 0, 1000, 0, 0]
