"""Quix Streams as its documentation says: an application, a topic of JSON, a dataframe. Counts are in a dict: windows by another key
than the record's would write every event to a topic of their own first.
"""

import tempfile

from meter import EVENTS, GROUP, SERVERS, TOPIC, Meter
from quixstreams import Application

app = Application(
    broker_address=SERVERS,
    consumer_group=GROUP,
    auto_offset_reset="earliest",
    state_dir=tempfile.mkdtemp(),
    loglevel="ERROR",
)
meter, counts, read = Meter(after_start_up=True), {}, 0


def count(visit: dict) -> None:
    """Count one."""
    global read
    meter.start()
    key = visit["ts"] // 60_000, visit["uai"][:3], visit["service"]
    counts[key] = counts.get(key, 0) + 1
    read += 1
    if read == EVENTS:
        meter.finish(counts, "quixstreams", "confluent-kafka")


frame = app.dataframe(app.topic(TOPIC, value_deserializer="json", key_deserializer="bytes"))
frame.update(count)
app.run()
