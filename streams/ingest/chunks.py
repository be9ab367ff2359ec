"""A chunk: all that one fetch brought of one partition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from streams.count import Batch
from streams.errors import StateError
from streams.ingest.batches import CoveredBatch, Held

#: The epoch of a chunk of which it is not known where its fetch began: lower than any.
NO_EPOCH = -1


@dataclass(slots=True)
class Chunk:
    """All that was fetched of one partition at once: covers the offsets `start <= offset < end`.

    `epoch`: how many seeks this partition had seen when the fetch began. `NO_EPOCH`: it was assigned anew since the last seek, and nobody
    knows where this fetch began. `problem` tells why counting must stop here. `taken`: somebody counts it, or has.
    """

    partition: int
    start: int
    end: int
    batches: list[Batch]
    epoch: int
    problem: StateError | None = None
    held: list[Held | None] = field(default_factory=list)
    taken: bool = False

    def take(self) -> bool:
        """Begin to count it; return whether it is still there: it may have been let go."""
        self.taken = True
        return bool(self.batches)

    def pieces(self, records_max: int) -> "Iterator[Chunk]":
        """Itself in pieces of at most so many records, in order. No problem goes with them."""
        start, batches, room = self.start, list[Batch](), records_max
        for batch in self.batches:
            for part in _parts(batch, records_max):
                if batches and len(part.values) > room:
                    yield Chunk(self.partition, start, batches[-1].end, batches, self.epoch)
                    start, batches, room = batches[-1].end, [], records_max
                batches.append(part)
                room -= len(part.values)
        yield Chunk(self.partition, start, self.end, batches, self.epoch)

    def let_go(self) -> None:
        """Give back the memory of what was counted, or is of no use: whoever brought the chunk may keep it until the next one comes."""
        self.batches.clear()
        self.held.clear()


def together(chunks: Sequence[Chunk], records_max: int, records_of_one_max: int) -> Iterator[list[Chunk]]:
    """Chunks of different partitions, in pieces that are counted at once: of several, at most `records_max` records, of one alone at most
    `records_of_one_max`. The pieces of a chunk come one after the other.
    """
    group: list[Chunk] = []
    room = records_max
    for chunk in chunks:
        for piece in chunk.pieces(records_of_one_max):
            records = sum(len(batch.values) for batch in piece.batches)
            if group and (records > room or group[-1].partition == piece.partition):
                yield group
                group, room = [], records_max
            group.append(piece)
            room -= records
    if group:
        yield group


def make_chunk(partition: int, covered: list[CoveredBatch], epoch: int = 0) -> Chunk:
    """Join what was fetched into one chunk."""
    batches = [item.batch for item in covered]
    held = [item.held for item in covered]
    return Chunk(partition, covered[0].start, batches[-1].end, batches, epoch, covered[-1].problem, held)


def _parts(batch: Batch, records_max: int) -> Iterator[Batch]:
    """A batch, or where it has more records, parts of it: each but the last ends where the next one begins."""
    if len(batch.values) <= records_max:
        yield batch
        return
    for at in range(0, len(batch.values), records_max):
        to = at + records_max
        end = batch.offsets[to] if to < len(batch.offsets) else batch.end
        yield Batch(batch.append_ms, batch.values[at:to], batch.keys[at:to], batch.offsets[at:to], end)
