"""Every event that was taken is delivered, failed or pending."""

from __future__ import annotations

import time

from kafka.errors import IllegalStateError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.future import Future

from streams.publish import PublisherLimits, Undelivered
from streams.publish.ledger import Ledger


def ledger(failures: list[Undelivered] | None = None, **limits: float) -> Ledger:
    return Ledger(PublisherLimits(**limits), failures.append if failures is not None else None)  # type: ignore[arg-type]


def add(book: Ledger, number: int, size: int = 10) -> list[Future]:
    futures = [Future() for _ in range(number)]
    for tag, future in enumerate(futures):
        book.add(future, b"v" * size, None, tag, size)
    return futures


def test_taken_is_delivered_failed_and_pending() -> None:
    failures: list[Undelivered] = []
    book = ledger(failures)
    futures = add(book, 4)
    futures[0].success(None)
    futures[1].failure(KafkaTimeoutError("Expiring 2 records"))
    assert book.sweep() == 2
    found = book.deliveries()
    assert (found.taken, found.delivered, found.failed, found.pending) == (4, 1, 1, 2)
    assert found.reasons == {"Kafka did not confirm it within 120 s": 1}
    assert [one.tag for one in found.undelivered] == [one.tag for one in failures] == [1]
    assert not failures[0].because_of_event


def test_an_event_behind_a_stuck_one_is_seen() -> None:
    book = ledger()
    futures = add(book, 3)
    futures[1].success(None)
    assert book.sweep() == 2
    futures[0].success(None)
    futures[2].success(None)
    assert book.sweep() == 0
    assert book.delivered == 3


def test_reasons_are_few_and_tell_whose_fault_it_is() -> None:
    failures: list[Undelivered] = []
    book = ledger(failures)
    futures = add(book, 3)
    futures[0].failure(MessageSizeTooLargeError())
    futures[1].failure(IllegalStateError("Producer is closed forcefully."))
    futures[2].failure(IllegalStateError("closed"))
    book.sweep()
    assert [one.because_of_event for one in failures] == [True, False, False]
    assert sorted(book.deliveries().reasons.values()) == [1, 2]


def test_room_is_bounded_by_events_and_by_bytes() -> None:
    book = ledger(buffer_events_max=3, block_seconds_max=0.02)
    futures = add(book, 3)
    assert not book.wait_for_room(10)
    futures[0].success(None)
    assert book.wait_for_room(10)
    narrow = ledger(buffer_bytes_max=25, block_seconds_max=0.02)
    assert narrow.wait_for_room(1000), "an event larger than the whole buffer may go alone"
    first, _second = add(narrow, 2)
    assert not narrow.wait_for_room(10)
    first.success(None)
    assert narrow.wait_for_room(10)


def test_waiting_for_room_ends_when_there_is_some() -> None:
    book = ledger(buffer_events_max=1, block_seconds_max=30)
    (future,) = add(book, 1)
    book.start()
    try:
        future.success(None)
        began = time.monotonic()
        assert book.wait_for_room(10)
        assert time.monotonic() - began < 5
    finally:
        book.stop()


def test_failures_are_told_without_being_asked() -> None:
    failures: list[Undelivered] = []
    book = ledger(failures)
    book.start()
    try:
        (future,) = add(book, 1)
        future.failure(KafkaTimeoutError())
        deadline = time.monotonic() + 5
        while not failures and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(failures) == 1
    finally:
        book.stop()
