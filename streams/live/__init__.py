"""Redis, and nothing but Redis: key names, the Lua scripts, what workers write and what observers read.

`LiveWriter` (asyncio) belongs to workers, the keepers (blocking) to observers, the readers to everybody else. No other room imports redis.
"""

from streams.incidents import AlertBook, AlertRecord, Driver
from streams.live.alert_store import AlertStore
from streams.live.archived_hours import Announced, ArchiveReader, ArchiveState, HourCounts
from streams.live.keeper import ArchiveKeeper, LiveKeeper
from streams.live.merged import commands_of
from streams.live.prefixes import PrefixBook
from streams.live.reader import Heartbeat, LiveReader, MinuteCounts, RedisFacts, Snapshot
from streams.live.sketches import Distinct, SketchReader, Told
from streams.live.unseen import UnseenReader, UnseenValue
from streams.live.writer import Applied, HeartbeatLine, LiveWriter, Outcome

__all__ = [
    "AlertBook",
    "AlertRecord",
    "AlertStore",
    "Announced",
    "Applied",
    "ArchiveKeeper",
    "ArchiveReader",
    "ArchiveState",
    "Distinct",
    "Driver",
    "Heartbeat",
    "HeartbeatLine",
    "HourCounts",
    "LiveKeeper",
    "LiveReader",
    "LiveWriter",
    "MinuteCounts",
    "Outcome",
    "PrefixBook",
    "RedisFacts",
    "SketchReader",
    "Snapshot",
    "Told",
    "UnseenReader",
    "UnseenValue",
    "commands_of",
]
