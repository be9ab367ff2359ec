"""Traffic with a truth of its own: visitors who make visits, 5 % repeats, 1 % broken events, at a steady rate or at once.

The truth here knows what was sent: how many events count, how many repeats, how many rejects of each reason, and the minutes by region
and service. What depends on the order and the append times (visits, late events) is counted again from the log (`truth.py`).
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from confluent_kafka import KafkaException, Producer

from bench.load import establishments
from streams.catalog import Catalog
from streams.events import Reason

REPEATS, BROKEN = 0.05, 0.01
#: A visitor's events lie in one of these visits, ms before now: gaps of more than 30 minutes, in an order that is not that of time.
VISITS_AGO_MS = (0, 0, 0, 45 * 60_000, 100 * 60_000)
RECENT_MAX = 300


@dataclass
class Sent:
    """What was sent and acknowledged by Kafka, as far as the sender can tell."""

    events: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    @property
    def records(self) -> int:
        return self.events.total() + self.duplicates + self.rejected.total()


class Traffic:
    """Makes events from a seed and sends them; `repeats` is the share of events that are sent a second time."""

    def __init__(
        self, servers: str, topic: str, catalog: Catalog, seed: int, visitors: int = 400, repeats: float = REPEATS
    ) -> None:
        self.sent = Sent()
        self._topic = topic
        self._rnd = random.Random(seed)
        self._seed = seed
        self._repeats = repeats
        self._uais = establishments(catalog, 200, self._rnd)
        self._services = [service.code for service in catalog.services]
        self._place = {uai: catalog.uai_index[uai][0] for uai in self._uais}
        self.visitors = [f"{self._rnd.getrandbits(128):032x}" for _ in range(visitors)]
        self._recent: list[tuple[bytes, bytes]] = []
        self._number = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "linger.ms": 20,
                "compression.type": "lz4",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "message.timeout.ms": 600_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def send(self, number: int, only: Callable[[str], bool] | None = None) -> None:
        """Send `number` records; `only` chooses visitors. Returns before Kafka has them: see `flush`."""
        visitors = [visitor for visitor in self.visitors if only is None or only(visitor)]
        for _ in range(number):
            self._send_one(self._rnd.choice(visitors))
            if self._number % 200 == 0:
                self._producer.poll(0)

    def begin(self, per_second: int) -> None:
        """Send at this rate, from a thread, until `end`."""
        self._thread = threading.Thread(target=self._run, args=(per_second,), name="traffic", daemon=True)
        self._thread.start()

    def end(self, seconds: float = 120.0) -> Sent:
        """Stop sending; wait until Kafka has everything."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)
        return self.flush(seconds)

    def flush(self, seconds: float = 120.0) -> Sent:
        """Wait until Kafka has everything that was sent so far."""
        left = self._producer.flush(seconds)
        assert left == 0, f"Kafka did not take {left} records within {seconds} s"
        assert self.sent.failed == 0, f"Kafka refused {self.sent.failed} records"
        return self.sent

    def _run(self, per_second: int) -> None:
        began, done = time.monotonic(), 0
        while not self._stop.wait(0.02):
            due = int((time.monotonic() - began) * per_second)
            # After a pause of this machine, catch up in pieces.
            self.send(min(due - done, per_second))
            done = due
            self._producer.poll(0)

    def _send_one(self, visitor: str) -> None:
        dice = self._rnd.random()
        self._number += 1
        if dice < BROKEN:
            self._send_broken()
        elif dice < BROKEN + self._repeats and self._recent:
            key, value = self._rnd.choice(self._recent)
            self.sent.duplicates += 1
            self._produce(key, value)
        else:
            self._send_event(visitor)

    def _send_event(self, visitor: str) -> None:
        rnd = self._rnd
        ts = time.time_ns() // 1_000_000 - rnd.choice(VISITS_AGO_MS) - rnd.randrange(2_000)
        uai, service = self._uais[int(visitor[:8], 16) % len(self._uais)], rnd.choice(self._services[:8])
        event = {"v": 1, "id": f"{self._seed}-{self._number}", "ts": ts, "project": "mbn", "uai": uai}
        value = orjson.dumps({**event, "service": service, "profile": "ELEVE", "visitor": visitor})
        self.sent.events[(ts // 60_000, self._place[uai], service)] += 1
        self._recent = [*self._recent[-RECENT_MAX:], (visitor.encode(), value)]
        self._produce(visitor.encode(), value)

    def _send_broken(self) -> None:
        value, reason = self._rnd.choice([(b"not json", Reason.NOT_JSON), (b'{"v":1}', Reason.MISSING_MEMBER)])
        self.sent.rejected[reason.value] += 1
        self._produce(f"broken-{self._number}".encode(), value)

    def _produce(self, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key=key, on_delivery=self._delivered)
                return
            except BufferError:
                self._producer.poll(0.1)

    def _delivered(self, error: KafkaException | None, _message: object) -> None:
        if error is not None:
            self.sent.failed += 1
