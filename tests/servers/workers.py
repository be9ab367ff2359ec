"""Worker processes for tests: started, watched through their own /metrics, killed and stopped."""

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams import edges
from streams.live import LiveReader, Snapshot
from streams.settings import Settings


def get(port: int, path: str, seconds_max: float = 5) -> tuple[int, str]:
    """Status and text that a process of this machine answers; 0 where nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=seconds_max) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


class WorkerProcess:
    """One `vigie worker`."""

    def __init__(self, environment: dict[str, str], directory: Path, slot: int = 0, *options: str) -> None:
        self.port = int(environment["VIGIE_WORKER_PORT"]) + slot
        self.log_path = directory / f"worker-{slot}-{time.monotonic_ns()}.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", "worker", "--slot", str(slot), *options],
                env=environment,
                stderr=log,
                stdout=log,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def get(self, path: str) -> tuple[int, str]:
        return get(self.port, path)

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, seconds: float = 25.0) -> int:
        """SIGTERM; the exit code. Fails when the worker takes longer than it promises."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise AssertionError(f"the worker did not stop within {seconds} s:\n{self.log}") from None


@contextmanager
def workers(environment: dict[str, str], directory: Path, number: int, *options: str) -> Iterator[list[WorkerProcess]]:
    """Run `number` workers; kill what is left at the end."""
    running = [WorkerProcess(environment, directory, slot, *options) for slot in range(number)]
    try:
        yield running
    finally:
        for worker in running:
            if worker.process.poll() is None:
                worker.kill()


def reader_of(settings: Settings) -> LiveReader:
    """A reader of this installation's counts."""
    return LiveReader(edges.redis_address(settings), settings.redis_prefix)


def counted_records(snapshot: Snapshot) -> int:
    """How many offsets are counted, over all partitions."""
    return sum(state.next_offset - snapshot.first_offsets[n] for n, state in snapshot.offsets.items())
