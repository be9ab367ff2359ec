"""What observers and commands read: one atomic snapshot of the chain, and minutes. It writes nothing."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from streams.clock import Milliseconds
from streams.count import Field, PartitionProgress, PartitionState
from streams.errors import RedisUnavailable, ServerError
from streams.live import checked
from streams.live.checked import PARTITIONS_MAX, Integer, Meta
from streams.live.connection import Connected, RedisAddress, refuse_cluster, run
from streams.live.keys import encode_field
from streams.live.observers import ObserverSaid, parse
from streams.live.unseen import KEPT_MS, UnseenReader

#: Minutes fetched in one round trip.
MINUTES_A_CALL = 240
#: Commands that one snapshot takes.
SNAPSHOT_ANSWERS = 7
#: A minute appears or is trimmed once a minute, so the second attempt to read everything nearly always succeeds.
EVERYTHING_TRIES_MAX = 5


class Heartbeat(msgspec.Struct, frozen=True, rename={"log_end": "end"}):
    """The last heartbeat of a partition's owner, as it is stored; times in epoch ms of Redis's clock."""

    worker: str
    pid: Integer
    port: Integer
    position: Integer
    log_end: Integer | None
    lag_seconds: Annotated[float, msgspec.Meta(ge=0)]
    at_ms: Milliseconds
    confirmed_ms: Milliseconds | None
    idle_since_ms: Milliseconds | None
    warming: float | None
    dedupe_window_ms: Milliseconds
    visit_window_ms: Milliseconds = 0  # absent: an older version's, in a rolling restart
    #: Digest of the lists that it counts under; None from a version that does not tell.
    catalog: str | None = None
    #: What nobody foresaw in that worker.
    problem: str | None = None
    #: The process among those of its name; empty from a version that does not tell.
    process: str = ""


def added(totals: dict[Field, int], base: Mapping[Field, int]) -> dict[Field, int]:
    """What was counted from the log, and what was carried over from the prefix before."""
    return {key: totals.get(key, 0) + base.get(key, 0) for key in totals.keys() | base.keys()} if base else totals


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything but the minutes, as of one instant of Redis. `partitions` is 0 before the first worker came up.

    `totals` were counted from the log; `base` was carried over from the prefix before, of what its log no longer had. `beside`: the prefix
    beside which these counts are being made, while they are closed; `continues`: the one that they took the place of.
    """

    now_ms: int
    layout: str | None
    catalog: str | None
    topic_id: str | None
    mark: str | None
    partitions: int
    settled_ms: int | None
    offsets: dict[int, PartitionState]
    first_offsets: dict[int, int]
    heartbeats: dict[int, Heartbeat]
    totals: dict[Field, int]
    #: Sketches of visitors or establishments that were none any more and were begun anew.
    sketches_replaced: int = 0
    #: What observers last said of themselves, by name.
    observers: dict[str, ObserverSaid] = field(default_factory=dict)
    base: dict[Field, int] = field(default_factory=dict)
    beside: str | None = None
    continues: str | None = None

    def totals_of_all_time(self) -> dict[Field, int]:
        """What was counted from the log and what was carried over: the figures that operators are shown."""
        return added(self.totals, self.base)

    def progress(self) -> list[PartitionProgress]:
        """The partitions as `streams.count.settle` needs them."""
        found = []
        for number in range(self.partitions):
            state, beat = self.offsets.get(number), self.heartbeats.get(number)
            watermark_ms = state.watermark_ms if state else None
            confirmed_ms = beat.confirmed_ms if beat else None
            found.append(PartitionProgress(number, watermark_ms, confirmed_ms, beat.idle_since_ms if beat else None))
        return found


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What the server is and how it keeps its data. `maxmemory_bytes` is 0 where there is no bound; `used_bytes` counts against it.

    `master` is whose replica it is, as host:port; None: nobody's. `cluster_nodes` is 0 where it is in no cluster, None where it does not
    say how many there are.
    """

    version: str
    append_only: bool
    maxmemory_bytes: int
    maxmemory_policy: str
    master: str | None = None
    cluster_nodes: int | None = 0
    used_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MinuteCounts:
    """The counts of one minute; `minute` is the epoch minute."""

    minute: int
    counts: dict[Field, int]


class LiveReader(Connected):
    """The blocking side."""

    def __init__(self, address: RedisAddress, prefix: str, unseen_kept_ms: int = KEPT_MS) -> None:
        super().__init__(address, prefix)
        self._unseen_kept_ms = unseen_kept_ms
        self._is_fit = False
        #: When Redis last answered a snapshot, monotonic seconds; before the first, when this began.
        self.answered_at = time.monotonic()
        self.unseen = UnseenReader(self._redis, self._base, unseen_kept_ms)

    def ping(self) -> None:
        """Ask Redis for a sign of life."""
        self._redis.ping()

    def persistence(self) -> str:
        """Return Redis's `appendonly` setting (`yes` or `no`), or `unknown` where the user may not ask."""
        return {1: "yes", 0: "no"}.get(self._redis.info("persistence").get("aof_enabled", -1), "unknown")

    def facts(self) -> RedisFacts:
        """Ask the server what it is."""
        info: dict[str, Any] = self._redis.info()
        return RedisFacts(
            version=str(info["redis_version"]),
            append_only=info.get("aof_enabled") == 1,
            maxmemory_bytes=int(info.get("maxmemory", 0)),
            maxmemory_policy=str(info.get("maxmemory_policy", "")),
            master=None if info.get("role") != "slave" else f"{info.get('master_host')}:{info.get('master_port')}",
            cluster_nodes=self._cluster_nodes() if info.get("cluster_enabled") else 0,
            used_bytes=int(info.get("used_memory", 0)),
        )

    def _cluster_nodes(self) -> int | None:
        try:
            return int(self._redis.execute_command("CLUSTER INFO")["cluster_known_nodes"])
        except RedisUnavailable:  # the documented rights do not hold this command
            return None

    def snapshot(self) -> Snapshot:
        """Read the state of the chain and all totals, atomically.

        Raises:
            ServerError: Redis does not answer.
            StateError: what it holds was not written by this version.
            RedisUnfit: it is a Redis Cluster of several nodes.
        """
        if not self._is_fit:
            self._refuse_cluster()
        pipeline = self._redis.pipeline(transaction=True)
        self._ask(pipeline)
        answers = run(self._redis, pipeline)
        self.answered_at = time.monotonic()
        return self._snapshot(answers)

    def _refuse_cluster(self) -> None:
        if self._redis.info("cluster").get("cluster_enabled"):
            refuse_cluster(self._redis.address, self._cluster_nodes())
        self._is_fit = True

    def _ask(self, pipeline: Any) -> None:
        """Queue what `_snapshot` parses: `SNAPSHOT_ANSWERS` commands."""
        pipeline.time()
        for name in ("meta", "offsets", "heartbeats", "totals", "observers", "base"):
            pipeline.hgetall(self._base + name)

    def everything(self) -> tuple[Snapshot, list[MinuteCounts]]:
        """Read the state of the chain and all minutes held, as of one instant: offsets and counts belong together, whoever writes.

        Raises:
            ServerError: Redis does not answer, or minutes came or went between every two of `EVERYTHING_TRIES_MAX` attempts.
        """
        for _attempt in range(EVERYTHING_TRIES_MAX):
            held = self.held()
            pipeline = self._redis.pipeline(transaction=True)
            self._ask(pipeline)
            pipeline.zrange(self._base + "minutes", 0, -1)
            for minute in held:
                pipeline.hgetall(f"{self._base}minute:{minute}")
            answers = run(self._redis, pipeline)
            if self._minutes(answers[SNAPSHOT_ANSWERS]) == held:
                counts = answers[SNAPSHOT_ANSWERS + 1 :]
                return self._snapshot(answers), [self._minute(*pair) for pair in zip(held, counts, strict=True)]
        raise ServerError("Redis gains or loses minutes faster than they can be read together: try again in a moment")

    def minutes(self, first: int | None = None, end: int | None = None) -> list[MinuteCounts]:
        """Return the minutes held with `first <= epoch minute < end`, in order; a minute without any count is not held."""
        return self.fetch(self.held(first, end))

    def held(self, first: int | None = None, end: int | None = None) -> list[int]:
        """Return the epoch minutes held with `first <= epoch minute < end`, in order, without their counts."""
        low = "-inf" if first is None else first
        high = "+inf" if end is None else f"({end}"
        return self._minutes(self._redis.zrangebyscore(self._base + "minutes", low, high))

    def _minutes(self, names: Iterable[Any]) -> list[int]:
        key = self._base + "minutes"
        return [checked.minute(text, key) for text in names]

    def settled_since(self, since_ms: int) -> list[tuple[int, int]]:
        """Return (epoch minute, epoch ms at which it settled) of the minutes that settled at `since_ms` (Redis's clock) or later.

        Oldest minute first.
        """
        found: Any = self._redis.zrangebyscore(self._base + "settled", since_ms, "+inf", withscores=True)
        key = self._base + "settled"
        return sorted((checked.minute(text, key), checked.score(at, key, text)) for text, at in found)

    def began_minute(self) -> int | None:
        """Return the epoch minute in which counting began: it is not whole. None where it was trimmed, or nothing has settled yet."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.zrange(self._base + "settled", 0, 0)  # those of the first call to `settle`, oldest first
        pipeline.hget(self._base + "meta", "trimmed_before")
        first, trimmed = run(self._redis, pipeline)
        began = checked.minute(first[0], self._base + "settled") if first else -1
        return began if began > checked.minute(trimmed or "0", self._base + "meta trimmed_before") else None

    def fetch(self, minutes: Sequence[int]) -> list[MinuteCounts]:
        """Return exactly these minutes, empty ones included."""
        found: list[MinuteCounts] = []
        for begin in range(0, len(minutes), MINUTES_A_CALL):
            some = minutes[begin : begin + MINUTES_A_CALL]
            pipeline = self._redis.pipeline(transaction=True)
            for minute in some:
                pipeline.hgetall(f"{self._base}minute:{minute}")
            found += map(self._minute, some, run(self._redis, pipeline))
        return found

    def columns(self, minutes: Sequence[int], fields: Sequence[Field]) -> list[tuple[int, list[int]]]:
        """Return of each of these minutes the counts of these fields alone."""
        names = [encode_field(field) for field in fields]
        pipeline = self._redis.pipeline(transaction=False)
        for minute in minutes:
            pipeline.hmget(f"{self._base}minute:{minute}", names)
        answers = run(self._redis, pipeline) if minutes and names else []
        return [
            (minute, [checked.integer(n or "0", f"{self._base}minute:{minute}") for n in numbers])
            for minute, numbers in zip(minutes, answers, strict=False)
        ]

    def _minute(self, minute: int, counts: dict[str, str]) -> MinuteCounts:
        return MinuteCounts(minute, checked.fields(counts, f"{self._base}minute:{minute}"))

    def _snapshot(self, answers: list[Any]) -> Snapshot:
        (seconds, micros), stored, offsets, heartbeats, totals, observers, base = answers[:SNAPSHOT_ANSWERS]
        now_ms = seconds * 1000 + micros // 1000
        meta = Meta.of(stored, self._base + "meta", now_ms)
        offsets_key, heartbeats_key = self._base + "offsets", self._base + "heartbeats"
        places = {name: checked.integer(name, offsets_key, PARTITIONS_MAX) for name in offsets}
        owners = {name: checked.integer(name, heartbeats_key, PARTITIONS_MAX) for name in heartbeats}
        return Snapshot(
            now_ms=now_ms,
            layout=meta.layout,
            catalog=meta.catalog,
            topic_id=meta.topic_id,
            mark=meta.mark,
            partitions=meta.partitions,
            settled_ms=meta.settled_ms,
            offsets={places[n]: checked.partition_state(text, offsets_key, n) for n, text in offsets.items()},
            first_offsets={places[n]: checked.first_offset(text, offsets_key, n) for n, text in offsets.items()},
            heartbeats={owners[n]: _heartbeat(text, heartbeats_key, n, now_ms) for n, text in heartbeats.items()},
            totals=checked.fields(totals, self._base + "totals"),
            sketches_replaced=meta.sketches_replaced,
            observers=parse(observers, self._base + "observers"),
            base=checked.fields(base, self._base + "base"),
            beside=meta.beside,
            continues=meta.continues,
        )


def _heartbeat(text: str, key: str, entry: str, now_ms: int) -> Heartbeat:
    said = checked.json_object(text, key, entry, Heartbeat)
    checked.past(said.at_ms, now_ms, f"{key} {entry} at_ms")
    return said
