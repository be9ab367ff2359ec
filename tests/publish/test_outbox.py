"""Every event that was taken is delivered, failed or pending."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from linecache import getline
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from kafka.errors import IllegalStateError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.future import Future

from streams.errors import ServerError
from streams.publish import PublisherLimits, Undelivered
from streams.publish import outbox as outbox_module
from streams.publish.outbox import CLOSED, Outbox


def outbox(failures: list[Undelivered] | None = None, **limits: float) -> Outbox:
    return Outbox(PublisherLimits(**limits), failures.append if failures is not None else None)  # type: ignore[arg-type]


def take(box: Outbox, number: int, size: int = 10) -> None:
    for tag in range(number):
        assert box.add(b"v" * size, None, tag)


def sent(box: Outbox, number: int, size: int = 10) -> list[Future]:
    """Take and hand over so many events; return their futures."""
    futures: list[Future] = []

    def send(_value: bytes, _key: bytes | None) -> Future:
        futures.append(Future())
        return futures[-1]

    take(box, number, size)
    box.hand_over(send)
    return futures


def test_taken_is_delivered_failed_and_pending() -> None:
    failures: list[Undelivered] = []
    box = outbox(failures)
    futures = sent(box, 4)
    futures[0].success(None)
    futures[1].failure(KafkaTimeoutError("Expiring 2 records"))
    assert box.sweep() == 2
    found = box.deliveries()
    assert (found.taken, found.delivered, found.failed, found.pending) == (4, 1, 1, 2)
    assert found.reasons == {"Kafka did not confirm it within 120 s": 1}
    assert [one.tag for one in found.undelivered] == [one.tag for one in failures] == [1]
    assert not failures[0].because_of_event


def test_an_event_behind_a_stuck_one_is_seen() -> None:
    box = outbox()
    futures = sent(box, 3)
    futures[1].success(None)
    assert box.sweep() == 2
    futures[0].success(None)
    futures[2].success(None)
    assert box.sweep() == 0
    assert box.delivered == 3


def test_reasons_are_few_and_tell_whose_fault_it_is() -> None:
    failures: list[Undelivered] = []
    box = outbox(failures)
    futures = sent(box, 3)
    futures[0].failure(MessageSizeTooLargeError())
    futures[1].failure(IllegalStateError("Producer is closed forcefully."))
    futures[2].failure(IllegalStateError("closed"))
    box.sweep()
    assert [one.because_of_event for one in failures] == [True, False, False]
    assert sorted(box.deliveries().reasons.values()) == [1, 2]


def test_room_is_bounded_by_events_and_by_bytes() -> None:
    box = outbox(buffer_events_max=3, block_seconds_max=0.02)
    futures = sent(box, 3)
    assert not box.wait_for_room(10)
    futures[0].success(None)
    assert box.wait_for_room(10)
    narrow = outbox(buffer_bytes_max=25, block_seconds_max=0.02)
    assert narrow.wait_for_room(1000), "an event larger than the whole buffer may go alone"
    first, _second = sent(narrow, 2)
    assert not narrow.wait_for_room(10)
    first.success(None)
    assert narrow.wait_for_room(10)


def test_what_waits_to_be_sent_takes_room_too() -> None:
    box = outbox(buffer_events_max=2, block_seconds_max=0.02)
    take(box, 2)
    assert not box.wait_for_room(10)


@pytest.mark.alone
def test_without_room_nobody_waits_unless_asked_to() -> None:
    box = outbox(buffer_events_max=1)
    take(box, 1)
    began = time.monotonic()
    assert not any(box.wait_for_room(10) for _ in range(100))
    assert time.monotonic() - began < 1


@pytest.mark.alone
def test_waiting_for_room_ends_when_there_is_some() -> None:
    box = outbox(buffer_events_max=1, block_seconds_max=30)
    (future,) = sent(box, 1)
    confirm = threading.Timer(0.1, future.success, (None,))
    confirm.start()
    began = time.monotonic()
    assert box.wait_for_room(10)
    assert time.monotonic() - began < 15
    confirm.join()


def test_what_kafka_does_not_take_now_goes_on_waiting_in_order() -> None:
    box = outbox()
    for value in (b"1", b"2", b"3"):
        box.add(value, None, None)
    got: list[bytes] = []

    def send(value: bytes, _key: bytes | None) -> Future:
        if value == b"2" and got.count(b"2") == 0:
            got.append(value)
            raise ServerError("not now")
        got.append(value)
        return Future().success(None)

    with pytest.raises(ServerError):
        box.hand_over(send)
    box.hand_over(send)
    assert got == [b"1", b"2", b"2", b"3"]
    assert (box.sweep(), box.delivered) == (0, 3)


def test_an_event_that_is_no_record_fails_alone() -> None:
    failures: list[Undelivered] = []
    box = outbox(failures)
    take(box, 3)

    def send(_value: bytes, _key: bytes | None) -> Future:
        if box.taken and not calls:
            calls.append(1)
            raise MessageSizeTooLargeError("too large")
        return Future().success(None)

    calls: list[int] = []
    box.hand_over(send)
    assert (box.sweep(), box.delivered, box.failed) == (0, 2, 1)
    assert failures[0].because_of_event


def test_what_waits_too_long_to_be_sent_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[Undelivered] = []
    box = outbox(failures, delivery_seconds_max=60)
    take(box, 2)
    box.expire()
    assert not failures
    later = time.monotonic() + 60
    monkeypatch.setattr("streams.publish.outbox.time", SimpleNamespace(monotonic=lambda: later))
    box.expire()
    assert (box.pending, len(failures), box.oldest_seconds()) == (0, 2, 0.0)


def test_closing_fails_what_waits_and_takes_nothing_more() -> None:
    failures: list[Undelivered] = []
    box = outbox(failures)
    take(box, 2)
    box.close()
    assert not box.add(b"{}", None, None)
    assert (box.taken, box.failed, box.pending, {one.reason for one in failures}) == (2, 2, 0, {CLOSED})


def test_a_callback_that_raises_is_logged_and_the_next_event_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[object] = []

    def on_failed(one: Undelivered) -> None:
        told.append(one.tag)
        raise KeyError("a defect of the embedding program")

    box = Outbox(PublisherLimits(), on_failed)
    take(box, 3)
    with caplog.at_level(logging.ERROR):
        box.close()
    assert told == [0, 1, 2]
    assert box.deliveries().failed == 3
    assert "on_failed raised" in caplog.text
    assert "KeyError" in caplog.text


def test_closing_fails_what_a_client_that_hangs_never_answers() -> None:
    failures: list[Undelivered] = []
    box = outbox(failures)
    sent(box, 2)
    box.close()
    found = box.deliveries()
    assert (found.failed, found.pending, found.reasons) == (2, 0, {CLOSED: 2})
    assert [one.tag for one in failures] == [0, 1]


@pytest.mark.parametrize("call", ["add", "sweep", "deliveries", "close"])
def test_ctrl_c_between_any_two_lines_loses_and_doubles_no_event(call: str) -> None:
    for line in range(2000):
        failures: list[Undelivered] = []
        box = outbox(failures)
        futures = sent(box, 6)
        take(box, 2)
        futures[0].success(None)
        futures[1].failure(KafkaTimeoutError())
        futures[2].failure(MessageSizeTooLargeError())
        interrupted = _interrupt(line, partial(box.add, b"v", None, 0) if call == "add" else getattr(box, call))
        taken = box.taken
        assert taken in (8, 9)
        for future in futures[3:]:
            future.success(None)
        box.close()
        found = box.deliveries()
        assert (found.taken, found.pending) == (taken, 0), line
        assert found.taken == found.delivered + found.failed, line
        assert found.failed - 1 <= len(failures) <= found.failed, f"{line}: the one that is being told may be lost"
        assert sum(found.reasons.values()) == found.failed
        assert len({id(one) for one in failures}) == len(failures), "told twice"
        if not interrupted:
            assert line > 3
            return
    raise AssertionError("it never came to its end")


def _interrupt(line: int, call: Callable[[], object]) -> bool:
    """Call, with Ctrl-C before so many lines of the outbox; whether it came so far."""
    left = line

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != outbox_module.__file__:
            return None
        # Python itself takes no signal between a `with` and its body; a trace comes there, too.
        if event == "line" and not getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
            left -= 1
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False
