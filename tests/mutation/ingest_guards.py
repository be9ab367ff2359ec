"""Guards of what stands around counting: the bounds of dead letters, and one worker for one name."""

from tests.mutation.guard import Guard

LETTERS = ("tests/ingest/test_pieces.py",)
NAMES = ("tests/ingest/test_membership.py",)
DROPPED = ("tests/ingest/test_dropped_chunks.py",)

INGEST_GUARDS = (
    Guard(
        "a minute keeps so many dead letters of a reason",
        "streams/ingest/letters.py",
        "            if taken < most:\n",
        "            if True:\n",
        LETTERS,
    ),
    Guard(
        "a minute keeps so many bytes of dead letters of a reason",
        "streams/ingest/letters.py",
        "                if weight > self._bytes_per_minute:\n",
        "                if False:\n",
        LETTERS,
    ),
    Guard(
        "each minute has places of its own for dead letters",
        "streams/ingest/letters.py",
        "                used.clear()\n                self._bytes.clear()\n",
        "                self._bytes.clear()\n",
        LETTERS,
    ),
    Guard(
        "of a large value the head is kept",
        "streams/ingest/letters.py",
        "return value if value is None or len(value) <= WHOLE_BYTES_MAX else value[:HEAD_BYTES]",
        "return value",
        LETTERS,
    ),
    Guard(
        "of a large key the head is kept",
        "streams/ingest/letters.py",
        'headers.append(("key", reject.key[:KEY_BYTES_MAX]))',
        'headers.append(("key", reject.key))',
        LETTERS,
    ),
    Guard(
        "a dead letter that Kafka did not take is counted as not kept",
        "streams/ingest/dead_letters.py",
        "kept = Counter(each.reason for each in chosen if each.offset not in failed)",
        "kept = Counter(each.reason for each in chosen)",
        ("tests/servers/test_rejects.py::test_a_dead_letter_topic_that_takes_nothing_delays_counting_by_seconds",),
    ),
    Guard(
        "a worker does not start while another one of its name lives",
        "streams/ingest/membership.py",
        "while (other := self.living()) is not None:",
        "while (other := None) is not None:",
        NAMES,
    ),
    Guard(
        "a worker whose heartbeats ended holds no name",
        "streams/ingest/membership.py",
        "                and fresh\n",
        "",
        NAMES,
    ),
    Guard(
        "a worker does not take itself for another one of its name",
        "streams/ingest/membership.py",
        'beat.process not in ("", self.process)',
        'beat.process not in ("",)',
        NAMES,
    ),
    Guard(
        "a process of this machine that is gone holds no name",
        "streams/ingest/membership.py",
        'not Path(f"/proc/{found[1]}").exists()',
        "False",
        NAMES,
    ),
    Guard(
        "a worker that was thrown out does not come back while another one has its name",
        "streams/ingest/membership.py",
        "        if self._ended or (self._thrown_out and await self._is_taken()):\n",
        "        if self._ended:\n",
        ("tests/servers/test_names.py",),
    ),
    Guard(
        "what a rebalance dropped gives its place in the hand back",
        "streams/ingest/transport.py",
        "if self._brought and self._assignment_now() is not self._brought_under:",
        "if False:",
        DROPPED,
    ),
    Guard(
        "what is being counted is not taken away",
        "streams/ingest/transport.py",
        "                if not chunk.taken:\n",
        "                if True:\n",
        DROPPED,
    ),
    Guard(
        "a chunk that was let go is not counted",
        "streams/ingest/chunks.py",
        "return bool(self.batches)",
        "return True",
        DROPPED,
    ),
)
