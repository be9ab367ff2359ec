"""The recount reads record batches as workers do: the same records, and the same number that nobody can read."""

import random
from typing import Any

import kafka.consumer.fetcher as kafka_fetcher
import pytest
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from kafka.record import MemoryRecords

from streams.audit.log import FetchedPiece, FetchedPieces, Unread, _until
from streams.errors import StateError
from streams.events import Reason
from streams.ingest.batches import BatchRecords, FetchedRecords, Hand
from streams.record_batches import Damages, Unpacker
from tests.record_batches import CODECS, MIB, PACK, batch, bomb, record, stamped

TP = TopicPartition("visits", 3)
BYTES_MAX = 4 * MIB
GOOD = b"".join(record(n, b"v%d" % n, [(b"name", b"x")]) for n in range(3))

#: What was read of a partition: records, or (append time, number, end, reason) of those that nobody can read.
Read = list[tuple[Any, ...]]


def pieces(response: bytes, wanted: int = 0) -> list[FetchedPiece]:
    records = FetchedPieces(Unpacker(BYTES_MAX), Damages(), wanted, TP, MemoryRecords(response))
    found: list[FetchedPiece] = []
    while records:
        found += records.take(1)
    return found


def by_recount(response: bytes, wanted: int = 0) -> Read:
    found: Read = []
    for piece in pieces(response, wanted):
        if isinstance(piece.records, Unread):
            found.append((piece.records.append_ms, piece.records.number, piece.records.end, piece.records.reason))
        else:
            found += [(each.timestamp, each.offset, each.key, each.value) for each in piece.records]
    return found


def by_worker(response: bytes, wanted: int = 0) -> Read:
    BatchRecords.hand, BatchRecords.damages = Hand(Unpacker(BYTES_MAX)), Damages()
    found: Read = []
    for covered in BatchRecords(TP, FetchedRecords(response), [], wanted, None, None, True, 0):
        if covered.problem is not None:
            raise covered.problem
        mine = covered.batch
        if mine.reason is not None:
            found.append((mine.append_ms, mine.unread, mine.end, mine.reason))
        found += [(mine.append_ms, *row) for row in zip(mine.offsets, mine.keys, mine.values, strict=True)]
    return found


def test_kafka_python_is_as_it_was_tried() -> None:
    kind = kafka_fetcher.Fetcher.PartitionRecords
    assert {"_unpack_records", "next_fetch_offset", "record_iterator", "bytes_read"} <= set(
        kind.__init__.__code__.co_names
    )
    assert "PartitionRecords" in kafka_fetcher.Fetcher._parse_fetched_data.__code__.co_names
    assert MemoryRecords(b"x" * 100)._buffer == b"x" * 100


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_unread_and_what_is_around_it_is_read(codec: str) -> None:
    good = batch(codec, PACK[codec](GOOD), 3)
    response = good + batch(codec, bomb(codec, 64, records=2), 2, base=3) + stamped(good, 5)
    found = by_recount(response)
    assert found == by_worker(response)
    assert found[3] == (1000, 2, 5, Reason.TOO_LARGE)
    assert [row[1] for row in found] == [0, 1, 2, 2, 5, 6, 7]


def test_what_is_read_at_once_is_bounded_in_bytes() -> None:
    one = batch("zstd", PACK["zstd"](record(0, bytes(MIB))), 1)
    found = pieces(b"".join(stamped(one, n) for n in range(5)))
    assert [len(piece.records) for piece in found if not isinstance(piece.records, Unread)] == [2, 2, 1]


def test_headers_are_kept_also_where_one_has_a_name_that_is_no_text() -> None:
    records = record(0, b"first", [(b"\xff", b"1"), (b"reason", b"not_json")]) + record(1, b"second")
    (piece,) = pieces(batch(0, records, 2))
    assert not isinstance(piece.records, Unread)
    assert [list(each.headers) for each in piece.records] == [[("\ufffd", b"1"), ("reason", b"not_json")], []]


def test_a_reader_that_wants_no_more_is_not_told_what_stops_others() -> None:
    good = batch(0, GOOD, 3)
    theirs = bytearray(good)
    theirs[22] = 0
    records = FetchedPieces(
        Unpacker(BYTES_MAX), Damages(), 0, TP, MemoryRecords(good + stamped(bytes(theirs), 3, attributes=0))
    )
    (piece,) = records.take(1)
    assert (piece.offset, records.next_fetch_offset) == (2, 3)
    with pytest.raises(StateError, match="not stamped by the broker"):
        records.take(1)


@pytest.mark.parametrize("end", [3, 4, 6])
def test_reading_ends_in_the_middle_of_what_nobody_can_read(end: int) -> None:
    unread = _until(FetchedPiece(5, Unread(1000, 4, 6, Reason.CORRUPT)), end)
    assert isinstance(unread, Unread)
    assert (unread.number, unread.end) == (4 - (6 - end), end)


@pytest.mark.parametrize(
    ("deltas", "sound"),
    [
        ((0, 1, 2), True),
        ((0, 2, 4), True),
        ((0, -19, 2), False),
        ((0, 180, 2), False),
        ((0, 0, 2), False),
        ((1, 0, 2), False),
        ((0, 2, 1), False),
        ((2, 1, 3), False),
    ],
)
@pytest.mark.parametrize("codec", [0, *CODECS])
def test_records_whose_offsets_lie_are_corrupt(codec: str | int, deltas: tuple[int, ...], sound: bool) -> None:
    """Kafka does not look at them in a batch without compression. Two rejects of one offset would be one dead letter."""
    records = b"".join(record(delta, b"v") for delta in deltas)
    response = batch(codec, PACK[codec](records) if isinstance(codec, str) else records, 3, last_delta=4)
    found = by_worker(response)
    assert found == by_recount(response)
    assert [row[1] for row in found] == (list(deltas) if sound else [3])
    assert found[-1][3] == (b"v" if sound else Reason.CORRUPT)


@given(st.sampled_from([0, *CODECS.values()]), st.integers(0, 2**32), st.integers(0, 4))
def test_whatever_a_batch_holds_both_count_the_same(codec: int, seed: int, wanted: int) -> None:
    rnd = random.Random(seed)
    name = next((name for name, number in CODECS.items() if number == codec), None)
    packed = bytearray(PACK[name](GOOD) if name else GOOD)
    for _ in range(rnd.randrange(1, 4)):
        at = rnd.randrange(len(packed))
        packed[at : at + rnd.randrange(3)] = rnd.randbytes(rnd.randrange(3))
        packed = packed or bytearray(b"x")
    number = rnd.choice([3, 3, 3, rnd.randrange(-2, 9)])
    hostile = batch(codec, bytes(packed), number, last_delta=rnd.choice([max(number, 3) - 1, 4]))
    end = 5 if hostile[23:27] == (4).to_bytes(4, "big") else int.from_bytes(hostile[23:27], "big") + 1
    response = hostile + stamped(batch(0, GOOD, 3), end)
    wanted = min(wanted, end - 1)
    found = by_worker(response, wanted)
    assert found == by_recount(response, wanted)
    assert [row[1] for row in found][-3:] == [end, end + 1, end + 2], "and reading goes on"
