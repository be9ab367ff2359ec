"""The small parts of the worker: the log limit, the dead-letter budget, chunks out of batches."""

import hashlib
import logging
import time

import pytest

from streams.count import Batch, Reject
from streams.events import Reason
from streams.ingest.batches import CoveredBatch
from streams.ingest.chunks import make_chunk
from streams.ingest.letters import HEAD_BYTES, WHOLE_BYTES_MAX, RejectBudget, letter_bytes, letter_headers, letter_value
from streams.ingest.log_limit import LINES_MAX, PERIOD_SECONDS, LogLimit


def test_a_chunk_covers_from_the_first_start_to_the_last_end() -> None:
    covered = [CoveredBatch(3, Batch(1, [b"a"], [None], [5], 6)), CoveredBatch(6, Batch(1, [], [], [], 9))]
    chunk = make_chunk(2, covered)
    assert (chunk.partition, chunk.start, chunk.end, len(chunk.batches)) == (2, 3, 9, 2)


def reject(append_ms: int, reason: Reason = Reason.NOT_JSON) -> Reject:
    return Reject(0, reason, append_ms, None, b"x")


def test_the_budget_is_a_minute_and_a_reason() -> None:
    budget = RejectBudget(2, 1 << 20)
    several = [reject(60_000), reject(60_000, Reason.EMPTY), reject(60_001), reject(60_002)]
    assert budget.choose(several) == several[:3]
    assert budget.choose([reject(60_000), reject(60_000, Reason.EMPTY)]) == [reject(60_000, Reason.EMPTY)]
    newer = [reject(120_000), reject(119_999), reject(60_001), reject(120_000)]
    assert budget.choose(newer) == newer[:1] + newer[1:2], "an older minute draws on the newest one's places"
    assert budget.choose(newer) == []
    assert budget.choose([reject(180_000)]) == [reject(180_000)]


def large(offset: int, size: int = 980_000) -> Reject:
    return Reject(offset, Reason.TOO_LARGE, 60_000, b"k" * 5000, b"x" * size)


def test_a_large_value_is_cut_to_a_head_that_says_what_is_missing() -> None:
    headers = dict(letter_headers("visits", 3, large(7)))
    assert letter_value(large(7).value) == b"x" * HEAD_BYTES
    assert headers["value-bytes"] == b"980000"
    assert headers["value-sha256"] == hashlib.sha256(b"x" * 980_000).hexdigest().encode()
    assert (len(headers["key"]), headers["key-bytes"]) == (1024, b"5000")
    assert letter_bytes(large(7)) < 2500
    whole = large(8, WHOLE_BYTES_MAX)
    assert letter_value(whole.value) == whole.value
    assert "value-bytes" not in dict(letter_headers("visits", 3, whole))


def test_the_budget_is_bytes_as_well_for_each_reason() -> None:
    budget = RejectBudget(1000, 10 * letter_bytes(large(0)))
    assert len(budget.choose(large(n) for n in range(300))) == 10
    assert budget.is_spent([Reason.TOO_LARGE], 60_000), "nobody needs to look at the rest"
    assert len(budget.choose([reject(60_000)])) == 1, "another reason has its own"
    assert budget.choose([large(1, 10)]) == [], "what comes later in the minute is not taken instead"
    assert len(budget.choose([Reject(0, Reason.TOO_LARGE, 120_000, None, b"x")])) == 1, "another minute"


def test_a_budget_of_zero_keeps_nothing() -> None:
    assert RejectBudget(0, 1 << 20).choose([reject(1)]) == []


def test_a_spent_budget_is_known_without_a_look_at_each_reject() -> None:
    budget = RejectBudget(2, 1 << 20)
    assert not budget.is_spent([Reason.NOT_JSON], 60_000)
    budget.choose([Reject(n, Reason.NOT_JSON, 60_000 + n, None, b"x") for n in range(2)])
    assert budget.is_spent([Reason.NOT_JSON], 119_999)
    assert budget.is_spent([Reason.NOT_JSON], 59_000), "an older minute draws on the newest one's places"
    assert not budget.is_spent([Reason.NOT_JSON], 120_000), "another minute"
    assert not budget.is_spent([Reason.NOT_JSON, Reason.EMPTY], 119_999), "another reason"


def test_repeated_lines_are_held_back_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    suppressed = []
    limit = LogLimit(lambda: suppressed.append(1))

    def line(text: str = "Kafka %s is down") -> logging.LogRecord:
        return logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, ("x",), None)

    assert [limit.filter(line()) for _ in range(LINES_MAX + 3)] == [True] * LINES_MAX + [False] * 3
    assert limit.filter(line("another %s"))
    assert len(suppressed) == 3
    clock[0] = PERIOD_SECONDS + 1
    told = line()
    assert limit.filter(told)
    assert "3 more like this" in told.getMessage()
