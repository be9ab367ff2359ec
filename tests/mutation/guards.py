"""The list of guards: where each stands, how it is broken, and the tests that must notice. docs/guarantees.md shows the same list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """`old` stands exactly once in `path`; with `new` in its place, `tests` (pytest arguments) must fail."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


SIMULATION = ("tests/simulation",)
COUNTER = ("tests/count/test_counter.py",)
MEMORY = ("tests/count/test_memory.py", "tests/count/test_counter.py")
REDIS = ("tests/servers/test_live_scripts.py",)
CONTRACT = ("tests/test_events.py",)
BATCHES = ("tests/ingest/test_batches.py",)
LETTERS = ("tests/ingest/test_pieces.py",)
NAMES = ("tests/ingest/test_membership.py",)

GUARDS = (
    Guard(
        "the script compares each stored offset with where its partition's counts begin",
        "streams/live/scripts.py",
        "  elseif next ~= start then outcome = 'moved' end",
        "  end",
        REDIS,
    ),
    Guard(
        "a retry is told that its call went through",
        "streams/live/scripts.py",
        "  elseif next == stop and next ~= start then outcome = 'already'",
        "",
        REDIS,
    ),
    Guard(
        "one partition that is refused keeps its whole call from being written",
        "streams/live/scripts.py",
        "if others > 0 then\n",
        "if others == #firsts then\n",
        REDIS,
    ),
    Guard(
        "a call sets a mark before it writes",
        "streams/live/scripts.py",
        "redis.call('HSET', meta, 'applying', table.concat(marks, ', '))",
        "",
        REDIS,
    ),
    Guard(
        "a mark that was found stops everybody",
        "streams/live/scripts.py",
        "if mark then return {'marked', mark} end\nlocal answer",
        "local answer",
        REDIS,
    ),
    Guard(
        "another key layout is refused",
        "streams/live/scripts.py",
        "if redis.call('HGET', meta, 'layout') ~= ARGV[2] then return {'layout', ''} end",
        "",
        REDIS,
    ),
    Guard(
        "a topic that was created anew is refused",
        "streams/live/scripts.py",
        "if id ~= ARGV[5] then return {'topic_id', id} end",
        "",
        REDIS,
    ),
    Guard(
        "settled time never goes back",
        "streams/live/scripts.py",
        "if candidate <= settled then return settled end",
        "",
        REDIS,
    ),
    Guard(
        "idle needs an owner that stands where Redis stands",
        "streams/live/scripts.py",
        "line.position == line['end'] and (not next or next == line.position)",
        "line.position == line['end']",
        REDIS,
    ),
    Guard(
        "a partition that was refused is loaded anew from Redis",
        "streams/ingest/ledger.py",
        "(self.prepare, self.halted)\n            await self._reload(ledger)\n",
        "(self.prepare, self.halted)\n",
        SIMULATION,
    ),
    Guard(
        "who was held back by another one is sent again without it",
        "streams/ingest/group_commit.py",
        "                if applied.outcome is Outcome.HELD_BACK:",
        "                if False:",
        SIMULATION,
    ),
    Guard(
        "no call is begun, or tried again, while the worker lets go",
        "streams/ingest/group_commit.py",
        "        while last or not self.halted():",
        "        while True:",
        SIMULATION,
    ),
    Guard(
        "what is pending is sent before partitions are given back",
        "streams/ingest/group_commit.py",
        "                await self.send(ledgers, last=True)",
        "                pass",
        SIMULATION,
    ),
    Guard(
        "heartbeats tell what Redis has, not what was counted",
        "streams/ingest/heartbeat.py",
        "        ledger.applied_position,\n        log_end,",
        "        ledger.position,\n        log_end,",
        SIMULATION,
    ),
    Guard(
        "a counter whose counts were refused is never fed again",
        "streams/ingest/ledger.py",
        "        if self.ledgers.get(ledger.partition) is ledger:\n            del self.ledgers[ledger.partition]\n",
        "        pass\n",
        SIMULATION,
    ),
    Guard(
        "a counter is kept only where Redis stands where it stands",
        "streams/ingest/ledger.py",
        "known is not None and state is not None and known.counter.next_offset == state.next_offset",
        "known is not None and state is not None",
        SIMULATION,
    ),
    Guard(
        "the memory is read again after a restart",
        "streams/ingest/ledger.py",
        "ledger.warm_from = ledger.warm_at = min(max(offset, ledger.log_start), ledger.position)",
        "ledger.warm_from = ledger.warm_at = ledger.position",
        SIMULATION,
    ),
    Guard(
        "what was fetched before a seek is ignored",
        "streams/ingest/ledger.py",
        "if chunk.epoch < ledger.epoch:",
        "if chunk.epoch < 0:",
        SIMULATION,
    ),
    Guard(
        "a gap is read again, not skipped",
        "streams/ingest/ledger.py",
        "if chunk.start > await self.kafka.log_start(chunk.partition):",
        "if False:",
        SIMULATION,
    ),
    Guard(
        "known offsets are cut away",
        "streams/ingest/ledger.py",
        "batches = cut_before(chunk.batches, ledger.expected)",
        "batches = list(chunk.batches)",
        SIMULATION,
    ),
    Guard(
        "a stored offset past the end of the log stops the worker",
        "streams/ingest/ledger.py",
        "                if state.next_offset > log_end:\n                    raise _past_the_end(number, state",
        "                if False:\n                    raise _past_the_end(number, state",
        SIMULATION,
    ),
    Guard(
        "the end of the log is asked again after Redis",
        "streams/ingest/ledger.py",
        "                log_end = await self.kafka.log_end(number)\n                if",
        "                if",
        SIMULATION,
    ),
    Guard(
        "what stops counting stops it, behind what came before",
        "streams/ingest/ledger.py",
        "            raise chunk.problem  # what",
        "            pass  # what",
        SIMULATION,
    ),
    Guard(
        "a batch is unpacked into a buffer of bounded size",
        "streams/record_batches.py",
        "        room = self.bytes_max - RECORD_BYTES * raw.number",
        "        self.bytes_max <<= 6\n        room = self.bytes_max - RECORD_BYTES * raw.number",
        BATCHES,
    ),
    Guard(
        "what snappy says of its size may refuse a batch",
        "streams/record_batches.py",
        "    if cramjam.snappy.decompress_raw_len(block) > len(out):",
        "    if False:",
        BATCHES,
    ),
    Guard(
        "many records of nothing are bounded as well",
        "streams/record_batches.py",
        "        if room < 0:",
        "        if False:",
        BATCHES,
    ),
    Guard(
        "how many records a batch has is believed as far as its offsets reach",
        "streams/record_batches.py",
        "        if not 0 <= number <= last + 1:",
        "        if False:",
        BATCHES,
    ),
    Guard(
        "what is in hand is bounded over all partitions",
        "streams/ingest/batches.py",
        "return self._pause or self._taken - self._given_back >= self.unpacker.bytes_max // 2",
        "return self._pause",
        BATCHES,
    ),
    Guard(
        "a batch that its sender stamped stops counting",
        "streams/ingest/batches.py",
        "                if not raw.is_stamped_by_broker:",
        "                if False:",
        BATCHES,
    ),
    Guard(
        "records that nobody can read are counted",
        "streams/count/counter.py",
        "                rejects.add_unread(batch.reason, batch.unread)",
        "                pass",
        SIMULATION,
    ),
    Guard(
        "what retention removed is counted as lost",
        "streams/ingest/ledger.py",
        "            delta.add_total((Cut.LOST,), lost)",
        "            pass",
        SIMULATION,
    ),
    Guard(
        "each batch is validated by its own append time",
        "streams/count/counter.py",
        "self.append_ms = append_ms = max(self.append_ms, batch.append_ms)",
        "self.append_ms = append_ms = max(self.append_ms, batches[-1].append_ms)",
        COUNTER,
    ),
    Guard(
        "the append time never goes back",
        "streams/count/counter.py",
        "self.append_ms = append_ms = max(self.append_ms, batch.append_ms)",
        "self.append_ms = append_ms = batch.append_ms",
        COUNTER,
    ),
    Guard(
        "an event ahead does not push the watermark past the append time",
        "streams/count/counter.py",
        "np.where(fresh, np.minimum(ts, append_ms) - self._rules.lateness_ms, 0)",
        "np.where(fresh, ts - self._rules.lateness_ms, 0)",
        COUNTER,
    ),
    Guard(
        "the watermark is taken over from Redis",
        "streams/count/counter.py",
        "self.watermark_ms: int = state.watermark_ms if state else 0",
        "self.watermark_ms: int = 0",
        COUNTER,
    ),
    Guard(
        "rejected events are counted",
        "streams/count/counter.py",
        "        delta.add_total((Cut.REJECTED, reason.value), number)",
        "        pass",
        COUNTER,
    ),
    Guard(
        "nothing is carried over into a new generation",
        "streams/count/memory.py",
        "        self._visitors.append(_Visitors(index, start_ms, begun_ms, self._services, expected))",
        "        self._visitors.append(last or _Visitors(index, start_ms, begun_ms, self._services, expected))",
        MEMORY,
    ),
    Guard(
        "a repeat is remembered like any event",
        "streams/count/memory.py",
        "        _rows, is_new = self._ids[-1].seen.add(ids)\n",
        "        before = self._ids[0].seen.find(ids) >= 0\n"
        "        is_new = np.zeros(len(ids), np.bool_)\n"
        "        is_new[~before] = self._ids[-1].seen.add(ids[~before])[1]\n",
        MEMORY,
    ),
    Guard(
        "generations are aligned to append time",
        "streams/count/memory.py",
        "        index = append_ms // plan.visit_ms\n",
        "        index = (append_ms - plan.visit_ms // 2) // plan.visit_ms\n",
        MEMORY,
    ),
    Guard(
        "a full generation of ids closes early",
        "streams/count/memory.py",
        "or len(self._ids[-1].seen) >= plan.ids_max",
        "",
        MEMORY,
    ),
    Guard(
        "the events of one call are recognised in their order",
        "streams/count/memory.py",
        "    found[1:][~is_head[1:]] = running[:-1][~is_head[1:]]\n",
        "",
        MEMORY,
    ),
    Guard(
        "older generations are looked up",
        "streams/count/memory.py",
        "for generation in reversed(self._visitors[:-1]):",
        "for generation in ():",
        MEMORY,
    ),
    Guard(
        "who was sent to one sketch is sent to the next",
        "streams/count/memory.py",
        "(rows < 0) | (sent[rows, kind] != sketches)",
        "(rows < 0) | (sent[rows, kind] < 0)",
        MEMORY,
    ),
    Guard(
        "keys that want one slot get one each",
        "streams/count/index.py",
        "            wanting = wanting[self._keys[slots[wanting]] != keys[wanting]]\n",
        "            wanting = wanting[:0]\n",
        ("tests/count/test_index.py",),
    ),
    Guard(
        "an event older than its visitor's latest starts no visit",
        "streams/count/memory.py",
        "        visits, service_visits = since_visitor >= VISIT_GAP_MS, since_service >= VISIT_GAP_MS",
        "        visits, service_visits = abs(since_visitor) >= VISIT_GAP_MS, since_service >= VISIT_GAP_MS",
        MEMORY,
    ),
    Guard(
        "joined values are taken apart where one could make up for another",
        "streams/events.py",
        "        whole = set(map(_LAST, values)) == _CLOSING and set(map(_FIRST, values)) == _OPENING  # type: ignore[arg-type]",
        "        whole = None not in values",
        CONTRACT,
    ),
    Guard(
        "a value over 4 KiB is rejected",
        "streams/events.py",
        "    if len(value) > VALUE_BYTES_MAX:\n        return Reason.TOO_LARGE\n",
        "",
        CONTRACT,
    ),
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
        'return not Path(f"/proc/{found[1]}").exists()',
        "return False",
        NAMES,
    ),
    Guard(
        "a worker that was thrown out does not come back while another one has its name",
        "streams/ingest/membership.py",
        "        if self._ended or (self._thrown_out and await self._is_taken()):\n",
        "        if self._ended:\n",
        ("tests/servers/test_names.py",),
    ),
)
