"""The observer's loop: once a second it settles and trims the minutes. Any number of observers may run."""

from streams.observe.decide import first_minute_kept, partitions_unowned, progress_problem, settling
from streams.observe.loop import LoopState, Observer, not_ready_because

__all__ = [
    "LoopState",
    "Observer",
    "first_minute_kept",
    "not_ready_because",
    "partitions_unowned",
    "progress_problem",
    "settling",
]
