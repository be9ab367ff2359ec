"""The end of what stays connected to Kafka, at a moment that no real Kafka can be made to hit."""

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.broker import KafkaAddress
from streams.collect.event_log import EventLog


def test_a_stop_in_the_moment_of_an_answer_ends_it() -> None:
    async def scenario() -> None:
        asked: asyncio.Queue[asyncio.Future[bool]] = asyncio.Queue()

        async def force_metadata_update() -> bool:
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            asked.put_nowait(answer)
            return await answer

        async def stop() -> None:
            return None

        events = EventLog(KafkaAddress(("127.0.0.1:9",)), "visits", 1.0)
        producer: Any = SimpleNamespace(client=SimpleNamespace(force_metadata_update=force_metadata_update), stop=stop)
        events._producer = producer
        events.start()
        (await asked.get()).set_result(True)
        await asyncio.sleep(0)  # the look has its answer, what waits for the look does not know yet
        async with asyncio.timeout(5):
            await events.stop()

    asyncio.run(scenario())
