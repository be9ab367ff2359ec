"""Making clients of kafka-python: what its constructors neither say nor clean up when they cannot connect.

Whatever the cause, they raise "unable to bootstrap"; the cause goes to their log alone. And they leave sockets open: a process that tries
again for hours would run out of them.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from streams.broker import KafkaAddress

#: How long who asks waits for Kafka before it says that it is down.
BOOTSTRAP_SECONDS_MAX = 8.0
#: Logger and form of the lines that name a cause (kafka-python 3.0); without them the message is only less precise.
_LOGGER = "kafka.net.manager"
_CAUSE = re.compile(r"[Cc]onnection .*failed: (.+?)(?: \(backoff .*)?$")


@contextmanager
def connecting(address: KafkaAddress) -> Iterator[Callable[..., Any]]:
    """Make a client within this, with the value yielded as its option `kafka_client`.

    Raises:
        ServerError: Kafka is down or refuses us; the message names the cause.
    """
    opened: list[Any] = []

    def client(**options: Any) -> Any:
        opened.append(KafkaNetClient(**options))
        return opened[-1]

    causes = _Causes()
    try:
        with causes.listening():
            yield client
    except (KafkaError, OSError) as error:
        for one in opened:
            one.close()
        raise address.explain(error, causes.last) from error


@contextmanager
def explained(address: KafkaAddress) -> Iterator[None]:
    """Turn what a client of this Kafka raises into `KafkaUnavailable`; any other error passes, an `OSError` is not Kafka's."""
    try:
        yield
    except KafkaError as error:
        raise address.explain(error) from error


@contextmanager
def open_consumer(address: KafkaAddress, **options: Any) -> Iterator[KafkaConsumer]:
    """Open a plain consumer, without a group and without a commit, and close it after the block.

    Raises:
        ServerError: Kafka is down or refuses us.
    """
    with connecting(address) as client:
        consumer = KafkaConsumer(
            **address.client_options(),
            **options,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=int(BOOTSTRAP_SECONDS_MAX * 1000),
            metrics_enabled=False,
            kafka_client=client,
        )
    try:
        with explained(address):
            yield consumer
    finally:
        consumer.close()


class _Causes(logging.Handler):
    """Keeps the last cause that kafka-python logs while it tries to connect."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        found = _CAUSE.search(record.getMessage())
        # The last attempt is cut short by our own bound and says no more than that.
        if found and not (self.last and "timed out" in found[1]):
            self.last = found[1]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen, and let nothing through to other handlers that they would not have had."""
        log = logging.getLogger(_LOGGER)
        level, propagate = log.level, log.propagate
        if not log.isEnabledFor(logging.WARNING):
            log.setLevel(logging.WARNING)
            log.propagate = False
        log.addHandler(self)
        try:
            yield
        finally:
            log.removeHandler(self)
            log.setLevel(level)
            log.propagate = propagate
