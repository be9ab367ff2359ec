"""Alerts in Redis: running ones and those of the last weeks, written by any number of observers, each alert once.

An observer says, minute by minute, which alerts it holds open and which ended. The first one to say so is taken: a second observer that
judged the same minute changes nothing. One scope runs at most one alert of a kind, whoever saw it begin first.
"""

from collections.abc import Sequence

import msgspec

from streams.clock import MS_MAX
from streams.errors import StateError
from streams.incidents import LEVELS, AlertBook, AlertRecord
from streams.live import checked
from streams.live.connection import Connected, RedisAddress, run

#: What an observer judged. ARGV: base, epoch minute of the clock, minutes after which a running alert that nobody upholds has ended,
#: alerts kept at most, how many ended; then of each alert, ended ones first: its place (kind and codes), id, start and last instant in
#: epoch ms, JSON. The first one to tell of a minute is taken. `alerts`: id -> JSON; `alert_places`: place -> `id minute` of those that
#: run; `alert_starts`: ids by start.
JUDGE = """#!lua
local base, minute, orphan, most, ended = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local meta, alerts, places, starts = base .. 'meta', base .. 'alerts', base .. 'alert_places', base .. 'alert_starts'
local function running(place)
  local text = redis.call('HGET', places, place)
  if not text then return nil, 0 end
  local id, told = string.match(text, '^(.+) (%d+)$')
  return id, tonumber(told) or 0
end
local function with_id(json, id) return (string.gsub(json, '^{"id":"[^"]*"', function() return '{"id":"' .. id .. '"' end)) end
for i = 6, #ARGV, 5 do
  local place, id, start, until_ms, json = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), ARGV[i + 4]
  local known, told = running(place)
  local is_over = i < 6 + 5 * ended
  -- What began after this one was over is another alert of the same place.
  if known and is_over and (tonumber(string.match(known, ':(%d+)$')) or 0) > until_ms then known = nil end
  if is_over then
    local old = redis.call('HGET', alerts, known or id)
    if known then
      redis.call('HSET', alerts, known, with_id(json, known))
      redis.call('HDEL', places, place)
    elseif not old then
      redis.call('HSET', alerts, id, json)
      redis.call('ZADD', starts, start, id)
    end
  elseif known then
    if minute > told then
      redis.call('HSET', alerts, known, with_id(json, known))
      redis.call('HSET', places, place, known .. ' ' .. minute)
    end
  else
    -- Another observer may have ended it already: it is not raised from the dead, unless time has gone on since.
    local old = redis.call('HGET', alerts, id)
    local judged = tonumber(redis.call('HGET', meta, 'judged_minute') or '0') or 0
    if not old or minute > judged then
      redis.call('HSET', alerts, id, json)
      redis.call('ZADD', starts, start, id)
      redis.call('HSET', places, place, id .. ' ' .. minute)
    end
  end
end
local open = redis.call('HGETALL', places)
for i = 1, #open, 2 do
  local id, told = string.match(open[i + 1], '^(.+) (%d+)$')
  if not id then redis.call('HDEL', places, open[i]) -- not written by Vigie
  elseif tonumber(told) < minute - orphan then
    local json = redis.call('HGET', alerts, id)
    if json then
      local over = '"end_ms":' .. string.format('%d', (tonumber(told) + 1) * 60000)
      redis.call('HSET', alerts, id, (string.gsub(json, '"end_ms":null', over, 1)))
    end
    redis.call('HDEL', places, open[i])
  end
end
local ids = redis.call('ZRANGE', starts, 0, -1)
for i = 1, #ids - most do
  redis.call('HDEL', alerts, ids[i])
  redis.call('ZREM', starts, ids[i])
end
if minute > (tonumber(redis.call('HGET', meta, 'judged_minute') or '0') or 0) then redis.call('HSET', meta, 'judged_minute', minute) end
return 1
"""

#: Alerts kept, running ones included: a year of a nervous installation. About 1 kB each.
ALERTS_MAX = 2000
#: A running alert that no observer upheld for so many judged minutes ends with the last one in which it was.
ORPHAN_MINUTES = 5
#: Alerts of another prefix that are taken over in one call of Redis.
TAKEN_A_CALL = 100


class AlertStore(Connected):
    """The blocking side."""

    def __init__(self, address: RedisAddress, prefix: str) -> None:
        super().__init__(address, prefix)
        self._judge = self._redis.register_script(JUDGE)

    def judged(self, minute: int, running: Sequence[AlertRecord], ended: Sequence[AlertRecord]) -> None:
        """Say what holds after the settled epoch minute `minute` (of the clock): alerts that run, and those that ended since last time.

        Idempotent: a minute that was told before changes nothing that was told with it.
        """
        words = [
            word
            for alert in (*ended, *running)
            for word in (alert.place, alert.id, str(alert.start_ms), str(alert.until_ms), _text(alert))
        ]
        numbers = [minute, ORPHAN_MINUTES, ALERTS_MAX, len(ended)]
        self._judge(args=[self._base, *numbers, *words])

    def take_over(self, old: "AlertStore") -> tuple[int, int]:
        """Keep the ended alerts of another prefix, unless one of their place is known of that time; it may be called again.

        Return how many were taken, and how many this version cannot read.
        """
        known = self.book().alerts
        _judged, texts = old._read()
        found, unreadable = [], 0
        for name, text in texts.items():
            try:
                alert = old._alert(name, text)
            except StateError:
                unreadable += 1
                continue
            if alert.end_ms is not None and not any(_same(alert, other) for other in known):
                found.append(alert)
        for begin in range(0, len(found), TAKEN_A_CALL):
            # Of minute 0: no observer has judged anything by it.
            self.judged(0, [], found[begin : begin + TAKEN_A_CALL])
        return len(found), unreadable

    def book(self) -> AlertBook:
        """Read all alerts kept.

        Raises:
            StateError: they were not written by this version.
        """
        judged, texts = self._read()
        alerts = [self._alert(name, text) for name, text in texts.items()]
        in_order = tuple(sorted(alerts, key=lambda alert: (-alert.start_ms, alert.id)))
        minute = None if judged is None else checked.minute(judged, self._base + "meta judged_minute")
        return AlertBook(minute, in_order)

    def _read(self) -> tuple[str | None, dict[str, str]]:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hget(self._base + "meta", "judged_minute")
        pipeline.hgetall(self._base + "alerts")
        judged, texts = run(self._redis, pipeline)
        return judged, texts

    def _alert(self, name: str, text: str) -> AlertRecord:
        key = self._base + "alerts"
        alert = checked.json_object(text, key, name, AlertRecord)
        times_ms = (alert.start_ms, alert.raised_ms, alert.until_ms, alert.end_ms or 0)
        if alert.scope not in LEVELS or not 0 <= min(times_ms) <= max(times_ms) <= MS_MAX:
            raise checked.foreign(f"{key} {name}", text, "a scope or a time that no alert has")
        return alert


def _same(alert: AlertRecord, other: AlertRecord) -> bool:
    """Whether two of a place have a time in common; one that runs has no end yet."""
    end_ms = alert.until_ms if other.end_ms is None else min(alert.until_ms, other.until_ms)
    return alert.place == other.place and max(alert.start_ms, other.start_ms) <= end_ms


def _text(alert: AlertRecord) -> str:
    return msgspec.json.encode(alert).decode()
