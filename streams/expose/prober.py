"""Asks every few seconds whether Kafka takes connections, in a thread of its own: no scrape waits for a broker that does not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

PERIOD_SECONDS = 5.0


class Prober:
    """`up` is what the last look said; None before the first."""

    def __init__(self, look: Callable[[], bool], period_seconds: float = PERIOD_SECONDS) -> None:
        self._look, self._period_seconds = look, period_seconds
        self.up: bool | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; a look that hangs is left to end by itself."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.up = self._look()
            self._stopping.wait(self._period_seconds)
