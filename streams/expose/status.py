"""The state of the chain as one object, the same for `vigie status --json` and `/api/v1/status`. Building it is pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from streams.catalog import Catalog
from streams.clock import iso_utc, simulation_notice
from streams.count import Cut
from streams.count.settle import UNOWNED_MS
from streams.events import Reason
from streams.expose.samples import lag_events, shortest_windows
from streams.live import Heartbeat, Snapshot
from streams.live.observers import MISSED_MS
from streams.observe import Census, catalogs_in_use, partitions_unowned, progress_problem, settling

#: Totals that are sums of one cut each, by the cut's name in Redis.
_TOTALS = {
    Cut.EVENTS.value: "events",
    Cut.VISITS.value: "visits",
    Cut.DUPLICATE.value: "duplicates",
    Cut.NOT_KEPT.value: "not_kept",
    Cut.LATE.value: "late",
    Cut.LOST.value: "lost",
}
#: Events that wait longer than this for a warm-up are a problem to name: the longest rewind takes about this long.
WARMING_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class RedisState:
    """`appendonly` is `yes`, `no` (a crash of Redis costs a re-read of Kafka) or `unknown`; `error` says why it is not up."""

    up: bool
    appendonly: str = "unknown"
    error: str | None = None


@dataclass(frozen=True, slots=True)
class KafkaState:
    """Whether one of the brokers takes connections; `error` says why it is not up."""

    up: bool
    servers: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One partition: next `offset` to count, `log_end` of Kafka's log as its owner last said (what is counted since is in it, too),
    `lag_events` between them, and its `owner`.

    `log_end`, `lag_events` and `lag_seconds` are null where no live worker vouches for the partition. `warming` is how far its memory of
    ids and visitors is read again (0 to 1); null when it is not: then it counts.
    """

    partition: int
    offset: int | None
    log_end: int | None
    lag_events: int | None
    lag_seconds: float | None
    watermark: str | None
    owner: str | None
    stale: bool
    warming: float | None


@dataclass(frozen=True, slots=True)
class PartitionsStatus:
    """All partitions; `unowned` and `stale` count those without a worker's heartbeat, and those that hold settled time back.

    `warming` counts those that do not count yet because their memory is read again.
    """

    count: int
    unowned: int
    stale: int
    warming: int
    rows: tuple[PartitionStatus, ...]


@dataclass(frozen=True, slots=True)
class CatalogStatus:
    """Digest of this process's lists, of those under which the counts in Redis were begun, and of those that workers count under now."""

    ours: str
    stored: str | None
    counting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """State of the chain. What cannot be known is null; `problems` are sentences for a person, `ready` says that all servers answer.

    `users`: distinct visitors of France, in the last 5 and 15 settled minutes and in the current day in Paris (members `5m`, `15m`,
    `day`), null where they are fewer than `users_shown_min`. `establishments`: those seen in the last 15 settled minutes. Both are
    approximate (0.81 % standard error).
    """

    at: str
    ready: bool
    problems: tuple[str, ...]
    redis: RedisState
    kafka: KafkaState
    settled_to: str | None
    settled_age_seconds: float | None
    events: int | None
    visits: int | None
    users: dict[str, int | None] | None
    users_shown_min: int | None
    establishments: int | None
    duplicates: int | None
    dedupe_window_seconds: float | None
    visit_window_seconds: float | None
    rejected: dict[str, int] | None
    not_kept: int | None
    late: int | None
    lost: int | None
    lag_events: int | None
    lag_seconds: float | None
    partitions: PartitionsStatus
    catalog: CatalogStatus
    calendar_shift_seconds: int
    simulation: str | None
    processes: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Installation:
    """What the status needs to know of the settings."""

    catalog: Catalog
    lateness_ms: int
    calendar_shift_seconds: int


def build_status(
    installation: Installation,
    snapshot: Snapshot | None,
    census: Census | None,
    *,
    redis: RedisState,
    kafka: KafkaState,
    stack: dict[str, Any] | None,
    clock_ms: int,
) -> Status:
    """Put the object together. `snapshot` is None when Redis is down, `census` also before time is settled.

    `stack` is the local stack's record, `clock_ms` this machine's.
    """
    now_ms = snapshot.now_ms if snapshot else clock_ms
    totals = _totals(snapshot) if snapshot else dict.fromkeys((*_TOTALS.values(), "rejected"))
    partitions = partitions_status(snapshot, installation.lateness_ms) if snapshot else PartitionsStatus(0, 0, 0, 0, ())
    lags = [p.lag_events for p in partitions.rows if p.lag_events is not None]
    delays = [p.lag_seconds for p in partitions.rows if p.lag_seconds is not None]
    settled_ms = snapshot.settled_ms if snapshot else None
    windows = shortest_windows(snapshot) if snapshot else None
    broken = progress_problem(snapshot) if snapshot else None
    return Status(
        at=iso_utc(now_ms, milliseconds=True),
        ready=redis.up and kafka.up and broken is None and not (snapshot and snapshot.mark),
        problems=tuple(_problems(installation, snapshot, redis, kafka, partitions)),
        redis=redis,
        kafka=kafka,
        settled_to=None if settled_ms is None else iso_utc(settled_ms, milliseconds=True),
        settled_age_seconds=None if settled_ms is None else round((now_ms - settled_ms) / 1000, 3),
        **totals,
        users={window: users.national for window, users in census.users.items()} if census else None,
        users_shown_min=census.few.shown_min if census else None,
        establishments=census.establishments.national if census else None,
        dedupe_window_seconds=None if windows is None else windows.ids_ms / 1000,
        visit_window_seconds=None if windows is None else windows.visitors_ms / 1000,
        lag_events=sum(lags) if lags else None,
        lag_seconds=max(delays) if delays else None,
        partitions=partitions,
        catalog=CatalogStatus(
            installation.catalog.digest,
            snapshot.catalog if snapshot else None,
            tuple(sorted(catalogs_in_use(snapshot))) if snapshot else (),
        ),
        calendar_shift_seconds=installation.calendar_shift_seconds,
        simulation=simulation_notice(now_ms, installation.calendar_shift_seconds),
        processes=_processes(snapshot, stack),
    )


def _totals(snapshot: Snapshot) -> dict[str, Any]:
    totals = snapshot.totals_of_all_time()
    sums: dict[str, Any] = dict.fromkeys(_TOTALS.values(), 0)
    for field, number in totals.items():
        if (name := _TOTALS.get(field[0])) is not None:
            sums[name] += number
    return sums | {"rejected": {reason.value: totals.get((Cut.REJECTED, reason.value), 0) for reason in Reason}}


def partitions_status(snapshot: Snapshot, lateness_ms: int) -> PartitionsStatus:
    """How each partition fares."""
    unowned = set(partitions_unowned(snapshot))
    stale = set(settling(snapshot, lateness_ms).stale)
    lags = lag_events(snapshot)
    found = []
    for number in range(snapshot.partitions):
        state = snapshot.offsets.get(number)
        beat = None if number in unowned else snapshot.heartbeats.get(number)
        found.append(
            PartitionStatus(
                partition=number,
                offset=state.next_offset if state else None,
                log_end=max(beat.log_end, state.next_offset if state else 0)
                if beat and beat.log_end is not None
                else None,
                lag_events=lags[number],
                lag_seconds=beat.lag_seconds if beat else None,
                watermark=iso_utc(state.watermark_ms, milliseconds=True) if state and state.watermark_ms else None,
                owner=beat.worker if beat else None,
                stale=number in stale,
                warming=beat.warming if beat else None,
            )
        )
    warming = sum(partition.warming is not None for partition in found)
    return PartitionsStatus(snapshot.partitions, len(unowned), len(stale), warming, tuple(found))


def _problems(
    installation: Installation,
    snapshot: Snapshot | None,
    redis: RedisState,
    kafka: KafkaState,
    partitions: PartitionsStatus,
) -> Sequence[str]:
    problems = [state.error for state in (redis, kafka) if state.error is not None]
    if snapshot is None:
        return problems
    if broken := progress_problem(snapshot):
        problems.append(broken)
    if snapshot.mark:
        problems.append(
            f"Redis holds a chunk that was written only in part ({snapshot.mark}): workers refuse to go on; see docs/operations/recover.md"
        )
    if partitions.count == 0:
        problems.append("no worker has come up yet: start one (`vigie worker`, or `vigie up`)")
    elif partitions.unowned:
        problems.append(f"{partitions.unowned} of {partitions.count} partitions have no worker: start workers")
    problems += [*_without_word_from_kafka(snapshot, partitions), *_long_warming(partitions)]
    if others := catalogs_in_use(snapshot) - {installation.catalog.digest}:
        problems.append(
            f"events are counted under other lists (catalog {', '.join(sorted(others))}) than this config/ "
            f"({installation.catalog.digest}): give all workers and observers the same config/, and restart them one after the other"
        )
    problems += _what_processes_say(snapshot)
    if snapshot.sketches_replaced:
        problems.append(
            f"{snapshot.sketches_replaced} sketches in Redis were damaged and begun anew: users of their minutes or days are too low"
        )
    if redis.appendonly == "no":
        problems.append(
            "Redis runs without appendonly: a crash of Redis would cost a re-read of Kafka; set appendonly yes"
        )
    return problems


def _what_processes_say(snapshot: Snapshot) -> Iterator[str]:
    """What keeps parts of observers from their work, who of them is missed, and what nobody foresaw in workers."""
    for name, said in sorted(snapshot.observers.items()):
        silent_ms = snapshot.now_ms - said.at_ms
        if silent_ms > MISSED_MS and said.at_ms:
            yield f"observer {name} has said nothing for {silent_ms / 1000:.0f} s: see whether it runs, and its log"
        yield from (f"observer {name}: {problem}" for problem in said.problems)
    workers = {(beat.worker, beat.problem) for beat in snapshot.heartbeats.values() if beat.problem}
    yield from (f"worker {name}: {problem}" for name, problem in sorted(workers))


def _without_word_from_kafka(snapshot: Snapshot, partitions: PartitionsStatus) -> list[str]:
    """Workers are there, and none of them hears from Kafka: it hangs, which its open port does not tell."""
    times = [beat.confirmed_ms for beat in snapshot.heartbeats.values() if snapshot.now_ms - beat.at_ms <= UNOWNED_MS]
    if not times or partitions.stale < partitions.count:
        return []
    latest = max(time or 0 for time in times)
    since = f"for {(snapshot.now_ms - latest) / 1000:.0f} s" if latest else "since they started"
    return [
        f"Kafka has not told any worker {since} where the log ends, though it takes connections: it hangs or is overloaded; see its log"
    ]


def _long_warming(partitions: PartitionsStatus) -> list[str]:
    waiting = {
        p.partition: (p.warming, p.lag_seconds)
        for p in partitions.rows
        if p.warming is not None and p.lag_seconds is not None and p.lag_seconds > WARMING_SECONDS_MAX
    }
    if not waiting:
        return []
    slowest, longest = (
        pick(column) for pick, column in zip((min, max), zip(*waiting.values(), strict=True), strict=True)
    )
    return [
        f"partitions {', '.join(map(str, waiting))} are still reading their last hour again ({slowest:.0%} done) and their events wait, "
        f"up to {longest:.0f} s: "
        "they go on by themselves; if the share stands still, see the worker's log, and start more workers"
    ]


def _processes(snapshot: Snapshot | None, stack: dict[str, Any] | None) -> tuple[dict[str, Any], ...]:
    """The local stack's children as it recorded them; where no stack runs here, the workers that send heartbeats."""
    if stack is not None:
        return tuple(
            one | {"started_at": iso_utc(int(1000 * one.get("started_at", 0)))} for one in stack.get("processes", ())
        )
    if snapshot is None:
        return ()
    latest: dict[tuple[str, int], tuple[Heartbeat, list[int]]] = {}
    for number, beat in sorted(snapshot.heartbeats.items()):
        known, owned = latest.get((beat.worker, beat.pid), (beat, []))
        latest[(beat.worker, beat.pid)] = (max(known, beat, key=lambda b: b.at_ms), [*owned, number])
    return tuple(
        {
            "role": "worker",
            "pid": beat.pid,
            "state": "running" if snapshot.now_ms - beat.at_ms <= UNOWNED_MS else "stale",
            "port": beat.port,
            "name": beat.worker,
            "partitions": owned,
        }
        for beat, owned in latest.values()
    )
