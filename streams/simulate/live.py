"""Live traffic: where a simulated day lies on the clock; its seconds are published when the clock allows, and confirmations waited for."""

import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streams.errors import InputError
from streams.events import VisitEvent, decode
from streams.publish import BufferFull, Deliveries, NotDelivered, VisitPublisher
from streams.simulate.book import TruthBook
from streams.simulate.scenario import Scenario
from streams.simulate.step import Step
from streams.simulate.traffic import Generator

#: A simulator that begins this long after `live_from` was due still sends the run-up: the stack took its time to start.
LATE_START_SECONDS = 600
#: A shift that puts the clock this far before the scenario's run-up, or this far after it, was made for another scenario.
DAYS_BEFORE_MAX, DAYS_AFTER_MAX = 1, 14
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of the clock from `begin_s` on are sent: `speed` of them a second from the moment `started_at`, never ahead of the clock."""

    begin_s: int
    started_at: float
    speed: float

    def end_s(self, now: float) -> int:
        """The second of the clock before which everything may have been sent at `now`; every event of those seconds lies in the past."""
        caught_up = self.begin_s + self.speed * (now - self.started_at)
        return max(self.begin_s, math.floor(min(now, caught_up)))


def begin_second(scenario: Scenario, shift_seconds: int, now: float, reached_s: int | None) -> int:
    """The second of the clock with which a simulator begins that starts at `now`; `reached_s` is where an earlier one ended, if any.

    The first one begins with the run-up. One that is started again goes on from now; in the run-up, from where the earlier one ended.

    Raises:
        InputError: the shift was made for another scenario.
    """
    live_from_s = scenario.live_from_s - shift_seconds
    run_up_s = scenario.begin_s - shift_seconds
    if not -DAYS_BEFORE_MAX * _DAY_SECONDS <= now - run_up_s <= DAYS_AFTER_MAX * _DAY_SECONDS:
        raise InputError(
            f"calendar_shift_seconds is {shift_seconds}, which is not the day of scenario {scenario.name} ({scenario.date}): choose "
            "the scenario that the running stack was started with, or stop that stack first"
        )
    if reached_s is not None:
        return math.floor(now) if now >= live_from_s else max(run_up_s, reached_s + 1)
    return run_up_s if now < live_from_s + LATE_START_SECONDS else math.floor(now)


PROGRESS_SECONDS = 10.0
#: The truth is written this often, less often when it is large (bytes a second of writing at most).
TRUTH_SECONDS = 3.0
TRUTH_BYTES_PER_SECOND_MAX = 1_000_000
#: While more events wait for Kafka, no step is begun: the simulator falls behind and catches up when Kafka is back.
PENDING_MAX = 30_000
WAIT_SECONDS = 0.05
#: How long an outage of Kafka may last before events have failed, and the run with them.
DELIVERY_SECONDS_MAX = 600.0
#: How long the events that are on their way may take when the simulator stops.
FLUSH_SECONDS_MAX = 30.0


class LiveRun:
    """Sends until it is stopped. `truth` is where the truth is kept, `seconds` how long to run (None: until stopped).

    `say` takes progress lines, `stop` is set by a signal, `now` is the clock.
    """

    def __init__(
        self,
        generator: Generator,
        book: TruthBook,
        publisher: "VisitPublisher | TwoWays",
        *,
        pace: Pace,
        truth: Path | None,
        seconds: float | None,
        say: Callable[[str], None],
        stop: threading.Event,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._generator = generator
        self._book = book
        self._publisher = publisher
        self._pace = pace
        self._truth = truth
        self._seconds = seconds
        self._say = say
        self._stop = stop
        self._now = now
        self._sent = 0
        self._said = (now(), 0)
        self._truth_due = 0.0

    def run(self) -> None:
        """Send until stopped, then wait for the confirmations and write the truth.

        Raises:
            NotDelivered: Kafka did not confirm some events; the truth is marked so.
            ServerError: Kafka cannot be reached at all.
        """
        until = None if self._seconds is None else time.monotonic() + self._seconds
        self._save_truth()
        try:
            while (
                not self._stop.is_set() and not self._publisher.failed and (until is None or time.monotonic() < until)
            ):
                if not self._turn():
                    self._stop.wait(WAIT_SECONDS)
                self._report()
        finally:
            found = self._publisher.close(FLUSH_SECONDS_MAX)
            self._save_truth(complete=True, unacknowledged=found.failed, resent=found.resent)
        self._say_progress()
        if found.failed:
            why = "; ".join(f"{number}: {reason}" for reason, number in found.reasons.items())
            raise NotDelivered(
                f"{found.failed} of {found.taken} simulated events were not confirmed by Kafka ({why}): they may or may not have arrived, "
                "so the truth of this run is marked incomplete; look at Kafka, then start again"
            )

    def _turn(self) -> bool:
        """Send the next second if the clock and Kafka allow; False if not."""
        if self._generator.next_clock_s >= self._pace.end_s(self._now()) or self._publisher.pending > PENDING_MAX:
            return False
        self._send(self._generator.next_step())
        return True

    def _send(self, step: Step) -> None:
        sent = 0
        try:
            specials = ((special.key, special.value) for special in step.specials)
            for key, value in itertools.chain(specials, zip(step.keys, step.values, strict=True)):
                if not self._send_one(value, key):
                    return
                sent += 1
        finally:
            # Also when it ends early: what was sent was sent.
            self._book.add(step if sent == len(step) else step.cut(sent))
            self._sent += sent

    def _send_one(self, value: bytes, key: bytes | None) -> bool:
        """Send one record; while Kafka takes none, wait. False: stopped, or events failed, meanwhile."""
        while True:
            try:
                self._publisher.send_raw(value, key)
                return True
            except BufferFull:  # bounded: pending events fail after the publisher's delivery_seconds_max
                if self._stop.is_set() or self._publisher.failed:
                    return False
                self._report()

    def _report(self) -> None:
        if time.monotonic() >= self._truth_due:
            self._save_truth()
        if self._now() - self._said[0] >= PROGRESS_SECONDS:
            self._say_progress()

    def _say_progress(self) -> None:
        now = self._now()
        since, before = self._said
        rate = (self._sent - before) / max(now - since, 0.001)
        self._said = (now, self._sent)
        behind = max(0.0, now - self._generator.next_clock_s)
        self._say(
            f"sent {self._sent}, delivered {self._publisher.delivered}, {rate:.0f} events/s, {behind:.0f} s behind the clock"
        )

    def _save_truth(self, *, complete: bool = False, unacknowledged: int = 0, resent: int = 0) -> None:
        if self._truth is not None:
            size = self._book.save(self._truth, complete=complete, unacknowledged=unacknowledged, resent=resent)
            self._truth_due = time.monotonic() + max(TRUTH_SECONDS, size / TRUTH_BYTES_PER_SECOND_MAX)


#: Nearer than this to the bounds of time, an event is not sent through the collector, whose clock might see it otherwise than Kafka's.
AHEAD_MS_MAX, AGE_MS_MAX = 30_000, 40 * 3_600_000


class TwoWays:
    """Sends the good events of one project to `collector`, all else to `kafka`: what breaks the contract on purpose must reach the log."""

    def __init__(
        self, kafka: VisitPublisher, collector: VisitPublisher, project: str, now: Callable[[], float] = time.time
    ) -> None:
        self._kafka, self._collector = kafka, collector
        self._project, self._now = project, now
        self._sign = f'"project":"{project}"'.encode()

    @property
    def pending(self) -> int:
        """Events that are owed an answer."""
        return self._kafka.pending + self._collector.pending

    @property
    def delivered(self) -> int:
        """Events that Kafka confirmed, to us or to the collector."""
        return self._kafka.delivered + self._collector.delivered

    @property
    def failed(self) -> int:
        """Events that were not confirmed."""
        return self._kafka.failed + self._collector.failed

    def send_raw(self, value: bytes, key: bytes | None, tag: object = None) -> None:
        """Send one event its way; raises as a publisher does."""
        way = self._collector if self._sign in value and self._is_good(value) else self._kafka
        way.send_raw(value, key, tag)

    def close(self, timeout_seconds: float = 30.0) -> Deliveries:
        """Close both, and return how all events stand."""
        deadline = time.monotonic() + timeout_seconds
        one = self._collector.close(timeout_seconds)
        other = self._kafka.close(max(1.0, deadline - time.monotonic()))
        return Deliveries(
            one.taken + other.taken,
            one.delivered + other.delivered,
            one.failed + other.failed,
            one.pending + other.pending,
            dict(Counter(one.reasons) + Counter(other.reasons)),
            (*one.undelivered, *other.undelivered),
            one.resent + other.resent,
        )

    def _is_good(self, value: bytes) -> bool:
        event = decode(value)
        if not isinstance(event, VisitEvent) or event.project != self._project:
            return False
        ahead_ms = event.ts - self._now() * 1000
        return -AGE_MS_MAX < ahead_ms < AHEAD_MS_MAX
