"""Why a request is not taken; the whole tree of errors is in `streams.errors`."""

from streams.errors import ServerError, VigieError


class RequestRefused(VigieError):
    """A request as a whole; the message tells its sender what to do. `retry_seconds`: when to come back with it, None: not as it is."""

    def __init__(self, status: int, message: str, retry_seconds: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_seconds = retry_seconds


class NotConfirmed(ServerError):
    """Kafka did not confirm every event of a request in time; some may have arrived. Sent again under the same ids they count once."""
