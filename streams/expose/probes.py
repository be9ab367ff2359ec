"""Reading the state of the servers: each look is bounded in time, and those again and again have threads of their own, so nothing waits."""

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from streams.background import BackgroundLoop, LoopRules
from streams.catalog import Catalog
from streams.count.local_dates import LocalDays
from streams.edges import redis_address
from streams.errors import ServerError, StateError, listener_advice
from streams.expose.page import EarlierDays, Lines, PastVisits
from streams.expose.status import Installation, KafkaState, RedisState, Status, build_status
from streams.history import SchoolCalendar, load_calendar
from streams.history.archive import Archive
from streams.history.reading import History
from streams.live import AlertStore, ArchiveKeeper, ArchiveReader, LiveKeeper, LiveReader, SketchReader, Snapshot
from streams.live.connection import RedisAddress
from streams.load_shape import load_shape
from streams.observe import ArchiveRules, Census, Detector, DetectorParts, ObserverRules, progress_problem
from streams.observe.expected import ColdShape
from streams.observe.maintenances_file import load_maintenances
from streams.settings import Settings
from streams.small_numbers import SmallNumbers

T = TypeVar("T")
#: Whether Kafka takes connections.
KAFKA_LOOKS = LoopRules(
    "prober",
    5.0,
    "nobody asks whether Kafka takes connections",
    "Kafka is asked again whether it takes connections",
    retry_seconds=5.0,
    hung_seconds=300.0,
)
#: Who has taken what in charge, as Alertmanager says.
ACKNOWLEDGEMENT_LOOKS = LoopRules(
    "acknowledgements",
    5.0,
    "nobody knows who has taken what in charge",
    "it is known again who has taken what in charge",
    retry_seconds=5.0,
    hung_seconds=60.0,
)


class Prober(Generic[T]):
    """`known` is what the last look said; None before the first, and after one that failed. `loop` is the thread: start and end that."""

    def __init__(self, look: Callable[[], T], rules: LoopRules) -> None:
        self._look = look
        self.known: T | None = None
        self.loop = BackgroundLoop(self._round, rules, on_failure=self._forget)

    def _round(self) -> None:
        self.known = self._look()

    def _forget(self) -> None:
        self.known = None


#: All brokers together have this long to take a connection and answer.
KAFKA_SECONDS_MAX = 3.0
#: The question that every broker answers before anybody has logged in, in its first version: length, key 18, version 0, number, no client.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
#: An answer is its length and that number; a listener that expects TLS says that it was not understood.
_NUMBER, _TLS_ALERT = struct.pack(">i", 1), b"\x15\x03"
#: A scrape must answer within 3 s whatever Redis does; a call that takes longer than this has failed.
REDIS_CALL_SECONDS_MAX = 1.5


def quick_redis(settings: Settings) -> RedisAddress:
    """Redis for those who must answer a person or Prometheus in time."""
    return replace(redis_address(settings), call_seconds_max=REDIS_CALL_SECONDS_MAX)


def open_reader(settings: Settings) -> LiveReader:
    """Return a reader for those who must answer a person or Prometheus in time; it connects at its first call."""
    return LiveReader(quick_redis(settings), settings.redis_prefix, settings.unseen_hours_kept * 3_600_000)


def open_keeper(settings: Settings) -> LiveKeeper:
    """The same for an observer, which also writes."""
    return LiveKeeper(quick_redis(settings), settings.redis_prefix, settings.unseen_hours_kept * 3_600_000)


def open_sketches(settings: Settings, catalog: Catalog) -> SketchReader:
    """The same for sketches."""
    return SketchReader(quick_redis(settings), settings.redis_prefix, catalog, SmallNumbers(settings.users_shown_min))


def open_archives(settings: Settings, *, patient: bool = False) -> ArchiveKeeper:
    """The same for what archives need; `patient` for the archivist, which nobody waits for."""
    return ArchiveKeeper(redis_address(settings) if patient else quick_redis(settings), settings.redis_prefix)


def observer_rules(settings: Settings, catalog: Catalog, *, may_be_closed: bool = False) -> ObserverRules:
    """What the loop of an observer of these settings needs to know; `may_be_closed` for `vigie upgrade` alone."""
    return ObserverRules(
        catalog,
        LocalDays(catalog, settings.calendar_shift_seconds),
        settings.lateness_seconds * 1000,
        settings.minutes_kept_hours,
        settings.archive_wait_hours,
        has_archive=settings.archive_dir is not None,
        may_be_closed=may_be_closed,
    )


def archive_rules(settings: Settings, catalog: Catalog) -> ArchiveRules | None:
    """How this observer archives, None where `archive_dir` is not set."""
    if settings.archive_dir is None:
        return None
    return ArchiveRules(
        directory=settings.archive_dir,
        shift_seconds=settings.calendar_shift_seconds,
        catalog=catalog.digest,
        minutes_kept_hours=settings.minutes_kept_hours,
        wait_hours=settings.archive_wait_hours,
        sketches_days_max=settings.archive_sketches_days_max,
    )


def open_detector(settings: Settings, catalog: Catalog, on_end: Callable[[], None]) -> Detector:
    """A detector that has not started; nobody waits for its calls to Redis.

    Raises:
        SettingsError: the calendar or the list of maintenances is wrong.
    """
    address, prefix = redis_address(settings), settings.redis_prefix
    history, calendar = _history(settings, catalog), _calendar(settings, catalog)
    parts = DetectorParts(
        reader=LiveReader(address, prefix),
        archives=ArchiveReader(address, prefix),
        store=AlertStore(address, prefix),
        history=history,
        catalog=catalog,
        calendar=calendar,
        maintenances=load_maintenances(settings.config_dir, catalog),
        shift_minutes=settings.calendar_shift_seconds // 60,
        cold=ColdShape(load_shape(settings.config_dir, catalog), calendar),
    )
    return Detector(parts, on_end)


def open_past(settings: Settings, catalog: Catalog, reader: LiveReader) -> tuple[EarlierDays | None, Lines]:
    """The days beside the page's figure, None without `archive_dir`; the lines of its curve, which then end where Redis's minutes do."""
    history, calendar = _history(settings, catalog), _calendar(settings, catalog)
    past = PastVisits(history, reader, catalog, settings.calendar_shift_seconds // 60)
    return EarlierDays(past, calendar, catalog) if history else None, Lines(past, calendar, catalog)


def _history(settings: Settings, catalog: Catalog) -> History | None:
    return History(Archive(settings.archive_dir), catalog) if settings.archive_dir else None


def _calendar(settings: Settings, catalog: Catalog) -> SchoolCalendar:
    return load_calendar(settings.config_dir, catalog, settings.calendar_stand_in_zone)


def installation(settings: Settings, catalog: Catalog) -> Installation:
    """What the status needs to know of the settings."""
    return Installation(catalog, settings.lateness_seconds * 1000, settings.calendar_shift_seconds)


def probe_kafka(servers: tuple[str, ...], seconds_max: float = KAFKA_SECONDS_MAX) -> KafkaState:
    """Ask whether one broker takes connections and answers: cheap, and enough to tell a Kafka that is down or hangs from one that lags.

    A listener that expects TLS does not understand the question and hangs up: that is an answer, too.
    """
    deadline = time.monotonic() + seconds_max
    problems = []
    for server in servers:
        host, _, port = server.rpartition(":")
        if (left := deadline - time.monotonic()) <= 0:
            break
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=left) as connection:
                connection.sendall(API_VERSIONS)
                answer = _first_bytes(connection, 8)
        except ConnectionResetError:
            return KafkaState(True, servers)
        except (
            OSError,
            UnicodeError,
        ) as error:  # UnicodeError: no name of a host, for instance one with a label of 64 characters
            problems.append(f"{server}: {error}")
        else:
            if not answer or answer.startswith(_TLS_ALERT) or answer[4:] == _NUMBER:
                return KafkaState(True, servers)
            problems.append(f"{server}: no answer of Kafka's but {answer!r}")
    setting = "kafka_bootstrap_servers"
    hint = (
        listener_advice("; ".join(problems), setting) or f"start it (`vigie up` starts a local one), or set {setting}"
    )
    return KafkaState(False, servers, f"Kafka does not answer ({'; '.join(problems)}); {hint}")


def _first_bytes(connection: socket.socket, number: int) -> bytes:
    """What is said first, or as much of it as comes before the connection is closed."""
    said = b""
    while len(said) < number and (more := connection.recv(number - len(said))):
        said += more
    return said


def probe_redis(reader: LiveReader) -> tuple[RedisState, Snapshot | None]:
    """Read the snapshot and whether Redis writes an append-only file."""
    try:
        return RedisState(True, reader.persistence()), reader.snapshot()
    except (ServerError, StateError) as error:
        return RedisState(False, error=str(error)), None


def read_status(
    installation: Installation,
    reader: LiveReader,
    census_at: Callable[[int], Census | None],
    kafka_servers: tuple[str, ...],
    stack: dict[str, Any] | None,
) -> Status:
    """Look at the servers and put the status together. Never raises for a server that is down: the status says it.

    `census_at` gives users and establishments at a settled time (epoch ms); it may raise ServerError.
    """
    redis, snapshot = probe_redis(reader)
    census = None
    if snapshot is not None and snapshot.settled_ms is not None and progress_problem(snapshot) is None:
        try:
            census = census_at(snapshot.settled_ms)
        except ServerError as error:
            redis, snapshot = RedisState(False, error=str(error)), None
    return build_status(
        installation,
        snapshot,
        census,
        redis=redis,
        kafka=probe_kafka(kafka_servers),
        stack=stack,
        clock_ms=time.time_ns() // 1_000_000,
    )
