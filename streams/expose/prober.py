"""Looks at servers every few seconds, each in a thread of its own: no scrape and no page waits for one that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from streams.background import BackgroundLoop, LoopRules

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
