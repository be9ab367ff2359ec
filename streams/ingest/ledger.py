"""Chunks in, counts in Redis out: the numbered steps of a chunk, without Faust and without Kafka's client.

Steps of a chunk (the same numbers as docs/guarantees.md); those of several partitions take the first three together:

1. its offsets are held against the partition's position: known ones are cut away, a gap is read again;
2. it is counted, in memory, into a `Delta` that continues the deltas before it;
3. its rejected events are kept in the dead-letter topic, acknowledged by Kafka or counted as not kept; then it joins what is pending;
4. one call to Redis moves the offsets of all partitions and adds what is pending of them, if each stored offset is still where its
   partition's deltas begin; else it writes nothing, and the others are sent without those that were refused (`group_commit`);
5. a call without an answer is sent again, the same deltas: Redis tells whether it had gone through;
6. only then Faust is told where the chunk ended: its commit is a courtesy to lag tools.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from streams.count import (
    Batch,
    Counting,
    CountingRules,
    Cut,
    Delta,
    Rejects,
    between,
)
from streams.errors import RedisUnavailable, StateError
from streams.ingest.chunks import Chunk, together
from streams.ingest.group_commit import CALL_COMMANDS_MAX, GroupCommit, Refused, pause
from streams.ingest.needs import DeadLetters, Log, Store
from streams.ingest.partition import Counted, Ledger, Verdict
from streams.ingest.takeover import Takeover, past_the_end
from streams.ingest.worker_metrics import WorkerMetrics
from streams.live import Outcome, commands_of

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How long a Redis that does not answer may hold up an assignment: with a last call, less than `transport.SEEK_SECONDS_MAX`, so that the
#: error names Redis.
PLACE_SECONDS_MAX = 12.0
#: Records of one partition that are counted at once, and of several: what they come to is within a call's bound.
PIECE_RECORDS = 6_000
TOGETHER_RECORDS = 1_000
#: How often a partition may be read again without counting anything before the worker stops and says so.
REREADS_MAX = 20


class _Next(NamedTuple):
    """What is next to be counted of a partition, and how many offsets before it are lost."""

    ledger: Ledger
    batches: list[Batch]
    lost: int


class _GivenUp(Exception):
    """Redis did not answer before the partition had to be let go; what is open of it is counted later, from the log."""

    def __init__(self, error: RedisUnavailable) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True)
class Ingestor:
    """The chunks of all partitions that this worker owns.

    `prepare` begins or continues the installation in Redis (`LiveWriter.prepare`, its arguments bound); `halted` tells that the worker
    must let go of what it holds: a rebalance is under way or it stops.
    """

    rules: CountingRules
    store: Store
    dead_letters: DeadLetters
    kafka: Log
    prepare: Callable[[], Awaitable[object]]
    halted: Callable[[], bool]
    metrics: WorkerMetrics
    #: At most this often what was counted goes to Redis, where no backlog sends it sooner.
    apply_seconds: float = 0.1
    ledgers: dict[int, Ledger] = field(default_factory=dict)
    calls: GroupCommit = field(init=False)
    _counting: Counting = field(init=False)
    _takeover: Takeover = field(init=False)
    #: Held by whoever counts a chunk or changes a position outside of a chunk: one at a time. Who needs both takes that of `calls` first.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._counting = Counting(self.rules)
        self._takeover = Takeover(self.kafka, self._counting)
        self.calls = GroupCommit(self.store, self.halted, self.metrics, self.apply_seconds)

    @property
    def busy(self) -> bool:
        """Whether a chunk or a call is in hand."""
        return self._turn.locked() or self.calls.turn.locked()

    async def place(self, log_bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """Take over exactly these partitions, given (log start, log end) of each; return where to read each from.

        Loads only, because Faust may call it twice in one rebalance. A partition that comes back unmoved keeps its counter.

        Raises:
            StateError: a stored offset lies past the end of the log: the log is not the one that was counted.
            RedisUnavailable: Redis did not answer for `PLACE_SECONDS_MAX`.
        """
        deadline = time.monotonic() + PLACE_SECONDS_MAX

        def late() -> bool:
            return time.monotonic() > deadline

        # Nothing may be counted while positions are compared: a chunk in hand finds its ledger gone.
        known, self.ledgers = self.ledgers, {}
        try:
            await self._until_answered(self.prepare, late)
            states = await self._until_answered(lambda: self.store.load(list(log_bounds)), late)
        except _GivenUp as given_up:
            raise given_up.error from None
        self.ledgers = ledgers = await self._takeover.open(log_bounds, states, known)
        return {number: max(ledger.expected, ledger.log_start) for number, ledger in ledgers.items()}

    async def handle(
        self, chunks: Sequence[Chunk], on_applied: Callable[[Chunk], object] = lambda _chunk: None
    ) -> dict[int, Verdict]:
        """Carry chunks of different partitions through steps 1 to 3; see the module's head. Return what became of each, by partition, and
        let go of it. `on_applied` is called with a counted one when it is in Redis.

        Raises:
            StateError: counting cannot go on: the log, or what Redis holds, is not as it must be.
        """
        verdicts = {chunk.partition: Verdict.GIVEN_UP for chunk in chunks}
        going = {chunk.partition: chunk for chunk in chunks}
        for group in together(chunks, TOGETHER_RECORDS, PIECE_RECORDS):
            if self.halted():
                break
            pieces = [piece for piece in group if piece.partition in going]
            ends = {piece.partition for piece in pieces if piece.end == going[piece.partition].end}
            async with self._turn:
                found = await self._handle(pieces, {n: partial(on_applied, going[n]) for n in ends})
            for number, verdict in found.items():
                if number in ends or verdict in (Verdict.AWAY, Verdict.GIVEN_UP):
                    verdicts[number] = await self._end(going.pop(number), verdict)
            if sum(each.commands for ledger in self.ledgers.values() for each in ledger.pending) >= CALL_COMMANDS_MAX:
                await self.commit()
        for chunk in going.values():
            chunk.let_go()
        return verdicts

    async def _end(self, chunk: Chunk, verdict: Verdict) -> Verdict:
        """Let go of a chunk; where it tells that counting must stop, stop once what lies before that is in Redis."""
        chunk.let_go()
        if chunk.problem is None or verdict in (Verdict.AWAY, Verdict.GIVEN_UP):
            return verdict
        await self.commit()
        ledger = self.ledgers.get(chunk.partition)
        if ledger is None or ledger.expected < chunk.end or ledger.pending:
            return Verdict.GIVEN_UP
        raise chunk.problem

    async def commit(self) -> None:
        """Send what is pending of all partitions; read again what Redis refused.

        Raises:
            StateError: as `handle`.
        """
        async with self.calls.turn:
            refused = await self.calls.send(self.ledgers.values())
            if not refused:
                return
            async with self._turn:
                for each in refused:
                    await self._follow(each)

    async def flush(self) -> None:
        """Before partitions are given back: send what is pending, so that their next owner need not count it again."""
        await self.calls.flush(self.ledgers.values())

    async def _handle(
        self, pieces: Sequence[Chunk], on_applied: Mapping[int, Callable[[], object]]
    ) -> dict[int, Verdict]:
        """Carry pieces of different partitions through steps 1 to 3."""
        found = {piece.partition: await self._position(piece) for piece in pieces}  # step 1
        # While one waited for Kafka, a rebalance may have taken another one away; its counter may serve on.
        ready = {n: each for n, each in found.items() if isinstance(each, _Next) and self.ledgers.get(n) is each.ledger}
        if ready:
            counted = self._counting.count([(each.ledger.counter, each.batches) for each in ready.values()])  # step 2
            deltas = dict(zip(ready, counted, strict=True))
            for number, delta in deltas.items():
                ready[number].ledger.warm_at = delta.end
                if ready[number].lost:
                    delta.add_total((Cut.LOST,), ready[number].lost)
            # Step 3. Nobody waits for another one's dead letters.
            for number, delta in sorted(deltas.items(), key=lambda item: len(item[1].rejects) > 0):
                if delta.rejects:
                    await self._keep_rejects(number, delta)
                times = [batch.append_ms for batch in ready[number].batches]
                counted_one = Counted(delta, times, commands_of(delta), on_applied.get(number, _nothing))
                ready[number].ledger.pending.append(counted_one)
                self.calls.wake()
        unless_told = {n: Verdict.COUNTED if n in ready else Verdict.GIVEN_UP for n in found}
        return unless_told | {n: each for n, each in found.items() if isinstance(each, Verdict)}

    async def _position(self, piece: Chunk) -> "_Next | Verdict":
        """Hold a piece against where its partition stands (step 1): what there is to count of it, or what became of it."""
        ledger = self.ledgers.get(piece.partition)
        if ledger is None:
            return Verdict.GIVEN_UP
        if piece.epoch < ledger.epoch:
            return Verdict.AWAY
        if piece.start < ledger.expected:
            await self._refuse_step_back(ledger, piece)
        if piece.end <= ledger.expected:
            return Verdict.KNOWN
        lost = 0
        if piece.start > ledger.expected:
            found = await self._lost_in_gap(ledger, piece)
            if found is None:
                await self._read_again(ledger, "gap")
                return Verdict.AWAY
            if self.ledgers.get(piece.partition) is not ledger:
                return Verdict.GIVEN_UP  # a rebalance took it away meanwhile; its counter may serve on
            lost = found
        if ledger.warm_at < ledger.position:
            ledger.counter.warm(between(piece.batches, ledger.expected, ledger.position))
            ledger.warm_at = piece.end
        batches = between(piece.batches, ledger.position)
        return _Next(ledger, batches, lost) if batches else Verdict.WARMED

    async def _keep_rejects(self, partition: int, delta: Delta) -> None:
        for reason, number in (await self.dead_letters.keep(partition, delta)).items():
            delta.add_total((Cut.NOT_KEPT, reason.value), number)
        delta.rejects = Rejects()  # what was rejected is not needed any more, and holds the whole chunk

    async def _lost_in_gap(self, ledger: Ledger, chunk: Chunk) -> int | None:
        """Classify a gap: return how many offsets of it are lost for ever, or None where it must be read again.

        What lies below the start of the log was removed by retention before it was counted. Above it nothing is gone: a piece was dropped
        on its way here, or the fetch did not begin where we sought. (A hole without events, compaction or transaction markers, is covered
        by its chunk.)
        """
        if chunk.start > await self.kafka.log_start(chunk.partition):
            return None
        lost = max(0, chunk.start - ledger.position)
        if lost:
            log.error("partition %d: retention removed %d offsets before they were counted", chunk.partition, lost)
        return lost

    async def _refuse_step_back(self, ledger: Ledger, chunk: Chunk) -> None:
        """Without a seek, fetches only go forward: one that went back tells that Kafka's client found its position outside the log.

        The log was cut, or the topic deleted and created anew. Counting on would skip what lies below the position, silently.

        Raises:
            StateError: the log is not the one that was counted.
        """
        log.error(
            "partition %d: Kafka sends offset %d where %d is next", ledger.partition, chunk.start, ledger.expected
        )
        await self.kafka.confirm_topic()
        log_end = await self.kafka.log_end(ledger.partition)
        if ledger.position > log_end:
            raise past_the_end(ledger.partition, ledger.position, log_end)

    async def compare(self, stored: Mapping[int, int | None]) -> None:
        """Hold the positions against those that Redis told at a heartbeat (None: nothing stored); load anew what differs.

        Without it, a partition in which nothing happens would not notice that Redis was emptied or went back to an older copy.

        Raises:
            StateError: as `place`.
        """
        differ = [n for n, ledger in self.ledgers.items() if n in stored and stored[n] != ledger.stored]
        if not differ or self.busy or self.halted():
            return
        async with self.calls.turn, self._turn:
            await self.prepare()
            for number, state in (await self.store.load(differ)).items():
                ledger = self.ledgers.get(number)
                if ledger is None or ledger.stored == (None if state is None else state.next_offset):
                    continue  # a call had moved both meanwhile
                where = "nothing" if state is None else state.next_offset
                log.warning("partition %d: Redis went to %s, not %s: reading again", number, where, ledger.stored)
                try:
                    await self._reload(ledger)
                except _GivenUp:
                    self._discard(ledger)

    async def pass_over_what_is_gone(self, partition: int, log_end: int) -> None:
        """Where retention removed everything that was left to count, no chunk comes that would tell: count it as lost now."""
        ledger = self.ledgers.get(partition)
        if ledger is None or self.busy or self.halted():
            return
        log_start = await self.kafka.log_start(partition)
        if ledger.position < log_start == log_end:
            nothing = Batch(ledger.counter.append_ms, (), (), (), log_end)
            await self.handle([Chunk(partition, log_end, log_end, [nothing], ledger.epoch)])

    async def _follow(self, refused: Refused) -> None:
        """Redis stands elsewhere than what was counted: drop that, and read on from where Redis stands."""
        ledger, stored = refused.ledger, refused.applied.stored
        if self.ledgers.get(ledger.partition) is not ledger:
            return  # a rebalance took over meanwhile
        log.warning(
            "partition %d: Redis stands at %s, not at %s: reading again",
            ledger.partition,
            stored or "nothing",
            ledger.stored,
        )
        try:
            if refused.applied.outcome is Outcome.LAYOUT:
                await self._until_answered(self.prepare, self.halted)
            await self._reload(ledger)
        except _GivenUp:
            self._discard(ledger)

    def _discard(self, ledger: Ledger) -> None:
        if self.ledgers.get(ledger.partition) is ledger:
            del self.ledgers[ledger.partition]

    async def _reload(self, ledger: Ledger) -> None:
        states = await self._until_answered(lambda: self.store.load([ledger.partition]), self.halted)
        fresh = await self._takeover.reopen(ledger, states[ledger.partition])
        await self._read_again(ledger, "moved", fresh)

    async def _read_again(self, ledger: Ledger, kind: str, fresh: Ledger | None = None) -> None:
        """Seek to where the ledger stands, or to where `fresh` does, which takes its place.

        Not before the seek is done: after one that failed, the next heartbeat finds the old ledger, and that Redis tells something else.
        """
        target = fresh or ledger
        ledger.rereads += 1
        target.rereads = ledger.rereads
        if ledger.rereads > REREADS_MAX:
            raise StateError(
                f"partition {ledger.partition} was read again {REREADS_MAX} times without counting anything: is another worker of another "
                "consumer group writing to the same Redis prefix?"
            )
        if self.ledgers.get(ledger.partition) is not ledger:
            return  # a rebalance took over meanwhile, with a seek of its own
        self.metrics.seek(kind)
        await self.kafka.seek(ledger.partition, max(target.expected, target.log_start))
        target.epoch = self.kafka.epoch(ledger.partition)
        if self.ledgers.get(ledger.partition) is ledger:
            self.ledgers[ledger.partition] = target

    async def _until_answered(self, call: Callable[[], Awaitable[T]], give_up: Callable[[], bool]) -> T:
        """Call Redis until it answers.

        `give_up` tells that there is no more time, that a rebalance waits for us, or that the worker stops.

        Raises:
            _GivenUp: `give_up` said so.
        """
        tries = 0
        while True:
            try:
                return await call()
            except RedisUnavailable as error:
                if give_up():
                    raise _GivenUp(error) from error
                self.metrics.redis_failure()
                log.error("%s; trying again", error)
                await pause(tries)
                tries += 1


def _nothing() -> None:
    """For the pieces of a chunk but the last."""
