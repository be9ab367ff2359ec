"""confluent-kafka's `consume` and msgspec."""

from confluent_kafka import Consumer
from meter import EVENTS, GROUP, SERVERS, TOPIC, Meter
from visit import decode

consumer = Consumer(
    {
        "bootstrap.servers": SERVERS,
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
meter, counts, read = Meter(), {}, 0
consumer.subscribe([TOPIC])
while read < EVENTS:
    messages = consumer.consume(10_000, 0.5)
    for message in messages:
        meter.start()
        if message.error():
            raise SystemExit(message.error())
        visit = decode(message.value())
        key = visit.ts // 60_000, visit.uai[:3], visit.service
        counts[key] = counts.get(key, 0) + 1
    read += len(messages)
meter.finish(counts, "confluent-kafka", "msgspec")
