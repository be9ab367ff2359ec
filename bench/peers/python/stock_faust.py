"""Faust as its documentation says: a record, a topic of it, an agent.

Counts are in a dict: a table would cost a record of its changelog an event.
"""

import faust
from meter import EVENTS, GROUP, SERVERS, TOPIC, Meter


class Visit(faust.Record, serializer="json"):
    """What the job needs of an event."""

    ts: int
    uai: str
    service: str


app = faust.App(GROUP, broker=f"kafka://{SERVERS}", store="memory://", topic_disable_leader=True, web_enabled=False)
visits = app.topic(TOPIC, value_type=Visit, key_type=bytes, key_serializer="raw")
meter, counts = Meter(after_start_up=True), {}


@app.agent(visits)
async def count(stream):
    """Count."""
    read = 0
    async for visit in stream:
        meter.start()
        key = visit.ts // 60_000, visit.uai[:3], visit.service
        counts[key] = counts.get(key, 0) + 1
        read += 1
        if read == EVENTS:
            meter.finish(counts, "faust-streaming", "aiokafka")


app.finalize()
app.Worker(loglevel="ERROR").execute_from_commandline()
