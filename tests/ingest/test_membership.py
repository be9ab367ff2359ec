"""Who has a worker's name, as heartbeats tell it."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from streams.broker import KafkaAddress
from streams.errors import NameTaken, StateError
from streams.ingest import membership
from streams.ingest.membership import BEAT_MS_MAX, WorkerName, process_name
from streams.live.connection import RedisAddress

KAFKA = KafkaAddress(("127.0.0.1:9",))
OTHER = "process 7 at 10.0.0.5 (00000000)"


class Told:
    """A reader of heartbeats that says this."""

    said: Any = None

    def __init__(self, *_: object) -> None:
        pass

    def snapshot(self) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def close(self) -> None:
        pass


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> WorkerName:
    monkeypatch.setattr(membership, "LiveReader", Told)
    monkeypatch.setattr(membership, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(membership, "NAME_SECONDS_MAX", 0.05)
    redis = RedisAddress("redis://127.0.0.1:9/0")
    return WorkerName(KAFKA, redis, "vigie", "group", "host:8001", "group-host-8001-id", process_name(KAFKA))


def beats(process: str, worker: str = "host:8001", age_ms: int = 100) -> SimpleNamespace:
    beat = SimpleNamespace(worker=worker, process=process, at_ms=1_000_000 - age_ms)
    return SimpleNamespace(now_ms=1_000_000, heartbeats={0: beat})


def test_another_process_of_this_name_whose_heartbeats_come_has_it(name: WorkerName) -> None:
    Told.said = beats(OTHER)
    assert name.living() == OTHER
    waited: list[str] = []
    with pytest.raises(NameTaken, match=r"two workers are called host:8001: .*this one, and process 7 at 10\.0\.0\.5"):
        name.await_free(waited.append)
    assert OTHER in waited[0]
    assert NameTaken.exit_code == 6


@pytest.mark.parametrize(
    "said",
    [
        beats(OTHER, worker="host:8002"),
        beats(OTHER, age_ms=BEAT_MS_MAX),
        beats(""),
        beats(process_name(KAFKA)),
        beats(process_name(KAFKA).replace(f"process {os.getpid()} ", "process 999999999 ")),
        StateError("a stranger wrote an entry"),
    ],
)
def test_nobody_has_it(name: WorkerName, said: Any) -> None:
    """Another name, an old heartbeat, an older version, itself, a process of this machine that is gone, what cannot be read."""
    Told.said = said
    assert name.living() is None
    name.await_free(lambda reason: pytest.fail(reason))
