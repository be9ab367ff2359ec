"""At most a few lines a period from each place in the code: with Kafka down, aiokafka alone writes about 70 error lines a second."""

import logging
import time
from collections.abc import Callable

#: Lines that one message template may write in `PERIOD_SECONDS`.
LINES_MAX = 5
PERIOD_SECONDS = 30.0
#: Templates remembered; beyond it all are forgotten, which at worst lets a few lines more through.
TEMPLATES_MAX = 1000


class LogLimit(logging.Filter):
    """A logging filter that lets `LINES_MAX` records of one template through a period, and says how many it held back."""

    def __init__(self, on_suppressed: Callable[[], None]) -> None:
        super().__init__()
        self._on_suppressed = on_suppressed
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is written."""
        key = (record.name, str(record.msg)[:200])
        now = time.monotonic()
        since, number = self._seen.get(key, (now, 0))
        if now - since >= PERIOD_SECONDS:
            if number > LINES_MAX:
                record.msg = f"{record.msg} [{number - LINES_MAX} more like this were not written]"
            since, number = now, 0
        if len(self._seen) >= TEMPLATES_MAX:
            self._seen.clear()
        self._seen[key] = (since, number + 1)
        if number >= LINES_MAX:
            self._on_suppressed()
            return False
        return True
