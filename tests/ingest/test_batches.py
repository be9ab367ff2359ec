"""Fetch responses read batch by batch: what cannot be unpacked within the bound, or not at all, is counted, and reading goes on."""

import asyncio
import resource
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from streams.errors import StateError
from streams.events import Reason
from streams.ingest.batches import BatchRecords, BoundedResult, CoveredBatch, FetchedRecords, Hand
from streams.ingest.chunks import make_chunk
from streams.record_batches import RECORD_BYTES, Damages, Unpacker
from tests.record_batches import CODECS, MIB, PACK, batch, bomb, record, stamped

TP = TopicPartition("visits", 3)
GOOD = b"".join(record(n, b"v%d" % n) for n in range(3))


@pytest.fixture(autouse=True)
def _hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchRecords, "hand", Hand(Unpacker(8 * MIB)), raising=False)
    monkeypatch.setattr(BatchRecords, "damages", Damages())


def fetched(response: bytes, wanted: int = 0) -> BatchRecords:
    return BatchRecords(TP, FetchedRecords(response), [], wanted, None, None, True, 0)


def told(found: list[CoveredBatch]) -> list[tuple[int, int, int, Any]]:
    """(start, end, records, reason) of each."""
    return [(c.start, c.batch.end, len(c.batch.values) + c.batch.unread, c.batch.reason) for c in found]


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_between_good_batches_is_counted_and_they_are_read(codec: str) -> None:
    packed = bomb(codec, 600, records=2)
    assert len(packed) < 40 * MIB
    good = batch(codec, PACK[codec](GOOD), 3)
    response = good + batch(codec, packed, 2, base=3) + stamped(good, 5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    records = fetched(response)
    assert told(list(records)) == [(0, 3, 3, None), (3, 5, 2, Reason.TOO_LARGE), (5, 8, 3, None)]
    assert records.next_fetch_offset == 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10, "KiB"


@pytest.mark.parametrize("codec", CODECS)
def test_the_bound_is_what_a_batch_unpacks_to_to_the_byte(codec: str) -> None:
    one = record(0, b"x" * 1000)
    for spare, reason in ((0, None), (-1, Reason.TOO_LARGE)):
        BatchRecords.hand = Hand(Unpacker(len(one) + RECORD_BYTES + spare))
        assert told(list(fetched(batch(codec, PACK[codec](one), 1)))) == [(0, 1, 1, reason)]


def test_many_records_of_nothing_are_bounded_as_well() -> None:
    number = 8 * MIB // RECORD_BYTES + 1
    packed = PACK["zstd"](b"".join(record(n, None, key=None) for n in range(number)))
    assert told(list(fetched(batch("zstd", packed, number)))) == [(0, number, number, Reason.TOO_LARGE)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("harm", ["cut", "noise", "behind", "other", "fewer", "more"])
def test_a_batch_that_cannot_be_read_is_told_apart(codec: str, harm: str) -> None:
    packed = bytearray(PACK[codec](GOOD))
    number = 3
    if harm == "cut":
        del packed[-8:]
    elif harm == "noise":
        packed[len(packed) // 2 :] = b"\xaa" * (len(packed) - len(packed) // 2)
    elif harm == "behind":
        packed += b"garbage"
    elif harm == "other":
        packed[:] = b"no compression at all"
    else:
        number = 2 if harm == "fewer" else 4
    response = batch(codec, bytes(packed), number) + batch(0, GOOD, 3, base=number)
    assert told(list(fetched(response))) == [(0, number, number, Reason.CORRUPT), (number, number + 3, 3, None)]


def test_a_codec_that_nobody_knows_is_told_apart() -> None:
    assert told(list(fetched(batch(5, GOOD, 3) + batch(0, GOOD, 3, base=3)))) == [
        (0, 3, 3, Reason.CORRUPT),
        (3, 6, 3, None),
    ]


def test_a_header_whose_name_is_no_text_keeps_nobody_from_counting_the_event() -> None:
    records = record(0, b"first", [(b"\xff\xfe", b"1")]) + record(1, b"second")
    (only,) = fetched(batch("lz4", PACK["lz4"](records), 2))
    assert (only.batch.values, only.batch.keys, list(only.batch.offsets)) == (
        [b"first", b"second"],
        [b"k", b"k"],
        [0, 1],
    )


@pytest.mark.parametrize(("number", "last_delta", "counted"), [(2_000_000_000, 4, 5), (-1, 4, 5), (3, 4, 3)])
def test_how_many_records_there_are_is_believed_as_far_as_offsets_reach(
    number: int, last_delta: int, counted: int
) -> None:
    response = batch("gzip", b"broken", number, last_delta=last_delta)
    assert told(list(fetched(response))) == [(0, 5, counted, Reason.CORRUPT)]
    assert told(list(fetched(response, wanted=4))) == [(4, 5, 1, Reason.CORRUPT)]


def test_an_empty_batch_is_what_compaction_leaves() -> None:
    assert told(list(fetched(batch("zstd", b"", 0, last_delta=4)))) == [(0, 5, 0, None)]


def test_a_batch_that_was_damaged_on_its_way_is_fetched_again_and_one_that_lies_so_is_counted() -> None:
    good = batch(0, GOOD, 3)
    damaged = bytearray(stamped(good, 3))
    damaged[-5] ^= 0xFF
    response = good + bytes(damaged) + stamped(good, 6)
    first = fetched(response)
    assert told(list(first)) == [(0, 3, 3, None)]
    assert first.next_fetch_offset == 3, "where the next fetch begins"
    rest = response[len(good) :]
    assert list(fetched(rest, wanted=3)) == []
    assert told(list(fetched(stamped(good, 3) + stamped(good, 6), wanted=3))) == [(3, 6, 3, None), (6, 9, 3, None)]
    assert told(list(fetched(rest, wanted=3))) == [(3, 6, 3, Reason.CORRUPT), (6, 9, 3, None)]


def test_a_topic_that_senders_stamp_stops_counting_behind_what_the_broker_stamped() -> None:
    good = batch(0, GOOD, 3)
    theirs = bytearray(stamped(good, 3))
    theirs[22] = 0
    records = fetched(good + stamped(bytes(theirs), 3, attributes=0))
    first, stop = records
    assert told([first]) == [(0, 3, 3, None)]
    assert (stop.start, stop.batch.end, records.next_fetch_offset) == (3, 3, 3)
    chunk = make_chunk(3, [first, stop])
    assert isinstance(chunk.problem, StateError)
    assert "from offset 3 on" in str(chunk.problem)
    assert "LogAppendTime" in str(chunk.problem)


@pytest.mark.parametrize("harm", ["format", "length", "delta"])
def test_a_log_whose_frames_cannot_be_stops_counting(harm: str) -> None:
    good = batch(0, GOOD, 3)
    bad = bytearray(stamped(good, 3))
    if harm == "format":
        bad[16] = 1
    elif harm == "length":
        bad[8:12] = (5).to_bytes(4, "big")
    else:
        bad = bytearray(batch(0, GOOD, 3, base=3, last_delta=-2))
    first, stop = fetched(good + bytes(bad))
    assert told([first]) == [(0, 3, 3, None)]
    assert stop.problem is not None
    assert "offset 3" in str(stop.problem)
    alone = FetchedRecords(bytes(bad))
    assert alone.has_next(), "or aiokafka would skip it without a word"


def result_of(response: bytes) -> BoundedResult:
    state = SimpleNamespace(paused=False, position=0)
    state.consumed_to = lambda offset: setattr(state, "position", offset)
    assignment = SimpleNamespace(active=True, state_value=lambda _tp: state)
    return BoundedResult(TP, assignment=assignment, partition_records=fetched(response), backoff=0.1)


def test_what_is_in_hand_is_bounded_over_all_partitions_and_the_rest_stays_where_it_is() -> None:
    """Batches that unpack to 1 MiB each, at most 4 MiB at once, half the bound: whoever counts gives back what was taken."""
    one = batch("zstd", PACK["zstd"](record(0, bytes(MIB))), 1)
    results = [result_of(b"".join(stamped(one, n) for n in range(6))) for _ in range(2)]
    hand = BatchRecords.hand
    kept = [result.getall() for result in results]
    assert [len(found) for found in kept] == [4, 0]
    assert [result.has_more() for result in results] == [True, True]
    assert not asyncio.run(hand.wait())
    chunk = make_chunk(3, kept.pop(0))
    kept.clear()
    chunk.let_go()
    assert chunk.batches == []
    assert asyncio.run(hand.wait())
    assert [(c.start, c.batch.end) for c in results[0].getall()] == [(4, 5), (5, 6)]
    assert not results[0].has_more()
    assert [(c.start, c.batch.end) for c in results[1].getall()] == [(0, 1), (1, 2)], "two places were left"


def test_one_bomb_a_fetch_and_then_the_event_loop_has_its_turn() -> None:
    packed = bomb("zstd", 64)
    result = result_of(batch("zstd", packed, 1) + batch("zstd", packed, 1, base=1) + batch(0, GOOD, 3, base=2))
    sizes = []
    while result.has_more():
        sizes.append(told(result.getall()))
        assert asyncio.run(BatchRecords.hand.wait())
    assert sizes == [[(0, 1, 1, Reason.TOO_LARGE)], [(1, 2, 1, Reason.TOO_LARGE)], [(2, 5, 3, None)]]
