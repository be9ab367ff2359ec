"""Tells Redis every few seconds how an observer's parts fare: `vigie status` asks there, wherever it runs."""

import os
from contextlib import suppress
from dataclasses import dataclass

from streams.background import BackgroundLoop, LoopRules
from streams.errors import ServerError
from streams.live.observers import ObserverBook

RULES = LoopRules(
    "herald",
    5.0,
    "`vigie status` does not learn how this observer fares",
    "`vigie status` learns again how this observer fares",
    hung_seconds=60.0,
)


@dataclass(frozen=True, slots=True)
class ObserverLoops:
    """The threads of an observer: those without which it does not do its work, and those beside it, which may have nobody to ask."""

    vital: tuple[BackgroundLoop, ...]
    beside: tuple[BackgroundLoop, ...]

    @property
    def all(self) -> tuple[BackgroundLoop, ...]:
        """Both."""
        return (*self.vital, *self.beside)

    def defects(self) -> tuple[str, ...]:
        """What nobody foresaw."""
        return tuple(text for loop in self.all if (text := loop.defect()) is not None)

    def problems(self) -> tuple[str, ...]:
        """What keeps the observer from its work, what nobody foresaw first."""
        return (*self.defects(), *filter(None, (loop.problem() for loop in self.vital if loop.defect() is None)))


class Herald:
    """Tells while its `loop` runs, and says good-bye at its end. `name` is the observer's."""

    def __init__(self, book: ObserverBook, name: str, loops: ObserverLoops) -> None:
        self._book, self._name, self._loops = book, name, loops
        self.loop = BackgroundLoop(self._tell, RULES, at_end=self._leave)

    def _tell(self) -> None:
        self._book.tell(self._name, os.getpid(), self._loops.problems())

    def _leave(self) -> None:
        with suppress(ServerError):  # a Redis that is away forgets who is silent all the same
            if self.loop.stopping:
                self._book.leave(self._name)
