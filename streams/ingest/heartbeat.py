"""Once a second: what this worker owns, where it stands, where Kafka says the log ends; and what Redis answers to that."""

import logging
import math
import os
import time
from collections.abc import Mapping
from typing import Any

import faust

from streams.errors import KafkaUnavailable, RedisUnavailable, ServerError, VigieError
from streams.ingest.faust_app import WorkerState
from streams.ingest.ledger import Ingestor
from streams.ingest.partition import Ledger
from streams.ingest.topic_watch import TopicWatch
from streams.ingest.worker_metrics import OwnedPartition
from streams.live import HeartbeatLine, LiveWriter

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
#: An older answer of Kafka does not count for this round; a partition unconfirmed for 5 s stops counting as idle.
ANSWER_SECONDS_MAX = 3.0
#: A partition whose log goes on and of which nothing arrives for this long: the worker ends, and is started again, which is the cure.
STALL_SECONDS_MAX = 120.0
#: After this it is looked whether there is anything left to arrive.
STANDING_SECONDS = 4.0


class Heart:
    """The heartbeat of one worker."""

    def __init__(self, app: Any, ingestor: Ingestor, writer: LiveWriter, state: WorkerState, watch: TopicWatch) -> None:
        self._app = app
        self._ingestor = ingestor
        self._writer = writer
        self._state = state
        self._watch = watch
        self._announced = watch.partitions
        self._stalls = Stalls()
        #: Why the last heartbeat that failed did, and what the worker was not ready for before: one without partitions has nothing else
        #: that would tell that it is over.
        self._put_off_for: str | None = None
        self._before: str | None = None

    async def beat(self) -> None:
        """One heartbeat.

        Raises:
            VigieError: the worker cannot go on.
        """
        ingestor, state = self._ingestor, self._state
        ledgers = dict(ingestor.ledgers)
        ends, age_seconds = self._log_ends(list(ledgers))
        now = time.time()
        lags = {n: _lag_seconds(ledger, ends.get(n), now) for n, ledger in ledgers.items()}
        ingestor.metrics.owned({n: _owned(ledger, lags[n]) for n, ledger in ledgers.items()})
        asked_ms_ago = math.ceil(age_seconds * 1000)
        problem = state.defect()
        lines = [_line(ledger, ends.get(n), lags[n], asked_ms_ago, problem) for n, ledger in ledgers.items()]
        try:
            stored = await self._writer.heartbeat(state.worker, os.getpid(), state.port, lines, state.process)
            await self._announce()
            await ingestor.compare(stored)
        except RedisUnavailable as error:
            ingestor.metrics.redis_failure()
            self._put_off(error)
            return
        except KafkaUnavailable as error:
            self._put_off(error)
            return
        if state.unready is not None and state.unready == self._put_off_for:
            state.unready = self._before
        if ledgers:
            state.unready = None if ends or self._app.rebalancing else "Kafka does not say where the log ends"
        behind = {n: ledger for n, ledger in ledgers.items() if ends.get(n, 0) > ledger.applied_position}
        standing = self._stalls.look(behind)
        for number in standing:
            await ingestor.pass_over_what_is_gone(number, ends[number])

    def _put_off(self, error: ServerError) -> None:
        """A server failed, and the error says which: the next heartbeat tries again."""
        if self._state.unready != self._put_off_for or self._put_off_for is None:
            self._before = self._state.unready
        self._state.unready = self._put_off_for = str(error)
        log.error("a heartbeat failed: %s", error)
        self._stalls.forget()

    async def _announce(self) -> None:
        """Tell Redis, and with it every observer, of partitions that were added."""
        partitions = self._watch.partitions
        if partitions > self._announced:
            await self._ingestor.prepare()
            self._announced = partitions

    def _log_ends(self, partitions: list[int]) -> tuple[dict[int, int], float]:
        """What Kafka said last, and how old that is; nothing where it is too old, or a rebalance is under way."""
        self._watch.wanted = tuple(partitions)
        said = self._watch.ends
        age_seconds = time.monotonic() - said.asked_at
        if age_seconds > ANSWER_SECONDS_MAX or self._app.rebalancing:
            return {}, 0.0
        return {n: said.by_partition[n] for n in partitions if n in said.by_partition}, age_seconds


class Stalls:
    """Partitions whose log goes on while this worker stands still."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[tuple[int, int], float]] = {}

    def forget(self) -> None:
        """Something else explains a standstill: begin again."""
        self._seen.clear()

    def look(self, behind: Mapping[int, Ledger]) -> list[int]:
        """Take notice of the partitions that are behind their logs; return those that stand still for `STANDING_SECONDS` or longer.

        Raises:
            ServerError: one of them stood still for `STALL_SECONDS_MAX`.
        """
        now = time.monotonic()
        before, self._seen = self._seen, {}
        for number, ledger in behind.items():
            stands = (ledger.expected, ledger.applied_position)
            place, since = before.get(number, (stands, now))
            self._seen[number] = (stands, since if place == stands else now)
            if now - self._seen[number][1] > STALL_SECONDS_MAX:
                raise ServerError(
                    f"partition {number} stands at {ledger.expected} for {STALL_SECONDS_MAX:.0f} s although Kafka has more: ending, to "
                    "begin anew. If this comes back, see the log of Kafka."
                )
        return [number for number, (_place, since) in self._seen.items() if now - since > STANDING_SECONDS]


def add_heartbeat(app: faust.App, heart: Heart, state: WorkerState) -> None:
    """Let it beat; what it finds that cannot go on ends the worker, as does what others found."""

    @app.timer(HEARTBEAT_SECONDS, on_leader=False, name="vigie.heartbeat")
    async def heartbeat(_app: Any = None) -> None:
        if state.fatal is None:
            try:
                await heart.beat()
            except VigieError as error:
                state.fatal = error
        if state.fatal is not None:
            await app.crash(state.fatal)


def _line(
    ledger: Ledger, log_end: int | None, lag_seconds: float, asked_ms_ago: int, problem: str | None
) -> HeartbeatLine:
    memory, append_ms = ledger.counter.memory, ledger.counter.append_ms
    return HeartbeatLine(
        ledger.partition,
        ledger.applied_position,
        log_end,
        lag_seconds,
        asked_ms_ago,
        ledger.warming,
        memory.window_ms(append_ms),
        memory.visit_window_ms(append_ms),
        ledger.stored,
        problem,
    )


def _owned(ledger: Ledger, lag_seconds: float) -> OwnedPartition:
    memory = ledger.counter.memory
    return OwnedPartition(lag_seconds, ledger.warming is not None, memory.sizes(), memory.nbytes())


def _lag_seconds(ledger: Ledger, log_end: int | None, now: float) -> float:
    """Age of the oldest record that is not in Redis, 0 when there is none.

    Everything up to the append time that Redis reached is counted, and everything that was in the log when the partition was last seen
    at its end: the oldest other record is younger than both.
    """
    if log_end is not None and ledger.applied_position >= log_end:
        ledger.complete_until = now
        return 0.0
    return now - max(ledger.complete_until, ledger.applied.append_ms / 1000 if ledger.applied else 0.0)
