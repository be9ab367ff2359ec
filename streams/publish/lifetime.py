"""What publishers do when the program that embeds them forks, or ends without closing them: nothing that was taken goes without a word."""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from streams.publish.publisher import VisitPublisher

#: How long a program that ends without closing its publishers waits for Kafka, all of them together.
EXIT_SECONDS_MAX = 5.0


#: Held while Kafka's client is imported: the child of a fork in the middle of it would never get the other half.
importing = threading.RLock()
_publishers: WeakSet[VisitPublisher] = WeakSet()


def look_after(publisher: VisitPublisher) -> None:
    """Tell this publisher when the program forks or ends."""
    _publishers.add(publisher)
    come_first()


def come_first() -> None:
    """Register for the end of the program anew: what registers last runs first, before Kafka's client ends with events that still wait."""
    atexit.unregister(_end)
    atexit.register(_end)


def _end() -> None:
    deadline = time.monotonic() + EXIT_SECONDS_MAX
    for publisher in list(_publishers):
        publisher.end_with_program(max(0.0, deadline - time.monotonic()))


def _begin_anew() -> None:
    importing.release()
    for publisher in list(_publishers):
        publisher.begin_anew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=importing.acquire, after_in_parent=importing.release, after_in_child=_begin_anew)
