"""The observer's small threads: the page's feed loses no page that asks, and neither it nor the look at Kafka says what nobody knows."""

import threading
import time
from dataclasses import replace

import pytest

from streams.catalog import Catalog
from streams.errors import ServerError
from streams.expose.page import Feed
from streams.expose.page.feed import PERIOD_SECONDS
from streams.expose.probes import KAFKA_LOOKS, Prober, probe_kafka
from tests.stand_ins import NOBODY
from tests.waiting import wait_until


class NoServer(Feed):
    """A feed that asks no server: `look` is another one."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(NOBODY, lambda: None, catalog, 20_000, NOBODY)


class Askable(NoServer):
    """A feed for which a page asks just after it looked whether any did."""

    looks = 0
    asked_in_between = False

    @property
    def _asked_at(self) -> float:
        seen: float = self.__dict__["asked_at"]
        if self.looks == 0 and not self.asked_in_between:
            self.asked_in_between = True
            self.wanted()
        return seen

    @_asked_at.setter
    def _asked_at(self, at: float) -> None:
        self.__dict__["asked_at"] = at

    def look(self) -> None:
        self.looks += 1


def test_a_page_that_opens_just_when_the_feed_goes_to_rest_is_served(catalog) -> None:
    feed = Askable(catalog)
    feed.loop.start()
    wait_until(lambda: feed.looks)
    feed.loop.stop(5)


def test_pages_that_ask_do_not_make_it_look_more_often(catalog) -> None:
    feed = Askable(catalog)
    feed.loop.start()
    began = time.monotonic()
    while time.monotonic() < began + 0.5:
        feed.wanted()
        time.sleep(0.001)
    feed.loop.stop(5)
    # As many as there were periods, whatever a busy machine makes of half a second.
    assert 1 <= feed.looks <= 2 + (time.monotonic() - began) / PERIOD_SECONDS


class Raising(NoServer):
    wrong = True

    def look(self) -> None:
        if self.wrong:
            raise KeyError("date")


def test_a_look_that_nobody_foresaw_is_shown_on_the_page_and_the_feed_goes_on(catalog) -> None:
    feed = Raising(catalog)
    feed.loop.start()
    feed.wanted()
    wait_until(lambda: feed.picture.problem)
    assert "KeyError: 'date'" in (feed.picture.problem or "")
    assert feed.picture.snapshot is None
    assert "page: " in (feed.loop.defect() or "")
    feed.wrong = False
    wait_until(lambda: feed.loop.problem() is None)
    feed.loop.stop(5)


@pytest.mark.parametrize("error", [ValueError("port"), ServerError("no answer"), SystemExit()])
def test_a_look_at_kafka_that_fails_says_nothing_of_kafka(error) -> None:
    answers = [True, error]
    looked = threading.Event()

    def look() -> bool:
        answer = answers.pop(0) if answers else error
        if answer is True:
            return True
        looked.set()
        raise answer

    prober = Prober(look, replace(KAFKA_LOOKS, period_seconds=0.01))
    prober.loop.start()
    assert looked.wait(5)
    wait_until(lambda: prober.known is None)
    assert prober.loop.problem() is not None
    prober.loop.end()


@pytest.mark.parametrize("server", ["x" * 64 + ":9092", "a..b:9092"])
def test_a_name_that_cannot_be_one_is_a_kafka_that_does_not_answer(server) -> None:
    state = probe_kafka((server,))
    assert not state.up
    assert server in (state.error or "")
