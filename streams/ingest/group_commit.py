"""Group commit: what was counted of all partitions since the last call goes to Redis as one, all their offsets compared and moved with it.

Steps 4 to 6 of docs/guarantees.md. Deltas stay with their partition until Redis has them: a call that is refused, lost or given up leaves
them where they are, and they are merged anew for the next one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from streams.errors import RedisUnavailable, StateError
from streams.ingest.needs import Store
from streams.ingest.partition import Counted, Ledger
from streams.ingest.worker_metrics import WorkerMetrics
from streams.live import Applied, Outcome

log = logging.getLogger(__name__)

#: Pauses between two tries of a Redis call, in seconds: the last one repeats until Redis answers or the partition is given up.
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
#: How long a Redis that does not answer may hold up a rebalance for what is pending, which is else counted again from the log.
FLUSH_SECONDS_MAX = 2.0
#: Commands of Redis that one call may take before it is sent at once, so that the script ends within 20 ms (`make bench-live` measures it).
CALL_COMMANDS_MAX = 12_000


async def pause(tries: int) -> None:
    """Wait before the next try; `tries` failed so far."""
    await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])


@dataclass(frozen=True, slots=True)
class Refused:
    """A partition whose counts Redis did not take, since it stands elsewhere."""

    ledger: Ledger
    applied: Applied


@dataclass(slots=True)
class GroupCommit:
    """Sends what ledgers hold. `halted` tells that the worker must let go: no call is begun, and none is tried again."""

    store: Store
    halted: Callable[[], bool]
    metrics: WorkerMetrics
    interval_seconds: float
    #: Held for each call with its retries, and by whoever compares with what Redis holds.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _due: asyncio.Event = field(default_factory=asyncio.Event)
    _called_at: float = 0.0

    def wake(self) -> None:
        """Something was counted."""
        self._due.set()

    async def wait(self) -> None:
        """Wait until a call is due: something was counted, and the last call is `interval_seconds` ago."""
        await self._due.wait()
        self._due.clear()
        await asyncio.sleep(max(0.0, self._called_at + self.interval_seconds - time.monotonic()))

    async def send(self, ledgers: Iterable[Ledger], *, last: bool = False) -> list[Refused]:
        """Send what these ledgers hold until Redis took or refused each, or the worker is halted; the caller holds `turn`.

        `last`: try once, halted or not.

        Raises:
            StateError: a call was written only in part.
        """
        waiting = [(ledger, tuple(ledger.pending)) for ledger in ledgers if ledger.pending]
        refused: list[Refused] = []
        self._called_at = time.monotonic()
        while waiting:  # ends: who is held back has company that is not
            answers = await self._ask(waiting, last)
            held = []
            for ledger, counted in waiting if answers else ():
                applied = answers[ledger.partition]
                if applied.outcome is Outcome.HELD_BACK:
                    held.append((ledger, counted))
                    continue
                for _ in counted:
                    self.metrics.chunk(applied.outcome.value)
                if applied.outcome in (Outcome.APPLIED, Outcome.ALREADY):
                    self._note(ledger, counted)
                else:
                    refused.append(Refused(ledger, applied))
            waiting = held
        return refused

    async def flush(self, ledgers: Iterable[Ledger]) -> None:
        """Send what these ledgers hold, halted or not: one try, bounded in time. What is refused is noticed by whoever loads next."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS_MAX), self.turn:
                await self.send(ledgers, last=True)
        except TimeoutError:
            log.warning("Redis did not take what was pending within %.0f s: it is counted again", FLUSH_SECONDS_MAX)

    async def _ask(self, waiting: Sequence[tuple[Ledger, Sequence[Counted]]], last: bool) -> dict[int, Applied]:
        """One call, sent again until it is answered; nothing if the worker is halted before it is. `last` as for `send`."""
        deltas = {ledger.partition: [each.delta for each in counted] for ledger, counted in waiting}
        tries = 0
        while last or not self.halted():
            try:
                answers = await self.store.apply(deltas)
            except RedisUnavailable as error:
                self.metrics.redis_failure()
                log.error("Redis did not take the counts of %d partitions: %s; trying again", len(deltas), error)
                if last:
                    return {}
                await pause(tries)
                tries += 1
                continue
            for applied in answers.values():
                if applied.outcome is Outcome.MARKED:
                    raise StateError(
                        f"Redis holds a call that was written only in part ({applied.stored}): the counts can't be trusted. Delete "
                        "Vigie's keys and restart the workers: they count again from Kafka, as far as its retention reaches."
                    )
            return answers
        return {}

    def _note(self, ledger: Ledger, counted: Sequence[Counted]) -> None:
        """These are in Redis: a second note of the same changes nothing."""
        for each in counted:
            if each in ledger.pending:
                ledger.confirm(each)
                self.metrics.counted(ledger.partition, each.delta, each.append_times_ms)
                each.on_applied()
