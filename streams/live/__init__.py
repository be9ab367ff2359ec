"""Redis, and nothing but Redis: key names, the Lua scripts, what workers write and what observers read.

`LiveWriter` (asyncio) belongs to workers, `LiveReader` (blocking) to everybody else. No other room imports redis.
"""

from streams.incidents import AlertBook, AlertRecord, Driver
from streams.live.alerts import AlertStore
from streams.live.archive import Announced, ArchiveReader, ArchiveState, HourCounts
from streams.live.reader import Heartbeat, LiveReader, MinuteCounts, RedisFacts, Snapshot
from streams.live.sketches import Distinct, SketchReader
from streams.live.unseen import UnseenReader, UnseenValue
from streams.live.writer import Applied, HeartbeatLine, LiveWriter, Outcome

__all__ = [
    "AlertBook",
    "AlertRecord",
    "AlertStore",
    "Announced",
    "Applied",
    "ArchiveReader",
    "ArchiveState",
    "Distinct",
    "Driver",
    "Heartbeat",
    "HeartbeatLine",
    "HourCounts",
    "LiveReader",
    "LiveWriter",
    "MinuteCounts",
    "Outcome",
    "RedisFacts",
    "SketchReader",
    "Snapshot",
    "UnseenReader",
    "UnseenValue",
]
