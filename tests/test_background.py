"""The one background loop: it outlives every failure, says each once, can be woken and stopped, and never ends without a word."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from streams.background import QUICK_RETRIES_MAX, REST, BackgroundLoop, LoopRules, retry_seconds
from streams.errors import ServerError
from tests.waiting import wait_until

RULES = LoopRules("test", 0.001, "nothing is done", "it is done again", retry_seconds=0.001, retry_seconds_max=0.001)


@contextmanager
def running(action: Callable[[], float | None], rules: LoopRules = RULES, **others: Any) -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop(action, rules, **others)
    loop.start()
    try:
        yield loop
    finally:
        assert loop.stop(10), "the loop did not end"


def raising(*errors: BaseException | None) -> Callable[[], None]:
    """An action that raises these in turn, the last one for ever; None is a good round."""
    left = list(errors)

    def action() -> None:
        error = left.pop(0) if len(left) > 1 else left[0]
        if error is not None:
            raise error

    return action


def levels(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records]


def test_it_goes_round_until_it_is_stopped() -> None:
    with running(lambda: None) as loop:
        wait_until(lambda: loop.state.rounds >= 3)
        assert (loop.problem(), loop.defect()) == (None, None)
    assert loop.stopping
    assert loop.problem() is None, "a stop that was asked for is no problem"
    rounds = loop.state.rounds
    time.sleep(0.05)
    assert loop.state.rounds == rounds


@pytest.mark.alone
def test_the_period_counts_from_the_beginning_of_a_round() -> None:
    begins: list[float] = []

    def action() -> None:
        begins.append(time.monotonic())
        time.sleep(0.1)

    with running(action, replace(RULES, period_seconds=0.3)):
        wait_until(lambda: len(begins) == 5)
    gaps = [b - a for a, b in itertools.pairwise(begins)]
    assert min(gaps) >= 0.29
    # A busy machine may be late with a round, not with all of them.
    assert min(gaps) < 0.3 + 0.1, "the action's own time was added to the period"


def test_what_was_to_be_expected_is_said_once_and_that_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    down = ServerError("Redis is down; start it")
    with running(raising(down, down, down, None)) as loop:
        wait_until(lambda: loop.state.rounds)
        assert (loop.state.failures, loop.state.failures_total, loop.state.defects) == (0, 3, 0)
    assert levels(caplog) == ["WARNING", "INFO"]
    assert "nothing is done: Redis is down; start it" in caplog.text
    assert "it is done again, after 3 failed attempts" in caplog.text
    assert "Traceback" not in caplog.text


def test_while_it_fails_it_says_why() -> None:
    with running(raising(ServerError("Redis is down"))) as loop:
        wait_until(lambda: loop.state.failures > 1)
        assert loop.problem() == "test: Redis is down"
        assert loop.defect() is None


@pytest.mark.parametrize(
    "error", [KeyError("date"), SystemExit(3), RecursionError(), MemoryError(), KeyboardInterrupt()]
)
def test_a_defect_is_shown_with_its_traceback_once_and_the_loop_goes_on(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with running(raising(error)) as loop:
        wait_until(lambda: loop.state.defects >= 5)
        assert loop.problem() == loop.defect() != None  # noqa: E711
        assert type(error).__name__ in str(loop.problem())
    assert caplog.text.count("Traceback") == 1
    assert levels(caplog) == ["ERROR"]


def test_another_place_has_a_traceback_of_its_own_and_the_same_one_never_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    def first() -> None:
        raise KeyError("date")

    def second() -> None:
        raise KeyError("minute")

    calls = iter([first, second, first, lambda: None, first, first])

    with running(lambda: next(calls, lambda: None)()) as loop:
        wait_until(lambda: loop.state.defects == 5 and loop.state.problem is None)
    assert caplog.text.count("Traceback") == 2
    assert levels(caplog) == ["ERROR", "ERROR", "INFO", "ERROR", "INFO"]


def test_a_defect_amid_what_was_expected_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with running(raising(ServerError("down"), KeyError("date"), ServerError("down"))) as loop:
        wait_until(lambda: loop.state.failures >= 4)
        assert (loop.problem(), loop.defect()) == ("test: down", None)
        assert loop.state.defects == 1
    assert caplog.text.count("Traceback") == 1


def test_a_loop_for_which_going_on_would_be_a_lie_gives_up() -> None:
    gone: list[str] = []
    ends: list[int] = []
    loop = BackgroundLoop(
        raising(KeyError("a"), None, KeyError("b")),
        replace(RULES, defects_max=3),
        on_gone=gone.append,
        at_end=lambda: ends.append(1),
    )
    loop.start()
    wait_until(lambda: gone)
    assert loop.state.defects == 4, "a good round in between begins a new row"
    assert loop.stop(5)
    assert (len(ends), [text.count("KeyError: 'b'") for text in gone]) == (1, [1])


def test_a_thread_that_is_gone_is_a_defect() -> None:
    loop = BackgroundLoop(raising(KeyError("a")), replace(RULES, defects_max=1))
    loop.start()
    wait_until(lambda: loop.state.failures)
    wait_until(lambda: "restart this process" in (loop.defect() or ""))
    assert "KeyError" in str(loop.problem())


def test_expected_failures_never_make_it_give_up() -> None:
    with running(raising(ServerError("down")), replace(RULES, defects_max=1)) as loop:
        wait_until(lambda: loop.state.failures > 5)


def test_a_call_that_hangs_is_a_defect_while_it_does() -> None:
    go_on = threading.Event()

    def action() -> None:
        go_on.wait()

    with running(action, replace(RULES, hung_seconds=0.05)) as loop:
        wait_until(lambda: "hangs since" in (loop.defect() or ""))
        go_on.set()
        wait_until(lambda: loop.state.rounds)
        assert loop.problem() is None


def test_a_failure_is_told_after_it_is_shown_and_what_is_told_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str | None] = []

    def on_failure() -> None:
        seen.append(loop.state.problem)
        raise ValueError("wrong, too")

    with running(raising(ServerError("down")), on_failure=on_failure) as loop:
        wait_until(lambda: len(seen) >= 2)
    assert seen[0] == "down"
    assert "wrong, too" in caplog.text


def test_what_is_done_at_the_end_is_done_in_the_thread_even_if_the_rounds_fail() -> None:
    ends: list[str] = []
    with running(raising(KeyError("a")), at_end=lambda: ends.append(threading.current_thread().name)) as loop:
        wait_until(lambda: loop.state.failures)
    assert ends == ["test"]


def test_a_wake_ends_a_rest() -> None:
    with running(lambda: REST) as loop:
        wait_until(lambda: loop.state.rounds == 1)
        time.sleep(0.05)
        assert loop.state.rounds == 1
        loop.wake()
        wait_until(lambda: loop.state.rounds == 2)


def test_a_wake_during_a_round_is_not_lost() -> None:
    rounds: list[int] = []

    def action() -> float:
        rounds.append(1)
        if len(rounds) < 100:
            loop.wake()  # between its look at the world and its rest
        return REST

    with running(action) as loop:
        wait_until(lambda: len(rounds) == 100)


def test_it_can_be_stopped_from_its_own_action_and_before_it_began() -> None:
    loop = BackgroundLoop(lambda: None if loop.stop(5) else REST, RULES)
    loop.start()
    wait_until(lambda: loop.stop(0.01))
    never = BackgroundLoop(lambda: None, RULES)
    assert never.stop(5)
    assert never.problem() is None


def test_a_failure_while_it_is_being_stopped_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    begun = threading.Event()

    def action() -> None:
        begun.set()
        wait_until(lambda: loop.stopping)
        raise ServerError("the connection was closed under it")

    loop = BackgroundLoop(action, RULES)
    loop.start()
    assert begun.wait(5)
    assert loop.stop(5)
    assert caplog.records == []


def test_retries_are_quick_at_first_and_bounded_for_ever() -> None:
    assert retry_seconds(1) == retry_seconds(QUICK_RETRIES_MAX) == 1.0
    assert retry_seconds(QUICK_RETRIES_MAX + 1) == retry_seconds(10_000) == 5.0
    assert retry_seconds(10_000, seconds=8.0) == 8.0


class Mute(Exception):
    """An error whose text is an error, too."""

    def __str__(self) -> str:
        raise UnicodeError("no text")


@pytest.mark.parametrize("expected", [(), (Mute,)])
def test_an_error_that_cannot_say_what_it_is_ends_nothing(expected: tuple[type[Exception], ...]) -> None:
    with running(raising(Mute(), None), replace(RULES, expected=expected)) as loop:
        wait_until(lambda: loop.state.rounds >= 2)
        assert (loop.state.failures_total, loop.problem()) == (1, None)


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise OSError("no space left on device")

    handler = Broken()
    logger = logging.getLogger("streams.background")
    logger.addHandler(handler)
    try:
        with running(raising(ServerError("away"), ValueError("defect"), None), on_failure=lambda: 1 // 0) as loop:
            wait_until(lambda: loop.state.rounds >= 2)
            assert loop.state.failures_total == 2
    finally:
        logger.removeHandler(handler)
