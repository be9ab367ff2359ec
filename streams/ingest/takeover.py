"""Ledgers of partitions that a worker takes over: where each stands, and from where on its memory is read again."""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.count import Counting, PartitionCounter, PartitionState
from streams.errors import StateError
from streams.ingest.needs import Log
from streams.ingest.partition import Ledger


@dataclass(frozen=True, slots=True)
class Takeover:
    """Makes ledgers; their counters share what `counting` holds."""

    kafka: Log
    counting: Counting

    async def open(
        self,
        log_bounds: Mapping[int, tuple[int, int]],
        states: Mapping[int, PartitionState | None],
        before: Mapping[int, Ledger],
    ) -> dict[int, Ledger]:
        """Ledgers of these partitions, given (log start, log end) of each, what Redis holds of it, and the ledgers of before.

        Raises:
            StateError: a stored offset lies past the end of the log.
        """
        ledgers: dict[int, Ledger] = {}
        rewinds: dict[int, int] = {}
        for number, (log_start, log_end) in log_bounds.items():
            state = states[number]
            epoch = self.kafka.epoch(number) + 1  # that of the seek which follows
            if state is not None and state.next_offset > log_end:
                # The end was asked before Redis: another worker that still counts may have counted what came between.
                log_end = await self.kafka.log_end(number)
                if state.next_offset > log_end:
                    raise past_the_end(number, state.next_offset, log_end)
            known = before.get(number)
            if known is not None and state is not None and known.counter.next_offset == state.next_offset:
                # It came back unmoved: eager rebalancing must not blind everybody.
                ledgers[number] = Ledger(number, known.counter, state, log_start, known.warm_from, known.warm_at, epoch)
                continue
            ledgers[number] = ledger = self._fresh(number, state, log_start, epoch)
            if state is not None:
                rewinds[ledger.partition] = self.counting.rules.plan.rewind_start_ms(state.append_ms)
        for number, offset in (await self.kafka.offsets_since(rewinds)).items() if rewinds else ():
            _rewind(ledgers[number], offset)
        return ledgers

    def _fresh(self, number: int, state: PartitionState | None, log_start: int, epoch: int) -> Ledger:
        counter = PartitionCounter(self.counting, state)
        position = log_start if state is None else state.next_offset
        return Ledger(number, counter, state, log_start, position, position, epoch)

    async def reopen(self, ledger: Ledger, state: PartitionState | None) -> Ledger:
        """A ledger that begins where Redis stands, for one that Redis has left behind.

        Raises:
            StateError: as `open`.
        """
        number = ledger.partition
        log_start, log_end = await self.kafka.log_start(number), await self.kafka.log_end(number)
        if state is not None and state.next_offset > log_end:
            raise past_the_end(number, state.next_offset, log_end)
        fresh = self._fresh(number, state, log_start, ledger.epoch)
        if state is not None:
            times = {number: self.counting.rules.plan.rewind_start_ms(state.append_ms)}
            _rewind(fresh, (await self.kafka.offsets_since(times))[number])
        return fresh


def past_the_end(partition: int, position: int, log_end: int) -> StateError:
    """More is counted of a partition than its log has."""
    return StateError(
        f"partition {partition}: {position} offsets are counted but the log ends at {log_end}: Kafka lost its end, "
        "or the topic was created anew. Nothing more was counted. Restore the log, or delete Vigie's keys in Redis and restart the "
        "workers to count what is there."
    )


def _rewind(ledger: Ledger, offset: int) -> None:
    """Begin the warm-up at this offset, as far as the log reaches back."""
    ledger.warm_from = ledger.warm_at = min(max(offset, ledger.log_start), ledger.position)
