"""Bytewax as its documentation says: a Kafka source, a map, tumbling windows of a minute on event time, counted by key.

Partitions are read one beside the other at their own pace, so windows wait for an hour: nothing may be dropped as late.
"""

from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from confluent_kafka import OFFSET_BEGINNING
from meter import EVENTS, SERVERS, TOPIC, Meter
from visit import Visit, decode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
meter, counts = Meter(after_start_up=True), {}


def visit_of(message) -> Visit:
    """Decode one."""
    meter.start()
    return decode(message.value)


class _Counts(StatelessSinkPartition):
    def write_batch(self, items) -> None:
        for key, (window, number) in items:
            departement, service = key.split("|")
            at = window + int(EPOCH.timestamp()) // 60
            counts[at, departement, service] = counts.get((at, departement, service), 0) + number
        if sum(counts.values()) >= EVENTS:
            meter.finish(counts, "bytewax", "confluent-kafka", "msgspec")


class CountsSink(DynamicSink):
    """Keeps what windows counted."""

    def build(self, step_id, worker_index, worker_count) -> _Counts:  # noqa: ARG002
        """One a worker."""
        return _Counts()


clock = win.EventClock(
    ts_getter=lambda visit: datetime.fromtimestamp(visit.ts / 1000, UTC), wait_for_system_duration=timedelta(hours=1)
)
flow = Dataflow("visits")
source = KafkaSource([SERVERS], [TOPIC], tail=False, starting_offset=OFFSET_BEGINNING, batch_size=10_000)
stream = op.map("decode", op.input("in", flow, source), visit_of)
counted = win.count_window(
    "count", stream, clock, win.TumblingWindower(length=MINUTE, align_to=EPOCH), lambda v: f"{v.uai[:3]}|{v.service}"
)
op.output("out", counted.down, CountsSink())
run_main(flow)
