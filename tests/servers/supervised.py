"""Workers that are started again when they end, as their supervisor would; and what they were seen to do."""

import signal
import threading
import time
from pathlib import Path

from tests.servers.workers import WorkerProcess

RESTART_SECONDS = 0.5


class Supervised:
    """Keeps the workers of these slots running, from a thread. What a worker said of itself is kept in its log."""

    def __init__(self, environment: dict[str, str], directory: Path, slots: int) -> None:
        self._environment = environment
        self._directory = directory
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._workers: dict[int, WorkerProcess] = {}
        #: (slot, exit code) of workers that ended without having been killed by a test.
        self.exits: list[tuple[int, int]] = []
        self.rss_bytes_max = 0
        for slot in range(slots):
            self.add(slot)
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Supervised":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)
        with self._lock:
            for worker in self._workers.values():
                if worker.process.poll() is None:
                    worker.kill()

    def add(self, slot: int) -> None:
        """Run a worker in this slot."""
        with self._lock:
            self._workers[slot] = WorkerProcess(self._environment, self._directory, slot)

    def remove(self, slot: int) -> int:
        """SIGTERM, and no restart; the exit code."""
        with self._lock:
            worker = self._workers.pop(slot)
        return worker.stop()

    def worker(self, slot: int) -> WorkerProcess:
        with self._lock:
            return self._workers[slot]

    def slots(self) -> list[int]:
        with self._lock:
            return sorted(self._workers)

    def kill(self, slot: int) -> None:
        """kill -9; it is started again."""
        with self._lock:
            self._workers[slot].kill()
            self._workers[slot] = WorkerProcess(self._environment, self._directory, slot)

    def lose(self, slot: int) -> None:
        """kill -9, and no restart."""
        with self._lock:
            self._workers.pop(slot).kill()

    def pause(self, slot: int, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after that time."""
        process = self.worker(slot).process
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def stop_all(self) -> list[tuple[int, float]]:
        """SIGTERM to all at once, no restarts; (exit code, seconds it took) of each."""
        self._ended.set()
        self._thread.join(10)
        began = time.monotonic()
        for worker in self._workers.values():
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGTERM)
        return [(worker.stop(), time.monotonic() - began) for worker in self._workers.values()]

    def metric(self, name: str) -> float:
        """The sum of a metric over the running workers (all label values)."""
        found = 0.0
        for slot in self.slots():
            for line in self.worker(slot).get("/metrics")[1].splitlines():
                if line.startswith((f"{name} ", f"{name}{{")):
                    found += float(line.rpartition(" ")[2])
        return found

    def unready(self) -> list[str]:
        """What the workers' /readyz say while they are not ready."""
        answers = [self.worker(slot).get("/readyz") for slot in self.slots()]
        return [body for status, body in answers if status != 200]

    def _run(self) -> None:
        while not self._ended.wait(RESTART_SECONDS):
            with self._lock:
                for slot, worker in self._workers.items():
                    code = worker.process.poll()
                    if code is None:
                        self.rss_bytes_max = max(self.rss_bytes_max, rss_bytes(worker.process.pid))
                    else:
                        self.exits.append((slot, code))
                        self._workers[slot] = WorkerProcess(self._environment, self._directory, slot)


def rss_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * 4096
