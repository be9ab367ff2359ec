"""The Faust application: one agent that hands what each fetch brought to the `Ingestor`, which acknowledges it after Redis did, and one
task that sends what was counted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.tables.manager import TableManager
from faust.types import TP
from yarl import URL

from streams.append_times import offsets_since
from streams.async_broker import AsyncTokens
from streams.broker import KafkaAddress
from streams.errors import VigieError
from streams.ingest.chunks import Chunk
from streams.ingest.ledger import Ingestor
from streams.ingest.partition import Verdict
from streams.ingest.topic_watch import TopicWatch
from streams.ingest.transport import SEEK_SECONDS_MAX, FetchSchema

log = logging.getLogger(__name__)

#: How long a client may believe an old list of partitions: new ones are found, and read from their beginning, within it.
METADATA_AGE_MS_MAX = 10_000


@dataclass(slots=True)
class WorkerState:
    """What `/readyz` and the process's exit need to know."""

    worker: str
    port: int
    unready: str | None = "starting"
    fatal: VigieError | None = None
    process: str = ""
    #: What nobody foresaw and that is so now.
    defect: Callable[[], str | None] = lambda: None
    #: Why a supervisor should start it again.
    dead: Callable[[], str | None] = lambda: None

    def wait_because(self, reason: str) -> None:
        """It waits, for this reason."""
        self.unready = reason

    def not_ready_because(self) -> str | None:
        """Why it is not ready, None where it is."""
        return self.unready or self.defect()

    def not_alive_because(self) -> str | None:
        """Why it should be started again, None where it should not."""
        return self.dead()


class FaustLog:
    """Kafka, as the ingestor needs it, through Faust's consumer.

    What asks Kafka raises `KafkaUnavailable` where it does not answer within `SEEK_SECONDS_MAX`.
    """

    def __init__(self, app: Any, address: KafkaAddress, topic: str, watch: TopicWatch) -> None:
        self._app = app
        self._address = address
        self._topic = topic
        self._watch = watch

    async def seek(self, partition: int, offset: int) -> None:
        """Read this partition from `offset` again."""
        async with self._asking():
            await self._app.consumer.seek_wait({TP(self._topic, partition): offset})

    def epoch(self, partition: int) -> int:
        """How many seeks this partition has seen."""
        return int(self._app.consumer.epochs.get(partition, 0))

    async def log_start(self, partition: int) -> int:
        """The first offset that retention has left."""
        tp = TP(self._topic, partition)
        async with self._asking():
            starts = await self._app.consumer.earliest_offsets(tp)
        return int(starts[tp])

    async def log_end(self, partition: int) -> int:
        """The offset after the last one in the log."""
        tp = TP(self._topic, partition)
        async with self._asking():
            ends = await self._app.consumer.highwaters(tp)
        return int(ends[tp])

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        with self._address.asking(KafkaError):
            async with asyncio.timeout(SEEK_SECONDS_MAX):
                yield

    async def confirm_topic(self) -> None:
        """Ask now whether the topic is still the one that is counted."""
        await asyncio.to_thread(self._watch.look)

    async def offsets_since(self, append_times_ms: Mapping[int, int]) -> dict[int, int]:
        """By partition, an offset from which on everything lies that was appended at that time (epoch ms) or later."""
        async with self._asking():
            return await asyncio.to_thread(offsets_since, self._address, self._topic, append_times_ms)

    def halted(self) -> bool:
        """Whether a rebalance is under way or the worker stops."""
        return bool(self._app.rebalancing or self._app.should_stop)


class _App(faust.App):
    def _create_directories(self) -> None:
        """Make none: nothing of a worker is kept on disk."""


class _NoTables(TableManager):
    async def on_start(self) -> None:
        """Begin at once: Faust waits a second here for tables to be added, and there are none."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


def build_app(address: KafkaAddress, group: str, instance_id: str, session_seconds: int = 12) -> faust.App:
    """Return the Faust application without its agent; every setting that differs from Faust's default says why."""
    return _App(
        group,
        broker=[URL(f"vigie://{server}") for server in address.bootstrap_servers],
        broker_credentials=_credentials(address),
        agent_supervisor="mode.CrashingSupervisor",  # the default acknowledges what raised, and goes on: the events are lost
        store="memory://",
        TableManager=_NoTables,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance_id,  # a worker that is back within the session costs no rebalance
        broker_max_poll_records=None,  # take all that was fetched: aiokafka does not fetch while a rest is in its buffer
        consumer_metadata_max_age_ms=METADATA_AGE_MS_MAX,
        consumer_max_fetch_size=1 << 20,
        stream_buffer_maxsize=2,  # fetches; `Hand` bounds what all of them hold
        stream_wait_empty=False,
        broker_session_timeout=float(session_seconds),
        broker_heartbeat_interval=min(3.0, session_seconds / 4),
        broker_rebalance_timeout=20.0,
        broker_request_timeout=max(30.0, session_seconds + 5.0),  # Faust wants it above the session's
        broker_commit_interval=5.0,
        producer_linger=0.0,
    )


def add_agent(app: faust.App, topic_name: str, ingestor: Ingestor, state: WorkerState) -> None:
    """Give the application its only agent."""
    topic = app.topic(topic_name, schema=FetchSchema())
    app.vigie_place = _guarded_place(app, ingestor, state)

    def acknowledge(chunk: Chunk) -> None:
        app.consumer.acknowledge(TP(topic_name, chunk.partition), chunk.end)

    @app.agent(topic, name="vigie.count")
    async def count(stream: Any) -> None:
        async for event in stream.noack().events():
            chunks = {chunk.partition: chunk for chunk in event.message.value if chunk.take()}
            try:
                verdicts = await ingestor.handle(list(chunks.values()), acknowledge)  # step 6, of what counts
            except VigieError as error:
                state.fatal = error
                raise
            for number, verdict in verdicts.items():
                if verdict in (Verdict.KNOWN, Verdict.WARMED):
                    acknowledge(chunks[number])

    @app.task
    async def commit() -> None:
        while not app.should_stop:
            await ingestor.calls.wait()
            await _or_crash(app, state, ingestor.commit())

    @app.on_partitions_revoked.connect
    async def give_back(_app: Any, _revoked: Any, **_kwargs: Any) -> None:
        await _or_crash(app, state, ingestor.flush())


async def _or_crash(app: faust.App, state: WorkerState, call: Awaitable[None]) -> None:
    """Await it; what it finds that cannot go on ends the worker, and says why."""
    try:
        await call
    except VigieError as error:
        state.fatal = state.fatal or error
        await app.crash(error)


def _guarded_place(app: faust.App, ingestor: Ingestor, state: WorkerState) -> Any:
    async def place(log_bounds: dict[int, tuple[int, int]]) -> dict[int, int]:
        try:
            targets = await ingestor.place(log_bounds)
        except VigieError as error:
            state.fatal = error
            await app.crash(error)
            raise
        state.unready = None
        log.info("partitions %s: start at %s", sorted(targets), {n: targets[n] for n in sorted(targets)})
        return targets

    return place


def _credentials(address: KafkaAddress) -> Any:
    if address.oauth_token_url is not None:
        return faust.OAuthCredentials(oauth_cb=AsyncTokens(address.tokens()), ssl_context=address.ssl_context())
    if address.sasl_mechanism is not None:
        return faust.SASLCredentials(
            username=address.sasl_username,
            password=address.sasl_password,
            mechanism=address.sasl_mechanism,
            ssl_context=address.ssl_context(),
        )
    context = address.ssl_context()
    return faust.SSLCredentials(context) if context is not None else None
