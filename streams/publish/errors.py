"""Errors of publishing; the whole tree is in `streams.errors`."""

from streams.errors import VigieError


class BufferFull(VigieError):
    """The event was **not** taken, because as many events as allowed wait for Kafka already. `waiting` says how many."""

    exit_code = 3

    def __init__(self, message: str, waiting: int) -> None:
        super().__init__(message)
        self.waiting = waiting


class NotDelivered(VigieError):
    """Kafka did not confirm every event; the message says how many and why."""

    exit_code = 1
