"""The loop's thread: it outlives every failure that is expected, and never dies in silence."""

import threading
from typing import Any

import pytest

from streams.count.local_dates import LocalDays
from streams.errors import ServerError
from streams.observe import Observer, ObserverRules
from tests.stand_ins import NOBODY


class Failing:
    """A reader whose every call fails: no real Redis fails on command."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0
        self.called_twice = threading.Event()

    def snapshot(self) -> None:
        self.calls += 1
        if self.calls == 2:
            self.called_twice.set()
        raise self.error


@pytest.fixture
def observe(catalog):
    def make(error, on_end=None):
        reader: Any = Failing(error)
        rules = ObserverRules(catalog, LocalDays(catalog, 0), 20_000, 72)
        return Observer(reader, NOBODY, rules, on_end), reader

    return make


def test_a_server_that_is_down_is_tried_again_and_logged_once(observe, caplog):
    observer, reader = observe(ServerError("Redis is down; start it"))
    observer.census = "of before"
    observer.loop.start()
    assert reader.called_twice.wait(5)
    observer.loop.stop(5)
    assert observer.loop.state.problem == "Redis is down; start it"
    assert observer.loop.state.failures >= 2
    assert observer.census is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_defect_is_shown_and_the_loop_goes_on(observe, caplog):
    ended = threading.Event()
    observer, reader = observe(KeyError("date"), ended.set)
    observer.loop.start()
    assert reader.called_twice.wait(5)
    assert "KeyError: 'date'" in observer.loop.defect()
    assert not ended.is_set()
    observer.loop.stop(5)
    assert caplog.text.count("Traceback") == 1


def test_a_thread_that_is_gone_is_told(observe, monkeypatch):
    ended = threading.Event()
    observer, _reader = observe(ServerError("down"), ended.set)
    monkeypatch.setattr(observer.loop, "round", lambda: None)  # what only a defect of the loop itself could do
    observer.loop.start()
    assert ended.wait(5)
    assert "restart this process" in observer.loop.defect()


def test_a_stop_that_was_asked_for_is_no_defect(observe):
    ended = threading.Event()
    observer, _reader = observe(ServerError("down"), ended.set)
    observer.loop.start()
    observer.loop.stop(5)
    assert not ended.is_set()
