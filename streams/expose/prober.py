"""Asks every few seconds whether Kafka takes connections, in a thread of its own: no scrape waits for a broker that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from streams.background import BackgroundLoop, LoopRules

RULES = LoopRules(
    "prober",
    5.0,
    "nobody asks whether Kafka takes connections",
    "Kafka is asked again whether it takes connections",
    retry_seconds=5.0,
    hung_seconds=300.0,
)


class Prober:
    """`up` is what the last look said; None before the first, and after one that failed."""

    def __init__(self, look: Callable[[], bool], period_seconds: float = RULES.period_seconds) -> None:
        self._look = look
        self.up: bool | None = None
        rules = replace(RULES, period_seconds=period_seconds)
        self.loop = BackgroundLoop(self._round, rules, on_failure=self._forget)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self.loop.start()

    def stop(self) -> None:
        """Ask the thread to end; a look that hangs is left to end by itself."""
        self.loop.end()

    def _round(self) -> None:
        self.up = self._look()

    def _forget(self) -> None:
        self.up = None
