"""The loop's thread: it outlives every failure that is expected, and never dies in silence."""

from __future__ import annotations

import threading

from streams.errors import ServerError
from streams.observe import Observer


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


def test_a_server_that_is_down_is_tried_again_and_logged_once(caplog):
    reader = Failing(ServerError("Redis is down; start it"))
    observer = Observer(reader, 20_000, 72)  # type: ignore[arg-type]
    observer.start()
    assert reader.called_twice.wait(5)
    observer.stop(5)
    assert observer.state.problem == "Redis is down; start it"
    assert observer.state.failures >= 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_defect_ends_the_thread_and_says_so(monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda given: seen.append(given.exc_value))
    ended = threading.Event()
    observer = Observer(Failing(RuntimeError("a defect")), 20_000, 72, ended.set)  # type: ignore[arg-type]
    observer.start()
    assert ended.wait(5)
    observer.stop(5)
    assert [str(error) for error in seen] == ["a defect"]


def test_a_stop_that_was_asked_for_is_no_defect():
    ended = threading.Event()
    observer = Observer(Failing(ServerError("down")), 20_000, 72, ended.set)  # type: ignore[arg-type]
    observer.start()
    observer.stop(5)
    assert not ended.is_set()
