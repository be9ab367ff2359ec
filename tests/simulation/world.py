"""A world in memory: the real `Ingestor` and `PartitionCounter` between a log and a store that fail on a seed's command.

The one place where the real servers are replaced. The store is a plain-Python statement of what `streams.live.scripts.APPLY` does
(`tests/servers/test_live_scripts.py` holds the real one to the same outcomes); the log hands out chunks as aiokafka would, including
chunks that were fetched before a seek and arrive after it.
"""

import asyncio
import copy
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from streams.catalog import Catalog, control_letter
from streams.count import Batch, CountingRules, Delta, Field, PartitionState
from streams.errors import RedisUnavailable
from streams.events import Reason
from streams.ingest.chunks import Chunk
from streams.ingest.ledger import Ingestor
from streams.ingest.partition import Verdict
from streams.ingest.worker_metrics import WorkerMetrics
from streams.live import Applied, Outcome
from tests.plain import BOUNDS, LATENESS_MS, Plain, sums

T0 = 1_788_242_400_000
UAIS = [f"{digits}{control_letter(digits)}" for digits in ("0541234", "0750001", "9740001")]
Totals = Counter[Field]
Minutes = dict[int, Counter[Field]]
Snapshot = tuple[dict[int, PartitionState], Totals, Minutes]


class StoreDown(RedisUnavailable):
    """The store does not answer."""


@dataclass
class MemoryStore:
    """Redis as the worker sees it: offsets and counts move together, in one call, or not at all."""

    rnd: random.Random
    fault_rate: float = 0.0
    states: dict[int, PartitionState] = field(default_factory=dict)
    totals: Totals = field(default_factory=Counter)
    minutes: Minutes = field(default_factory=dict)
    prepared: bool = False
    answers_lost: int = 0
    refusals: int = 0
    #: Partitions whose counts fitted, and that were held back by another one of their call.
    held_back: int = 0

    async def _others_go_on(self) -> None:
        for _ in range(self.rnd.randrange(4) if self.fault_rate else 0):
            await asyncio.sleep(0)

    async def prepare(self) -> str:
        self._maybe_fail()
        self.prepared = True
        return "catalog"

    async def load(self, partitions: list[int]) -> dict[int, PartitionState | None]:
        await self._others_go_on()
        self._maybe_fail()
        found = {number: self.states.get(number) for number in partitions}
        await self._others_go_on()
        return found

    async def apply(self, deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
        await self._others_go_on()
        self._maybe_fail()
        answers = self._apply(deltas)
        await self._others_go_on()
        if self.rnd.random() < self.fault_rate:
            self.answers_lost += 1
            raise StoreDown("the answer was lost")
        return answers

    def _apply(self, deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
        if not self.prepared:
            return dict.fromkeys(deltas, Applied(Outcome.LAYOUT, ""))
        answers = {number: self._compare(number, some[0].start, some[-1].end) for number, some in deltas.items()}
        if any(answer.outcome is not Outcome.APPLIED for answer in answers.values()):
            for number, answer in answers.items():
                if answer.outcome is Outcome.APPLIED:
                    self.held_back += 1
                    answers[number] = Applied(Outcome.HELD_BACK, answer.stored)
            return answers
        for number, some in deltas.items():
            for delta in some:
                self.totals.update(sums(delta))
                for minute, fields in delta.minutes.items():
                    self.minutes.setdefault(minute, Counter()).update(fields)
            self.states[number] = PartitionState(some[-1].end, some[-1].append_ms, some[-1].watermark_ms)
        return answers

    def _compare(self, partition: int, start: int | None, end: int) -> Applied:
        state = self.states.get(partition)
        stored = None if state is None else state.next_offset
        if stored == end and stored != start:
            return Applied(Outcome.ALREADY, str(stored))
        if stored != start:
            self.refusals += 1
            return Applied(Outcome.MOVED, "" if stored is None else str(stored))
        return Applied(Outcome.APPLIED, "" if stored is None else str(stored))

    def _maybe_fail(self) -> None:
        if self.rnd.random() < self.fault_rate:
            raise StoreDown("no connection")

    def snapshot(self) -> Snapshot:
        return copy.deepcopy((self.states, self.totals, self.minutes))

    def restore(self, saved: Snapshot) -> None:
        self.states, self.totals, self.minutes = copy.deepcopy(saved)


@dataclass
class MemoryLog:
    """Partitions as lists of batches; `start` is what retention left, `holes` are offsets without a record."""

    partitions: dict[int, list[Batch]]
    starts: dict[int, int]

    def end(self, partition: int) -> int:
        batches = self.partitions[partition]
        return batches[-1].end if batches else 0

    def offset_since(self, partition: int, append_ms: int) -> int:
        offset = 0
        for batch in self.partitions[partition]:
            if batch.append_ms >= append_ms:
                return max(batch.first if batch.end > batch.first else offset, self.starts[partition])
            offset = batch.end
        return offset

    def fetch(self, partition: int, offset: int, most: int, epoch: int) -> Chunk | None:
        offset = max(offset, self.starts[partition])
        batches = [b for b in self.partitions[partition] if b.end > offset][:most]
        if not batches:
            return None
        return Chunk(partition, offset, batches[-1].end, list(batches), epoch)


#: One value for all workers of a catalog, as in a worker: the names of all fields are made once.
_rules: dict[str, CountingRules] = {}


def _rules_of(catalog: Catalog) -> CountingRules:
    if catalog.digest not in _rules:
        rules = CountingRules.of(catalog, BOUNDS, LATENESS_MS)
        # Three partitions, one or two workers: some share tables, as workers of many partitions do.
        _rules[catalog.digest] = replace(rules, plan=replace(rules.plan, shared_from=2))
    return _rules[catalog.digest]


class MemoryDeadLetters:
    """Keeps every reject; the number kept is compared with the counted one."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.kept: set[tuple[int, int]] = set()

    async def keep(self, partition: int, delta: Delta) -> dict[Reason, int]:
        await self.world.store._others_go_on()
        self.kept.update((partition, reject.offset) for reject in delta.rejects)
        return {}


class Worker:
    """One worker: an `Ingestor`, the chunks fetched for it and not handled yet, and where it fetches next."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.fetched: deque[Chunk] = deque()
        self.fetch_at: dict[int, int] = {}
        self.epochs: Counter[int] = Counter()
        self.stopping = self.rebalancing = False
        self.applied = 0
        #: What goes on beside the story's steps: the agent's fetch in hand, and calls.
        self.handling: asyncio.Task[dict[int, Verdict]] | None = None
        self.calls: list[asyncio.Task[None]] = []
        self.ingestor = Ingestor(
            rules=_rules_of(world.catalog),
            store=world.store,
            dead_letters=world.dead_letters,
            kafka=self,
            prepare=world.store.prepare,
            halted=lambda: self.stopping or self.rebalancing,
            metrics=WorkerMetrics(),
        )

    async def seek(self, partition: int, offset: int) -> None:
        # What was fetched before the seek is still on its way to the agent, as in Faust's queues.
        self.fetch_at[partition] = offset
        self.epochs[partition] += 1

    def epoch(self, partition: int) -> int:
        return self.epochs[partition]

    async def log_start(self, partition: int) -> int:
        return self.world.log.starts[partition]

    async def log_end(self, partition: int) -> int:
        return self.world.log.end(partition)

    async def confirm_topic(self) -> None:
        """The world has one topic."""

    async def offsets_since(self, append_times_ms: Mapping[int, int]) -> dict[int, int]:
        early = self.world.rnd.choice([0, 0, 3, 20])
        found = {number: self.world.log.offset_since(number, ms) for number, ms in append_times_ms.items()}
        return {number: max(self.world.log.starts[number], offset - early) for number, offset in found.items()}

    async def assign(self, partitions: list[int]) -> None:
        self.rebalancing = True
        if self.world.rnd.random() < 0.7:  # else Redis was down just then
            await self.ingestor.flush()
        bounds = {number: (self.world.log.starts[number], self.world.log.end(number)) for number in partitions}
        targets = await self.ingestor.place(bounds)
        self.fetch_at = {}
        for partition, offset in targets.items():
            await self.seek(partition, offset)
        self.rebalancing = False
        if self.world.rnd.random() < 0.7:  # sometimes chunks of before the rebalance are delivered after it
            self.fetched.clear()

    def fetch(self) -> bool:
        """Fetch from every owned partition; whether anything waits to be counted."""
        for partition in list(self.fetch_at):
            chunk = self.world.log.fetch(
                partition, self.fetch_at[partition], self.world.rnd.randrange(1, 5), self.epochs[partition]
            )
            if chunk is not None:
                self.fetch_at[partition] = chunk.end
                if self.world.rnd.random() < self.world.drop_rate:
                    self.world.dropped += 1  # Faust drops messages when its flow is suspended
                else:
                    self.fetched.append(chunk)
        return bool(self.fetched)

    async def read_on(self, rounds_max: int) -> bool:
        """Fetch, count and commit until the log is read to its end; whether it was, within so many rounds."""
        for _ in range(rounds_max):
            self.fetch()
            if await self.handle_one() is None:
                await self.ingestor.commit()
                self.fetch()
                if not self.fetched:
                    return True
        return False

    async def handle_one(self) -> dict[int, Verdict] | None:
        if not self.fetched:
            return None
        return await self.ingestor.handle(self._next_fetch(), self._note_applied)

    def _note_applied(self, _chunk: Chunk) -> None:
        self.applied += 1

    def _next_fetch(self) -> list[Chunk]:
        """The next chunks, of one partition each, as one fetch brings them: one, some or as many as there are."""
        chunks = [self.fetched.popleft()]
        most = self.world.rnd.choice([1, 2, len(self.world.log.partitions)])
        while self.fetched and len(chunks) < most and self.fetched[0].partition not in {c.partition for c in chunks}:
            chunks.append(self.fetched.popleft())
        return chunks

    async def begin_one(self) -> None:
        """Take the next fetch in hand, as the agent does: one after the other, while other things happen."""
        if self.handling is not None:
            await self.handling
        self.handling = asyncio.create_task(self.ingestor.handle(self._next_fetch())) if self.fetched else None

    def begin_call(self) -> None:
        """Send what is pending, while other things happen."""
        self.calls.append(asyncio.create_task(self.ingestor.commit()))

    async def rest(self) -> None:
        """Let what was begun come to its end."""
        for task in (*self.calls, *((self.handling,) if self.handling else ())):
            await task

    def killed(self) -> "Worker":
        """kill -9: memory and all that was fetched is gone, and calls under way end wherever they are. Its successor."""
        for task in (*self.calls, *((self.handling,) if self.handling else ())):
            task.cancel()
        return Worker(self.world, self.name)

    async def count(self, chunk: Chunk) -> Verdict:
        """Handle a chunk and send what it came to; AWAY where Redis refused it."""
        verdict = (await self.ingestor.handle([chunk]))[chunk.partition]
        ledger = self.ingestor.ledgers.get(chunk.partition)
        await self.ingestor.commit()
        followed = self.ingestor.ledgers.get(chunk.partition)
        return Verdict.AWAY if verdict is Verdict.COUNTED and followed is not ledger else verdict


class World:
    """Log, store and workers of one seed."""

    def __init__(self, seed: int, catalog: Catalog, fault_rate: float) -> None:
        self.rnd = random.Random(seed)
        self.catalog = catalog
        self.log = make_log(self.rnd)
        self.store = MemoryStore(self.rnd, fault_rate)
        self.dead_letters = MemoryDeadLetters(self)
        self.workers: list[Worker] = []
        self.drop_rate = fault_rate / 3
        self.dropped = 0

    def truth(self) -> tuple[Totals, Minutes]:
        """Counts of the whole log by the plain sentences, each partition on its own."""
        totals: Totals = Counter()
        minutes: Minutes = {}
        for batches in self.log.partitions.values():
            by_minute, sums = Plain().feed(self.catalog, batches)
            totals.update(sums)
            for (minute, key), number in by_minute.items():
                minutes.setdefault(minute, Counter())[key] += number
        return totals, minutes

    def counted(self) -> tuple[Totals, Minutes]:
        """What the store holds."""
        return self.store.totals, self.store.minutes


def make_log(rnd: random.Random, partitions: int = 3) -> MemoryLog:
    """A small log: batches of a few events, some broken, some unreadable, offsets with holes, append times that sometimes step back."""
    logs: dict[int, list[Batch]] = {}
    for partition in range(partitions):
        batches = []
        offset, append_ms = 0, T0
        recent: list[bytes | None] = []
        for _ in range(rnd.randrange(4, 14)):
            append_ms += rnd.randrange(-500, 9_000) if rnd.random() < 0.6 else rnd.randrange(0, 900_000)
            if rnd.random() < 0.08:  # a transaction marker, or what compaction left of a batch
                offset += rnd.randrange(1, 3)
            if rnd.random() < 0.05:  # a batch that nobody can read
                number = rnd.randrange(1, 5)
                offset += number
                reason = rnd.choice([Reason.TOO_LARGE, Reason.CORRUPT])
                batches.append(Batch(append_ms, (), (), (), offset, number, reason))
            offsets, values = [], []
            for _ in range(rnd.randrange(1, 6)):
                again = rnd.random() < 0.12 and recent
                values.append(rnd.choice(recent) if again else _value(rnd, append_ms))
                recent = [*recent[-20:], values[-1]]
                offsets.append(offset)
                offset += 1 if rnd.random() < 0.97 else 2
            batches.append(Batch(append_ms, values, [None] * len(values), offsets, offset))
        logs[partition] = batches
    return MemoryLog(logs, dict.fromkeys(range(partitions), 0))


def _value(rnd: random.Random, append_ms: int) -> bytes | None:
    if rnd.random() < 0.05:
        return rnd.choice([None, b"broken"])
    event = {
        "v": 1,
        "id": f"{rnd.getrandbits(64):x}",
        "ts": append_ms - (rnd.randrange(0, 60_000) if rnd.random() < 0.8 else rnd.randrange(-100_000, 3_000_000)),
        "visitor": f"v{rnd.randrange(9)}",
        "uai": rnd.choice(UAIS),
        "service": rnd.choice(["NOTES", "ABSENCES"]),
        "project": rnd.choice(["mbn", "mbn", "nope", None]),
    }
    return orjson.dumps(event)


Assignment = Mapping[int, list[int]]
