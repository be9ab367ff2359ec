"""One name, one worker. Workers are static members of their group, by host and port.

Of two workers with one name Kafka lets the newer one in and throws the older one out. That one would come back, and so on for ever. So a
worker waits at its start while another one of its name lives. One that was thrown out does not come back: it ends, and says who has its
place. Kafka tells that there is another one, the heartbeats in Redis tell which.
"""

import asyncio
import hashlib
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from aiokafka.consumer import consumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError

from streams.broker import KafkaAddress
from streams.errors import NameTaken, ServerError, StateError
from streams.live import LiveReader
from streams.live.connection import RedisAddress
from streams.topics import admin_client, group_members

log = logging.getLogger(__name__)

#: A heartbeat comes every second: a worker whose last one is older is gone, or stands still.
BEAT_MS_MAX = 4_000
#: How long a worker that starts waits for another one of its name to end.
NAME_SECONDS_MAX = 10.0
LOOK_SECONDS = 1.0
#: How often, and how densely, the heartbeats are asked who was let in: each of the two covers the other's once a second.
LOOKS_MAX, NEXT_LOOK_SECONDS = 40, 0.07
NOBODY_KNOWN = "another one, which no heartbeat names"


@dataclass(frozen=True, slots=True)
class WorkerName:
    """This worker: `worker` is its name (host:port), `instance_id` the same in Kafka's group, `process` tells it from all others."""

    kafka: KafkaAddress
    redis: RedisAddress
    redis_prefix: str
    group: str
    worker: str
    instance_id: str
    process: str

    def await_free(self, unready: Callable[[str], None]) -> None:
        """Wait until nobody lives who has this name; `unready` is told while somebody does.

        Raises:
            NameTaken: somebody does.
            ServerError: Redis does not answer.
        """
        deadline = time.monotonic() + NAME_SECONDS_MAX
        while (other := self.living()) is not None:
            if time.monotonic() > deadline:
                raise self.taken(other, "which counts, so this one does not start")
            unready(f"waiting for another worker of this name to end: {other}")
            time.sleep(LOOK_SECONDS)

    def living(self) -> str | None:
        """Another process of this name whose heartbeats come; None where there is none.

        Raises:
            ServerError: Redis does not answer.
        """
        with closing(LiveReader(self.redis, self.redis_prefix)) as reader:
            try:
                snapshot = reader.snapshot()
            except (
                StateError
            ) as error:  # a stranger's entry, which the next heartbeat may replace: no reason not to count
                log.warning("it is not known who has this name: %s", error)
                return None
        for beat in snapshot.heartbeats.values():
            fresh = snapshot.now_ms - beat.at_ms < BEAT_MS_MAX
            if (
                beat.worker == self.worker
                and beat.process not in ("", self.process)
                and fresh
                and not _is_gone(beat.process)
            ):
                return beat.process
        return None

    def let_in(self, own_member_id: str) -> str | None:
        """Who is in the group in this worker's place; None where nobody is.

        Raises:
            ServerError: Kafka or Redis does not answer.
        """
        with admin_client(self.kafka) as client:
            ids = [member.member_id for member in group_members(client, self.group)]
        # Kafka makes the id of a static member of its name.
        if not any(each.startswith(f"{self.instance_id}-") and each != own_member_id for each in ids):
            return None
        for _ in range(LOOKS_MAX):  # it may not have come to its first heartbeat, and ours may cover its
            if (other := self.living()) is not None:
                return other
            time.sleep(NEXT_LOOK_SECONDS)
        return NOBODY_KNOWN

    def taken(self, other: str, what: str) -> NameTaken:
        """The error that names both."""
        return NameTaken(
            f"two workers are called {self.worker}: {self.process}, which is this one, and {other}, {what}. Give their machines different "
            "host names, or the workers different ports"
        )


def process_name(kafka: KafkaAddress) -> str:
    """Name this process: its number, the address of its machine, and where that number counts, as eight hexadecimal digits."""
    return f"process {os.getpid()} at {_own_address(kafka)} ({_origin()})"


def _own_address(kafka: KafkaAddress) -> str:
    """The address of this machine on the way to Kafka; nothing is sent."""
    host, _, port = kafka.bootstrap_servers[0].rpartition(":")
    try:
        family, kind, _, _, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as way:
            way.connect(target)
            return str(way.getsockname()[0])
    except OSError:
        return socket.gethostname()


def _origin() -> str:
    """This boot of this machine, and this namespace of processes in it."""
    told = socket.gethostname()
    for path, read in (("/proc/sys/kernel/random/boot_id", Path.read_text), ("/proc/self/ns/pid", Path.readlink)):
        try:
            told += str(read(Path(path)))
        except OSError:
            continue
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _is_gone(process: str) -> bool:
    """Whether this names a process of this machine that is no more: its successor need not wait."""
    found = re.fullmatch(r"process (\d+) at \S+ \(([0-9a-f]{8})\)", process)
    return found is not None and found[2] == _origin() and not Path(f"/proc/{found[1]}").exists()


class NamedCoordinator(GroupCoordinator):
    """aiokafka's coordinator, which does not come back into the group while another worker has its place."""

    name: ClassVar[WorkerName]
    on_taken: ClassVar[Callable[[NameTaken], None]]
    _former_id = ""
    _thrown_out = False
    _ended = False

    def reset_generation(self) -> None:
        """Kafka does not know this member any more."""
        self._former_id = self.member_id or self._former_id
        self._thrown_out = True
        super().reset_generation()

    async def ensure_active_group(self, subscription: Any, prev_assignment: Any) -> Any:
        """Join the group, if nobody else is there in this place."""
        if self._ended or (self._thrown_out and await self._is_taken()):
            await asyncio.sleep(LOOK_SECONDS)  # until the worker has ended
            return None
        self._thrown_out = False
        try:
            return await super().ensure_active_group(subscription, prev_assignment)
        except KafkaError:
            self._thrown_out = True  # perhaps by one of this name, which aiokafka does not tell
            raise

    async def _is_taken(self) -> bool:
        try:
            other = await asyncio.to_thread(self.name.let_in, self.member_id or self._former_id)
        except ServerError as error:
            log.warning("it is not known who is in the group: %s", error)
            return False
        if other is not None:
            self._ended = True
            type(self).on_taken(self.name.taken(other, "for which Kafka threw this one out: it ends"))
        return self._ended


def use_name(name: WorkerName, on_taken: Callable[[NameTaken], None]) -> None:
    """Let this process's consumer be a member under this name; `on_taken` is called once, from the consumer's thread."""
    NamedCoordinator.name = name
    NamedCoordinator.on_taken = staticmethod(on_taken)
    consumer.GroupCoordinator = NamedCoordinator
