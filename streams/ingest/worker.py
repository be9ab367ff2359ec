"""The worker process: waits for its servers, runs the Faust worker, and ends within bounds."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

import faust
import uvloop

from streams.background import BackgroundLoop, LoopRules
from streams.catalog import Catalog
from streams.count import CountingRules
from streams.errors import RedisUnfit, ServerError, StateError, TopicNotAsDesigned, VigieError
from streams.ingest.batches import use_raw_batches
from streams.ingest.dead_letters import DeadLetterTopic
from streams.ingest.faust_app import FaustLog, WorkerState, add_agent, build_app
from streams.ingest.health import HealthServer
from streams.ingest.heartbeat import Heart, add_heartbeat
from streams.ingest.ledger import Ingestor
from streams.ingest.letters import RejectBudget
from streams.ingest.log_limit import LogLimit
from streams.ingest.membership import WorkerName, process_name, use_name
from streams.ingest.topic_watch import TopicWatch
from streams.ingest.transport import register_transport
from streams.ingest.worker_metrics import WorkerMetrics
from streams.ingest.worker_options import WorkerOptions
from streams.live import LiveWriter
from streams.live.connection import redis_silence
from streams.log_lines import handler
from streams.topics import TopicFacts, ensure_topics

log = logging.getLogger(__name__)

#: How long a worker waits for Kafka at its start before it gives up and says so; its supervisor starts it again.
STARTUP_SECONDS_MAX = 60.0
#: A SIGTERM while Kafka is down would hang for ever in Faust: after this the process ends by itself.
STOP_SECONDS_MAX = 12.0
EXIT_FORCED = 70
END_LOOK_SECONDS = 0.5


def run_worker(options: WorkerOptions, catalog: Catalog) -> int:
    """Run until SIGTERM or SIGINT; return the exit code.

    Raises:
        VigieError: why the worker cannot go on: a server is down, a topic or Redis's state is not as designed.
    """
    metrics = WorkerMetrics()
    _limit_logs(options.log_level, options.log_format, metrics)
    _end_on_signal()
    state = WorkerState(worker=f"{socket.gethostname()}:{options.http.port}", port=options.http.port)
    health = HealthServer(options.http, metrics.registry, state)
    try:
        facts = _wait_for_servers(options, catalog, state)
        _run_faust(options, catalog, facts, metrics, state)
    finally:
        health.stop()
    if state.fatal is not None:
        raise state.fatal
    return 0


def _wait_for_servers(options: WorkerOptions, catalog: Catalog, state: WorkerState) -> TopicFacts:
    """Wait until Kafka has the topics and Redis can be continued: a worker that cannot count must not take partitions from those that can.

    Raises:
        ServerError: not within `STARTUP_SECONDS_MAX`, or a topic is not as designed, or Redis none to count in.
        StateError: what Redis holds belongs to another layout or topic, or was left half-written.
    """
    deadline = time.monotonic() + STARTUP_SECONDS_MAX
    while True:
        try:
            facts = ensure_topics(options.kafka, list(options.topics))[0]
            asyncio.run(_try_redis(options, catalog, facts))
            return facts
        except (TopicNotAsDesigned, RedisUnfit):
            raise
        except ServerError as error:
            state.unready = str(error)
            if time.monotonic() > deadline:
                raise
            log.warning("%s; waiting", error)
            time.sleep(1.0)


async def _try_redis(options: WorkerOptions, catalog: Catalog, facts: TopicFacts) -> None:
    writer = LiveWriter(options.redis, options.redis_prefix)
    try:
        await writer.prepare(catalog.digest, facts.name, facts.topic_id, facts.partitions)
    finally:
        await writer.close()


def _take_name(options: WorkerOptions, facts: TopicFacts, state: WorkerState) -> WorkerName:
    """The name of this worker in its group, once nobody else has it."""
    # Kafka gives a member that is back the partitions it had. Those of a deleted topic are none: the id makes it another member.
    instance_id = f"{options.group}-{state.worker}-{facts.topic_id}".replace(":", "-")
    process = process_name(options.kafka)
    name = WorkerName(
        options.kafka, options.redis, options.redis_prefix, options.group, state.worker, instance_id, process
    )
    name.await_free(state.wait_because)
    return name


def _run_faust(
    options: WorkerOptions, catalog: Catalog, facts: TopicFacts, metrics: WorkerMetrics, state: WorkerState
) -> None:
    name = _take_name(options, facts, state)
    state.process = name.process
    uvloop.install()
    _tune_collector()
    register_transport()
    use_raw_batches(options.kafka.unpacked_bytes_max)
    app = build_app(options.kafka, name.group, name.instance_id, options.session_seconds)
    writer = LiveWriter(options.redis, options.redis_prefix, options.unseen_kept_ms)
    state.dead = lambda: redis_silence(writer.answered_at, options.alive_without_redis_seconds)
    budget = RejectBudget(options.rejects_kept_per_minute, options.rejects_kept_bytes_per_minute)
    dead_letters = DeadLetterTopic(options.kafka, options.topics[1].name, facts.name, budget, metrics)

    def stop_counting(problem: VigieError) -> None:
        state.fatal = problem  # the heartbeat ends the worker; nothing is applied meanwhile

    use_name(name, stop_counting)
    watch = TopicWatch(options.kafka, facts, stop_counting)
    kafka = FaustLog(app, options.kafka, facts.name, watch)
    ingestor = Ingestor(
        rules=CountingRules.of(catalog, options.bounds, options.lateness_ms, options.shift_seconds),
        store=writer,
        dead_letters=dead_letters,
        kafka=kafka,
        prepare=lambda: _prepare(writer, catalog, facts, watch),
        halted=lambda: kafka.halted() or state.fatal is not None,
        metrics=metrics,
        apply_seconds=options.apply_seconds,
    )
    add_agent(app, facts.name, ingestor, state)
    add_heartbeat(app, Heart(app, ingestor, writer, state, watch), state)
    app.finalize()
    watch.start()
    end_bound = _bound_the_end(app, state)
    end_bound.start()
    loops = (watch.loop, end_bound)
    state.defect = lambda: next((text for loop in loops if (text := loop.defect()) is not None), None)
    metrics.watch(loops)
    worker = StoppableWorker(
        app, loglevel=options.log_level, override_logging=False, redirect_stdouts=False, quiet=True
    )
    state.unready = "waiting for Kafka to assign partitions"
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        if ended.code and state.fatal is None:
            state.fatal = ServerError(
                "the worker ended after an error; the lines above say which. Its supervisor starts it again."
            )
    except Exception as error:
        if state.fatal is None:
            if isinstance(error, VigieError):
                raise
            log.exception("worker ended")
            state.fatal = StateError(f"the worker ended after an error: {error!r}; its supervisor starts it again")


async def _prepare(writer: LiveWriter, catalog: Catalog, facts: TopicFacts, watch: TopicWatch) -> None:
    begun_under = await writer.prepare(catalog.digest, facts.name, facts.topic_id, watch.partitions)
    if begun_under != catalog.digest:
        log.warning(
            "the counts were begun under other lists (catalog %s, here %s): rows of codes that were added or removed before now may "
            "differ from a recount",
            begun_under,
            catalog.digest,
        )


def _tune_collector() -> None:
    """Collect garbage far less often: chunks are thousands of small objects without cycles. Halves the time of reading a batch."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _limit_logs(level: str, log_format: str, metrics: WorkerMetrics) -> None:
    written = handler(log_format)
    written.addFilter(LogLimit(metrics.suppressed))
    logging.basicConfig(level=logging.WARNING, handlers=[written], force=True)
    logging.getLogger("streams").setLevel(level)
    logging.getLogger("mode.timers").setLevel(logging.ERROR)  # a heartbeat that waits for Kafka is no news


class StoppableWorker(faust.Worker):
    """Faust's worker, whose stop is bounded: with Kafka down, its own would hang for ever."""

    async def _sentinel_task(self) -> None:
        """Faust's last turn of the event loop, without the second that it sleeps there: everything has been waited for."""
        await asyncio.sleep(0)

    def _on_sigterm(self) -> None:
        start_countdown(None)
        super()._on_sigterm()

    def _on_sigint(self) -> None:
        start_countdown(None)
        super()._on_sigint()


def _end_on_signal() -> None:
    """Before the event loop has its own handlers: end at once, nothing is held yet."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0 if number == signal.SIGTERM else 128 + number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def _bound_the_end(app: faust.App, state: WorkerState) -> BackgroundLoop:
    """A worker that crashes while Kafka is down would hang as one that is stopped: the same bound, and the reason is said."""

    def look() -> None:
        if app.should_stop or state.fatal is not None:
            start_countdown(state)
            loop.end()

    rules = LoopRules("end-bound", END_LOOK_SECONDS, "the end is not bounded", "the end is bounded again")
    loop = BackgroundLoop(look, rules)
    return loop  # `look` ends it


def start_countdown(state: WorkerState | None) -> None:
    """End the process in `STOP_SECONDS_MAX`, whatever hangs; a second call changes nothing. `state` knows why it ends, if it crashed."""
    if _countdown.is_set():
        return
    _countdown.set()

    def end() -> None:
        log.error(
            "the worker did not stop within %.0f s: ending it; what it had not counted is counted from the log",
            STOP_SECONDS_MAX,
        )
        if state is None or state.fatal is None:
            os._exit(EXIT_FORCED)
        print(f"vigie: {state.fatal}", file=sys.stderr, flush=True)  # noqa: T201  # as the command line would have
        os._exit(state.fatal.exit_code)

    timer = threading.Timer(STOP_SECONDS_MAX, end)
    timer.daemon = True
    timer.start()


_countdown = threading.Event()
