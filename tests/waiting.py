"""The one way in which tests wait for something to become true."""

import time
from collections.abc import Callable

#: A condition may take this many times what its test says. A slow machine is no failure, and what never comes still fails. A time that is
#: the point of a test is asserted there, and the test is marked `alone`.
PATIENCE = 4
_POLL_SECONDS = 0.002


def wait_for(what: str, done: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until `done()`, or fail saying what did not come."""
    began = time.monotonic()
    pause = _POLL_SECONDS
    while not done():
        assert time.monotonic() - began < PATIENCE * seconds, f"{what}: not within {PATIENCE * seconds:.0f} s"
        time.sleep(pause)
        pause = min(0.1, pause * 1.2)


def wait_until(done: Callable[[], object], seconds: float = 30.0) -> None:
    """`wait_for` something that has no name but its function's."""
    wait_for(str(done), done, seconds)
