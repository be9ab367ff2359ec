"""A prefix that is closed while its counts are made, opened with a base, and the old one removed to its last key."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from streams.count import Cut
from streams.errors import StateError
from streams.live import ArchiveReader, PrefixBook
from streams.observe import progress_problem
from tests.servers.conftest import RedisServer
from tests.servers.test_live_scripts import EVENTS, Live

pytestmark = pytest.mark.servers
VISITS = (Cut.VISITS, "44")


@pytest.fixture
def live(redis_server: RedisServer, request: pytest.FixtureRequest) -> Iterator[Live]:
    one = Live(redis_server.url, f"prefixes.{abs(hash(request.node.name))}")
    yield one
    one.close()


def test_closed_then_open_with_a_base(live: Live) -> None:
    with closing(PrefixBook(live.address, live.prefix)) as book:
        assert book.begin("old")  # before any worker came
        live.prepare()
        live.apply(None, 10, 3)
        live.reader.settle(120_000)
        assert book.begin("old"), "it may be run again"
        snapshot = live.reader.snapshot()
        assert "beside those of old" in str(progress_problem(snapshot))
        assert progress_problem(snapshot, may_be_closed=True) is None
        with closing(ArchiveReader(live.address, live.prefix)) as archive:
            assert archive.state().settled_ms is None, "closed counts are not archived, nor judged"
        with pytest.raises(StateError, match="not closed beside another"):
            book.open("another", {})
        book.open("old", {EVENTS: 40, VISITS: 7})
        live.apply(10, 12, 2)
        snapshot = live.reader.snapshot()
        assert progress_problem(snapshot) is None
        assert snapshot.continues == "old"
        assert snapshot.totals == {EVENTS: 5}
        assert snapshot.totals_of_all_time() == {EVENTS: 45, VISITS: 7}
        with closing(ArchiveReader(live.address, live.prefix)) as archive:
            assert archive.state().settled_ms == 120_000
            assert archive.hour(60, 120).totals == {EVENTS: 45, VISITS: 7}
        assert not book.begin("old"), "it has taken its place already"


def test_a_prefix_in_use_is_not_closed(live: Live) -> None:
    live.prepare()
    live.apply(None, 10)
    live.reader.settle(120_000)
    with closing(PrefixBook(live.address, live.prefix)) as book, pytest.raises(StateError, match="in use already"):
        book.begin("old")
    assert live.reader.snapshot().beside is None


def test_nothing_is_left_of_a_prefix_that_is_removed(live: Live) -> None:
    other = Live(live.address.url, live.prefix + ".2")
    for one in (live, other):
        one.prepare()
        for number in range(700):  # more than one call removes
            one.apply(number or None, number + 1, minute=100 + number)
        one.reader.settle(120_000)
        one.raw.hset(one.key("unseen:service"), "X", 1)
        one.raw.pfadd(one.key("sketch:100:ua:44:12"), "a")
        one.raw.zadd(one.key("sketches"), {"100:ua:44:12": 100})
        one.raw.pfadd(one.key("day:2026-09-01:dl:44"), "a")
        one.raw.zadd(one.key("days"), {"2026-09-01:dl:44": 20260901})
    with closing(PrefixBook(live.address, live.prefix)) as book:
        assert book.remove() > 700
        assert book.remove() == 0
    assert list(live.raw.scan_iter(match="{" + live.prefix + "}:*")) == []
    assert len(other.reader.held()) == 700
    other.close()
