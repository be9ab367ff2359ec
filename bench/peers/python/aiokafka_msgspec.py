"""aiokafka's `getmany` and msgspec."""

import asyncio

from aiokafka import AIOKafkaConsumer
from meter import EVENTS, GROUP, SERVERS, TOPIC, Meter
from visit import decode


async def main() -> None:
    """Read, count."""
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=SERVERS, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    meter, counts, read = Meter(), {}, 0
    while read < EVENTS:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            meter.start()
            for record in records:
                visit = decode(record.value)
                key = visit.ts // 60_000, visit.uai[:3], visit.service
                counts[key] = counts.get(key, 0) + 1
            read += len(records)
    meter.finish(counts, "aiokafka", "msgspec")


asyncio.run(main())
