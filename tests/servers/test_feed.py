"""What the page's feed shows of settled minutes, against a plain reader of the same Redis, whatever happens between two looks."""

import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.catalog import load_catalog
from streams.expose.alert_french import Words
from streams.expose.incidents import IncidentParts
from streams.expose.page import Feed, Sources
from streams.expose.page.minutes_read import IN_TURN_MINUTES
from streams.expose.page.picture import WINDOW_MINUTES
from streams.expose.scope import FRANCE
from streams.live import AlertStore, LiveKeeper
from streams.live.connection import RedisAddress
from streams.settings import default_config_dir
from tests.servers.observers import Filler, Place, events, now_minute
from tests.stand_ins import NOBODY

pytestmark = pytest.mark.servers

CATALOG = load_catalog(default_config_dir())
AWAY = RedisAddress("redis://127.0.0.1:9/0")
LOOKS = -(-WINDOW_MINUTES // IN_TURN_MINUTES) + 1


class Morning:
    """Minutes that are counted and settle one after the other; `may_show`: what Redis held of a settled minute since it settled."""

    def __init__(self, redis_url, directory):
        self.place = Place(redis_url, f"feed.{uuid.uuid4().hex[:12]}", directory)
        address = RedisAddress(redis_url)
        self.reader, self.away = LiveKeeper(address, self.place.prefix), LiveKeeper(AWAY, self.place.prefix)
        store = AlertStore(address, self.place.prefix)
        incidents = IncidentParts(store, Words(CATALOG, 0), lambda: None, lambda: 0)
        sources = Sources(lambda *_: (), lambda: None, None, NOBODY, incidents)
        self.feed = Feed(self.reader, lambda: None, CATALOG, 20_000, sources)
        self.first = now_minute() - 150
        self.begin()

    def begin(self):
        """Forty minutes that settle at once; the first of a chain is not whole."""
        self.filler = Filler(self.place, CATALOG.digest)
        self.settled, self.may_show = self.first, {}
        self.counts = dict.fromkeys(range(self.first, self.first + 40), 5)
        self.filler.count({minute: events(5) for minute in self.counts}, watermark_ms=1)
        self.settle(40)

    def count(self, ahead, number):
        """Events of a minute that runs, or late ones."""
        minute = max(self.first, self.settled + ahead)
        self.filler.count({minute: events(number)}, watermark_ms=1)
        self.counts[minute] = self.counts.get(minute, 0) + number
        if minute < self.settled:
            self.may_show.setdefault(minute, {0}).add(self.counts[minute])

    def settle(self, minutes):
        for _minute in range(min(minutes, now_minute() - self.settled)):
            self.may_show[self.settled] = {self.counts.get(self.settled, 0)}
            self.settled += 1
        self.reader.settle(self.settled * 60_000)

    def look(self, _number=0):
        self.feed.look()
        picture = self.feed.picture
        assert picture.problem is None
        assert picture.grid.start > self.first, "the minute in which counting began is drawn, and it is not whole"
        for minute, shown in self.shown().items():
            assert shown in self.may_show.get(minute, {0}), (
                f"minute {minute - self.first} of {self.settled - self.first}"
            )

    def shown(self):
        picture = self.feed.picture
        return {m: picture.minutes[m].of_scope(FRANCE)[0] if m in picture.minutes else 0 for m in picture.grid}

    def rest(self, _number=0):
        self.feed.rest()

    def lose(self, _number=0):
        """Redis does not answer once."""
        self.feed._reader = self.away
        self.feed.look()
        self.feed._reader = self.reader
        assert self.feed.picture.snapshot is None

    def reset(self, number):
        """Redis is emptied, in a rest or while somebody looks, and counted into again."""
        for key in self.reader._redis.scan_iter(match=f"{self.reader._base}*"):
            self.reader._redis.delete(key)
        if number % 2:
            self.rest()
        else:
            self.feed.look()
            assert not self.feed.picture.grid
        self.begin()

    def looked_at_long_enough(self):
        for _look in range(LOOKS):
            self.look()
        plain = {m.minute: sum(n for field, n in m.counts.items() if field[0] == "e") for m in self.reader.minutes()}
        assert self.shown() == {m: plain.get(m, 0) for m in self.feed.picture.grid}
        assert list(self.shown())[-1] == self.settled - 1


STEPS = st.one_of(
    st.tuples(st.just("count"), st.integers(0, 2), st.integers(1, 50)),
    st.tuples(st.just("count"), st.integers(-60, -1), st.integers(1, 50)),  # late
    st.tuples(st.just("settle"), st.sampled_from([1, 1, 2, 7, 40])),
    st.tuples(st.sampled_from(["look", "look", "rest", "lose", "reset"]), st.integers(0, 1)),
)


@given(st.lists(STEPS, min_size=4, max_size=25))
@example([("count", 0, 10), ("look", 0), ("count", 0, 40), ("count", 1, 30), ("rest", 0), ("settle", 7), ("look", 0)])
@example([("count", 2, 10), ("look", 0), ("count", 2, 40), ("settle", 7), ("look", 0)])
@example([("count", 1, 10), ("settle", 2), ("look", 0), ("reset", 1), ("count", 1, 3), ("settle", 2), ("look", 0)])
@settings(max_examples=30)
def test_a_settled_minute_is_shown_as_it_was_read_after_it_settled(redis_server, tmp_path_factory, steps):
    morning = Morning(redis_server.url, tmp_path_factory.getbasetemp())
    for name, *numbers in steps:
        getattr(morning, name)(*numbers)
    morning.looked_at_long_enough()


def test_what_was_expected_is_asked_once_for_each_judged_minute(redis_server, tmp_path):
    """It costs more than all else that a page needs in a second."""
    morning = Morning(redis_server.url, tmp_path)
    judged, asked = [morning.settled], []

    def expected(*about):
        asked.append(about)
        return ()

    sources = Sources(expected, lambda: judged[0], None, NOBODY, morning.feed.sources.incidents)
    feed = Feed(morning.reader, lambda: None, CATALOG, 20_000, sources)
    for _ in range(3):
        feed.look()
        feed._asked_alerts = None  # some seconds later
    once = len(asked)
    assert once == len(CATALOG.region_codes) + len(CATALOG.project_codes)
    judged[0] += 1
    feed.look()
    assert len(asked) == 2 * once
    assert feed.picture.judged_to == judged[0]
