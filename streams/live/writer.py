"""What workers write: one atomic call for all partitions that counted something, and heartbeats. The only writer of counts."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from streams.count import Delta, PartitionState
from streams.errors import RedisUnavailable, StateError
from streams.live import scripts
from streams.live.checked import partition_state
from streams.live.connection import RedisAddress, aclose, connect_async, refuse_cluster
from streams.live.keys import LAYOUT, SKETCH_MINUTES_KEPT, base_of
from streams.live.merged import merge
from streams.live.unseen import KEPT_MS, VALUES_MAX

_Arg = str | bytes | int | float


class Outcome(StrEnum):
    """What one call of `LiveWriter.apply` came to for a partition."""

    APPLIED = "applied"  # offsets and counts moved, together
    ALREADY = "already"  # they had moved already: a retry after an answer that was lost
    MOVED = "moved"  # the stored offset is another: somebody is ahead, or Redis went back; drop the counter, reload
    HELD_BACK = (
        "held_back"  # nothing was written, since another partition's offset is another: send it again without that one
    )
    LAYOUT = "layout"  # the installation's layout is absent (Redis was emptied) or another: prepare again
    MARKED = "marked"  # an earlier call ended in its middle: nothing may be written until an operator has looked


@dataclass(frozen=True, slots=True)
class Applied:
    """Outcome of a call for a partition, and the stored next offset where it matters ("": nothing is stored)."""

    outcome: Outcome
    stored: str


@dataclass(frozen=True, slots=True)
class HeartbeatLine:
    """What a worker vouches for of one partition.

    `position`: the next offset to count; `counted`: the same, None where nothing was counted yet. `log_end`: the end of the log, if Kafka
    was asked in this round; `asked_ms_ago`: how long before the heartbeat. `warming`: how far the warm-up has come (0 to 1, None: none is
    under way). The windows: how far back (ms) ids and visitors are remembered.
    """

    partition: int
    position: int
    log_end: int | None
    lag_seconds: float
    asked_ms_ago: int = 0
    warming: float | None = None
    dedupe_window_ms: int = 0
    visit_window_ms: int = 0
    counted: int | None = None
    #: What nobody foresaw in this worker.
    problem: str | None = None


class LiveWriter:
    """The asyncio side. Every method raises `RedisUnavailable` when Redis does not answer; calling again is safe for all of them."""

    def __init__(self, address: RedisAddress, prefix: str, unseen_kept_ms: int = KEPT_MS) -> None:
        self._unseen_kept_ms = unseen_kept_ms
        self._base = base_of(prefix)
        self._catalog = ""
        self._redis = connect_async(address)
        #: When Redis last answered a heartbeat, monotonic seconds; before the first, when this began.
        self.answered_at = time.monotonic()
        self._apply = self._redis.register_script(scripts.APPLY)
        self._prepare = self._redis.register_script(scripts.PREPARE)
        self._heartbeat = self._redis.register_script(scripts.HEARTBEAT)

    async def close(self) -> None:
        """Close the connections."""
        await aclose(self._redis)

    async def prepare(self, catalog_digest: str, topic: str, topic_id: str, partitions: int) -> str:
        """Begin or continue the installation; return the digest of the catalog its counts were begun under.

        Raises:
            StateError: what Redis holds belongs to another layout, another topic, or was left half-written.
            RedisUnfit: it is a Redis Cluster of several nodes.
        """
        self._catalog = catalog_digest
        await self._refuse_cluster()
        args: list[_Arg] = [self._base, LAYOUT, catalog_digest, topic, topic_id, partitions]
        verdict, detail = await self._prepare(args=args)
        if verdict == "ok":
            return str(detail)
        raise StateError(_why_refused(verdict, detail, topic, topic_id, self._base))

    async def _refuse_cluster(self) -> None:
        if not (await self._redis.info("cluster")).get("cluster_enabled"):
            return
        try:
            told: dict[str, Any] = await self._redis.execute_command("CLUSTER INFO")
        except RedisUnavailable:  # this user may not ask
            told = {}
        refuse_cluster(self._redis.address, int(told["cluster_known_nodes"]) if told else None)

    async def load(self, partitions: Iterable[int]) -> dict[int, PartitionState | None]:
        """Return where each partition stands; None where nothing was counted yet.

        Raises:
            StateError: what Redis holds was not written by this version.
        """
        numbers = list(partitions)
        if not numbers:
            return {}
        key = self._base + "offsets"
        texts: list[Any] = await self._redis.hmget(key, [str(number) for number in numbers])
        return {
            number: None if text is None else partition_state(text, key, str(number))
            for number, text in zip(numbers, texts, strict=True)
        }

    async def apply(self, deltas: Mapping[int, Sequence[Delta]]) -> dict[int, Applied]:
        """Add the counts of these partitions and move their offsets, in one atomic call: all of them, if each stored offset is where its
        partition's deltas, which continue one another, begin; else none. Return what came of each.
        """
        every = [delta for of_one in deltas.values() for delta in of_one]
        last_ms = max((delta.append_ms for delta in every), default=0)
        bounds = (SKETCH_MINUTES_KEPT, VALUES_MAX, self._unseen_kept_ms)
        args: list[_Arg] = [self._base, LAYOUT, merge(every), last_ms, *bounds]
        for number, of_one in deltas.items():
            first, last = of_one[0], of_one[-1]
            start = "" if first.start is None else first.start
            args += [number, start, first.first, last.end, last.append_ms, last.watermark_ms]
        verdict, *told = await self._apply(args=args)
        if verdict != "compared":
            return dict.fromkeys(deltas, Applied(Outcome(verdict), str(told[0])))
        return {
            number: Applied(Outcome(outcome), str(stored))
            for number, outcome, stored in zip(deltas, told[::2], told[1::2], strict=True)
        }

    async def heartbeat(
        self, worker: str, pid: int, port: int, lines: Sequence[HeartbeatLine], process: str = ""
    ) -> dict[int, int | None]:
        """Say which partitions this worker owns, where it stands and what Kafka confirmed; `process` tells it from others of its name.

        One that owns none only asks whether Redis answers.

        Return the next offset that Redis holds of each; None where it holds nothing.
        """
        if not lines:
            await self._redis.ping()
            self.answered_at = time.monotonic()
            return {}
        args: list[_Arg] = [self._base]
        for line in lines:
            said = {
                "worker": worker,
                "pid": pid,
                "port": port,
                "process": process,
                "position": line.position,
                "counted": line.counted,
                "end": line.log_end,
                "lag_seconds": round(max(line.lag_seconds, 0.0), 3),
                "warming": line.warming,
                "dedupe_window_ms": line.dedupe_window_ms,
                "visit_window_ms": line.visit_window_ms,
                "catalog": self._catalog,
                "problem": line.problem,
            }
            args += [line.partition, orjson.dumps(said), line.asked_ms_ago]
        stored: list[str] = await self._heartbeat(args=args)
        self.answered_at = time.monotonic()
        return {line.partition: int(text) if text else None for line, text in zip(lines, stored, strict=True)}


def _why_refused(verdict: str, detail: str, topic: str, topic_id: str, base: str) -> str:
    start_over = (
        f"To count again from Kafka (as far as its retention reaches), delete the keys {base}* and restart the workers."
    )
    if verdict == "layout":
        return f"Redis holds key layout {detail}, this version writes layout {LAYOUT}. Use the version that wrote it. {start_over}"
    if verdict == "marked":
        return f"Redis holds a call that was written only in part (partition start end: {detail}). {start_over}"
    if verdict == "topic":
        return (
            f"Redis holds counts of topic {detail!r}, settings name {topic!r}: set the topic, or another redis_prefix."
        )
    return f"Topic {topic!r} was created anew (id {topic_id}, counted so far: {detail}): its offsets mean other events. {start_over}"
