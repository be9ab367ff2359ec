"""Guards of counting itself: memory, watermarks, partitions that are counted together."""

from tests.mutation.guard import Guard

TOGETHER = ("tests/count/test_together.py",)
COUNTER = ("tests/count/test_counter.py",)
MEMORY = ("tests/count/test_memory.py", "tests/count/test_counter.py")
CONTRACT = ("tests/test_events.py",)

COUNT_GUARDS = (
    Guard(
        "each batch is validated by its own append time",
        "streams/count/counter.py",
        "validate_together(values, min(times), max(times), bounds)",
        "validate_together(values, max(times), max(times), bounds)",
        COUNTER,
    ),
    Guard(
        "of batches validated together, who is no pseudonym is not told before the age of its event",
        "streams/events.py",
        "    return found if for_all and Reason.NOT_PSEUDONYMOUS not in reasons else None",
        "    return found if for_all else None",
        CONTRACT,
    ),
    Guard(
        "the append time never goes back",
        "streams/count/counter.py",
        "append_ms = part.append_ms = max(part.append_ms, batch.append_ms)",
        "append_ms = part.append_ms = batch.append_ms",
        COUNTER,
    ),
    Guard(
        "an event ahead does not push the watermark past the append time",
        "streams/count/counter.py",
        "np.where(fresh, np.minimum(ts, append_ms) - self.rules.lateness_ms, 0)",
        "np.where(fresh, ts - self.rules.lateness_ms, 0)",
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
        "            delta.add_total((Cut.REJECTED, reason.value), number)",
        "            pass",
        COUNTER,
    ),
    Guard(
        "nothing is carried over into a new generation",
        "streams/count/memory.py",
        "        self.visitors.append(Generation(index, append_ms if early else start_ms, visitors))",
        "        self.visitors.append(before or Generation(index, append_ms if early else start_ms, visitors))",
        MEMORY,
    ),
    Guard(
        "a repeat is remembered like any event",
        "streams/count/recognise.py",
        "            fresh[events] = table.add(ids[events])[1]\n",
        "            before = self._memories[0].ids[0].table.find(ids) >= 0\n"
        "            fresh[~before] = table.add(ids[~before])[1]\n",
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
        "if last is None or not early or last.entries >= plan.ids_max:",
        "if last is None or not early:",
        MEMORY,
    ),
    Guard(
        "the events of one call are recognised in their order",
        "streams/count/generations.py",
        "    found[1:] = np.where(is_head[1:], found[1:], running[:-1])\n",
        "",
        MEMORY,
    ),
    Guard(
        "older generations are looked up",
        "streams/count/recognise.py",
        "for table, at in self._by_table(older, open_):",
        "for table, at in ():",
        MEMORY,
    ),
    Guard(
        "who was sent to one sketch is sent to the next",
        "streams/count/generations.py",
        "(rows < 0) | (self.sent[rows, kind] != sketches)",
        "(rows < 0) | (self.sent[rows, kind] < 0)",
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
        "streams/count/recognise.py",
        "(since >= VISIT_GAP_MS for since in found[2:])",
        "(abs(since) >= VISIT_GAP_MS for since in found[2:])",
        MEMORY,
    ),
    Guard(
        "a table tells partitions apart",
        "streams/count/recognise.py",
        "_Pass(ids + salts, visitors + salts, services, ts)",
        "_Pass(ids, visitors, services, ts)",
        TOGETHER,
    ),
    Guard(
        "the entries of a table are counted for each partition",
        "streams/count/recognise.py",
        "            generation.entries += number\n",
        "            generation.entries = len(generation.table)\n",
        TOGETHER,
    ),
    Guard(
        "partitions that are counted together have a watermark each",
        "streams/count/counter.py",
        "lift = np.repeat(numbers * _APART,",
        "lift = np.repeat(numbers * 0,",
        TOGETHER,
    ),
)
