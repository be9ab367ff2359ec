"""kafka-python as its documentation says: a consumer with a deserializer, iterated."""

import json

from kafka import KafkaConsumer
from meter import EVENTS, GROUP, SERVERS, TOPIC, Meter

consumer = KafkaConsumer(
    TOPIC,
    bootstrap_servers=SERVERS,
    group_id=GROUP,
    auto_offset_reset="earliest",
    enable_auto_commit=False,
    value_deserializer=json.loads,
)
meter, counts = Meter(), {}
for read, message in enumerate(consumer, 1):
    meter.start()
    visit = message.value
    key = visit["ts"] // 60_000, visit["uai"][:3], visit["service"]
    counts[key] = counts.get(key, 0) + 1
    if read == EVENTS:
        meter.finish(counts, "kafka-python")
