"""The Lua scripts: everything that writes to Redis but alerts. `ARGV[1]` is always the key base, as in `{vigie}:`.

The shebang makes Redis 7 refuse a script when memory is full before it writes anything, instead of in its middle.
"""

#: What a script finds that Vigie cannot have written is an error of this first word, before it writes anything (`connection.explain`).
FOREIGN = "FOREIGN"
_FOREIGN = """
local function foreign(what) return redis.error_reply('FOREIGN ' .. what .. ' holds what was not written by this version of Vigie') end
"""
#: The events of a minute, or else what is wrong with it.
_EVENTS_OF = """
local function events_of(base, minute)
  if not tonumber(minute) then return 0, base .. 'minutes ' .. minute end
  local fields, events = redis.call('HGETALL', base .. 'minute:' .. minute), 0
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'e:' then
      local number = tonumber(fields[i + 1])
      if not number then return 0, base .. 'minute:' .. minute .. ' ' .. fields[i] end
      events = events + number
    end
  end
  return events
end
"""

#: What was counted of several partitions, exactly once, all of it or nothing. Step 4 in docs/guarantees.md.
#:
#: ARGV: base, layout, counts of all of them together (MessagePack, `streams.live.merged.merge`), latest append time (ms), sketch minutes
#: kept, unseen values held of each list, for how many ms; then of each partition: its number, start ('' for nothing stored), first, end,
#: append_ms, watermark_ms.
#: Returns {`layout`, ''}, or {`marked`, mark} (an earlier call ended in its middle), or {`compared`, then of each partition its outcome and
#: stored next offset or ''}: `applied`; `already` (a retry of what went through); `moved` (somebody is ahead or Redis went back);
#: `held_back` (it fits, but nothing was written since another one does not).
APPLY = (
    "#!lua"
    + _FOREIGN
    + """
local base = ARGV[1]
local meta, offsets = base .. 'meta', base .. 'offsets'
if redis.call('HGET', meta, 'layout') ~= ARGV[2] then return {'layout', ''} end
local mark = redis.call('HGET', meta, 'applying')
if mark then return {'marked', mark} end
local answer, firsts, marks, others = {'compared'}, {}, {}, 0
for i = 8, #ARGV, 6 do
  local part, start, stop = ARGV[i], ARGV[i + 1], ARGV[i + 3]
  local stored = redis.call('HGET', offsets, part)
  local first, next = '', ''
  if stored then first, next = string.match(stored, '^(%d+) (%d+) ') end
  local outcome = 'applied'
  if not next then outcome, next = 'moved', '' -- not written by Vigie: whoever loads it says so
  elseif next == stop and next ~= start then outcome = 'already'
  elseif next ~= start then outcome = 'moved' end
  if outcome ~= 'applied' then others = others + 1 end
  answer[#answer + 1], answer[#answer + 2] = outcome, next
  firsts[#firsts + 1] = first ~= '' and first or ARGV[i + 2]
  marks[#marks + 1] = part .. ' ' .. start .. ' ' .. stop
end
if others > 0 then
  for i = 2, #answer, 2 do if answer[i] == 'applied' then answer[i] = 'held_back' end end
  return answer
end
-- Read before anything is written: an error after that stops every worker.
local settled = tonumber(redis.call('HGET', meta, 'settled_ms') or '0')
if not settled then return foreign(meta .. ' settled_ms') end
local counts = cmsgpack.unpack(ARGV[3])
-- A Lua error does not undo what was written before it: the mark says so to whoever comes next.
redis.call('HSET', meta, 'applying', table.concat(marks, ', '))
local totals = counts[1]
local function add_counts(key, counts_of)
  local fields = {}
  for field, n in pairs(counts_of) do
    if n ~= 0 then fields[#fields + 1] = field end
  end
  -- Read and written some thousand at a time, as many as Lua's stack holds: a call of HINCRBY for each costs more.
  for i = 1, #fields, 3000 do
    local last = math.min(i + 2999, #fields)
    local held, words = redis.call('HMGET', key, unpack(fields, i, last)), {}
    for j = i, last do
      local field, before, n = fields[j], held[j - i + 1], counts_of[fields[j]]
      -- What a double does not hold exactly, and what is no number, which is an error.
      if before and (#before > 15 or not string.find(before, '^%d+$')) then redis.call('HINCRBY', key, field, n)
      else words[#words + 1], words[#words + 2] = field, string.format('%d', (before or 0) + n) end
    end
    if #words > 0 then redis.call('HSET', key, unpack(words)) end
  end
end
for minute, fields in pairs(counts[2]) do
  for field, n in pairs(fields) do totals[field] = (totals[field] or 0) + n end
  add_counts(base .. 'minute:' .. minute, fields)
  redis.call('ZADD', base .. 'minutes', minute, minute)
end
add_counts(base .. 'totals', totals)
local function add_members(key, members)
  -- Lua's stack holds a few thousand values.
  for i = 1, #members, 4000 do
    local last = math.min(i + 3999, #members)
    local added = redis.pcall('PFADD', key, unpack(members, i, last))
    if type(added) == 'table' and added.err then -- half-written, or a stranger's: what is approximate does not stop what is exact
      redis.call('UNLINK', key)
      redis.call('HINCRBY', meta, 'sketches_replaced', 1)
      redis.call('PFADD', key, unpack(members, i, last))
    end
  end
end
local oldest_sketch = math.floor(settled / 60000) - tonumber(ARGV[5])
for minute, sketches in pairs(counts[3]) do
  if tonumber(minute) >= oldest_sketch then
    local words = {}
    for name, members in pairs(sketches) do
      add_members(base .. 'sketch:' .. minute .. ':' .. name, members)
      words[#words + 1], words[#words + 2] = minute, minute .. ':' .. name
    end
    for i = 1, #words, 4000 do redis.call('ZADD', base .. 'sketches', unpack(words, i, math.min(i + 3999, #words))) end
  end
end
for date, sketches in pairs(counts[4]) do
  for name, members in pairs(sketches) do
    add_members(base .. 'day:' .. date .. ':' .. name, members)
    redis.call('ZADD', base .. 'days', (string.gsub(date, '-', '')), date .. ':' .. name)
  end
end
for list, values in pairs(counts[5]) do
  local events, at = base .. 'unseen:' .. list, base .. 'unseen_at:' .. list
  for value, n in pairs(values) do
    redis.call('HINCRBY', events, value, n)
    if value ~= '' then redis.call('ZADD', at, 'GT', ARGV[4], value) end
  end
  local over = redis.call('ZCARD', at) - tonumber(ARGV[6])
  if over > 0 then
    for _, value in ipairs(redis.call('ZRANGE', at, 0, over - 1)) do
      redis.call('HINCRBY', events, '', redis.call('HGET', events, value) or 0)
      redis.call('HDEL', events, value)
      redis.call('ZREM', at, value)
    end
  end
  -- Should no observer run that forgets them.
  redis.call('PEXPIRE', events, ARGV[7])
  redis.call('PEXPIRE', at, ARGV[7])
end
for i = 1, #firsts do
  local at = 2 + 6 * i -- of its number in ARGV
  local state = firsts[i] .. ' ' .. ARGV[at + 3] .. ' ' .. ARGV[at + 4] .. ' ' .. ARGV[at + 5]
  redis.call('HSET', offsets, ARGV[at], state)
  answer[2 * i + 1] = ARGV[at + 3]
end
redis.call('HDEL', meta, 'applying')
return answer
"""
)

#: Begin or continue an installation. ARGV: base, layout, catalog digest, topic, topic id, partitions.
#: Returns {verdict, detail}: `ok` and the catalog the counts were begun under, else `layout`, `topic` or `marked` and what is stored.
PREPARE = """#!lua
local meta = ARGV[1] .. 'meta'
local layout = redis.call('HGET', meta, 'layout')
if not layout then
  redis.call('HSET', meta, 'layout', ARGV[2], 'catalog', ARGV[3], 'topic', ARGV[4], 'topic_id', ARGV[5], 'partitions', ARGV[6])
elseif layout ~= ARGV[2] then return {'layout', layout} end
local mark = redis.call('HGET', meta, 'applying')
if mark then return {'marked', mark} end
local topic = redis.call('HGET', meta, 'topic')
if topic ~= ARGV[4] then return {'topic', topic} end
local id = redis.call('HGET', meta, 'topic_id')
if id ~= ARGV[5] then return {'topic_id', id} end
-- The partitions of a topic only grow; a worker that started before they did may come later.
local known = tonumber(redis.call('HGET', meta, 'partitions') or '0') or 0
if tonumber(ARGV[6]) > known then redis.call('HSET', meta, 'partitions', ARGV[6]) end
return {'ok', redis.call('HGET', meta, 'catalog')}
"""

#: Heartbeats of one worker. ARGV: base, then for each owned partition its number, what its owner says of it (a JSON object), and how
#: long ago (ms) Kafka was asked for the end of the log. Redis adds its clock, when Kafka confirmed, and since when the partition is
#: idle: read to its end without a break, by an owner that stands where Redis stands. Returns the stored next offset ('' for none) of
#: each, in their order, so that an owner notices a Redis that was emptied or went back.
HEARTBEAT = """#!lua
local base = ARGV[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local offsets = {}
for i = 2, #ARGV, 3 do
  local part, line, ago = ARGV[i], cjson.decode(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local old = redis.call('HGET', base .. 'heartbeats', part)
  local is_json, before = pcall(cjson.decode, old or '{}')
  if not is_json or type(before) ~= 'table' then before = {} end -- not written by Vigie: replaced
  local stored = redis.call('HGET', base .. 'offsets', part)
  local next = stored and tonumber(string.match(stored, '^%d+ (%d+) '))
  offsets[#offsets + 1] = stored and string.match(stored, '^%d+ (%d+) ') or ''
  if not next and type(line.counted) == 'number' then next = -1 end -- Redis lost what this owner had counted
  line.at_ms, line.confirmed_ms, line.idle_since_ms = now, cjson.null, cjson.null
  if line['end'] ~= cjson.null then
    line.confirmed_ms = now - ago
    -- An empty partition has nothing stored: its owner stands at the end all the same.
    if line.position == line['end'] and (not next or next == line.position) then
      local since = before.idle_since_ms
      if type(since) ~= 'number' or before['end'] ~= line['end'] then since = now - ago end
      line.idle_since_ms = since
    end
  elseif type(before.confirmed_ms) == 'number' then
    line.confirmed_ms = before.confirmed_ms
  end
  redis.call('HSET', base .. 'heartbeats', part, cjson.encode(line))
end
return offsets
"""

#: Move settled time forward, never back, and note when each minute settled. ARGV: base, candidate in epoch ms, minutes to remember at most.
#: Returns settled time. Safe to run from any number of observers.
SETTLE = (
    "#!lua"
    + _FOREIGN
    + """
local base, candidate, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local meta, settled_minutes = base .. 'meta', base .. 'settled'
local settled = tonumber(redis.call('HGET', meta, 'settled_ms') or '0')
if not settled then return foreign(meta .. ' settled_ms') end
if candidate <= settled then return settled end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local last = math.floor(candidate / 60000) - 1
local first = last
if settled > 0 then
  first = math.floor(settled / 60000)
else
  local oldest = redis.call('ZRANGE', base .. 'minutes', 0, 0)[1]
  if oldest then first = tonumber(oldest) or first end
end
if first < last - most + 1 then first = last - most + 1 end
for minute = first, last do redis.call('ZADD', settled_minutes, 'NX', now, minute) end
redis.call('HSET', meta, 'settled_ms', string.format('%d', candidate))
return candidate
"""
)

#: Remove what is older than its bound. ARGV: base, first epoch minute to keep, how many of each kind to remove at most in this call, first
#: epoch minute whose sketches are kept, first date (20260901) whose sketches are kept. Returns how many were removed of the kind (minutes,
#: sketches of minutes, of days) of which most were: below the bound, nothing is left to remove. Idempotent.
#: A sixth argument `1` says that minutes are removed because they waited for an archive for too long: their events are counted as missed.
TRIM = (
    "#!lua"
    + _FOREIGN
    + _EVENTS_OF
    + """
local base, most = ARGV[1], ARGV[3]
local meta, waited = base .. 'meta', ARGV[6] == '1'
local function oldest(key, bound)
  return redis.call('ZRANGE', base .. key, '-inf', '(' .. bound, 'BYSCORE', 'LIMIT', 0, most)
end
-- All is read before anything is removed: an error does not undo what was written before it.
local trimmed_before = tonumber(redis.call('HGET', meta, 'trimmed_before') or '0')
if not trimmed_before then return foreign(meta .. ' trimmed_before') end
local old, missed = oldest('minutes', ARGV[2]), 0
for _, minute in ipairs(old) do
  local events, wrong = events_of(base, minute)
  if wrong then return foreign(wrong) end
  if waited then missed = missed + events end
end
for _, minute in ipairs(old) do
  redis.call('UNLINK', base .. 'minute:' .. minute)
  redis.call('ZREM', base .. 'minutes', minute)
end
local old_sketches, old_days = oldest('sketches', ARGV[4]), oldest('days', ARGV[5])
for _, name in ipairs(old_sketches) do
  redis.call('UNLINK', base .. 'sketch:' .. name)
  redis.call('ZREM', base .. 'sketches', name)
end
for _, name in ipairs(old_days) do
  redis.call('UNLINK', base .. 'day:' .. name)
  redis.call('ZREM', base .. 'days', name)
end
local settled = redis.call('ZRANGE', base .. 'settled', 0, 999)
for _, minute in ipairs(settled) do
  if (tonumber(minute) or 0) < tonumber(ARGV[2]) then redis.call('ZREM', base .. 'settled', minute) end
end
if redis.call('EXISTS', meta) == 1 then
  -- All below the bound is gone, or where more is left, what was removed now. Such minutes are never read for the archive again.
  local trimmed = tonumber(ARGV[2])
  if #old >= tonumber(most) then trimmed = tonumber(old[#old]) + 1 end
  if trimmed > trimmed_before then redis.call('HSET', meta, 'trimmed_before', trimmed) end
  if missed > 0 then redis.call('HINCRBY', meta, 'missed_events', missed) end
end
return math.max(#old, #old_sketches, #old_days)
"""
)

#: Remove minutes that the archive has: all of a range or none. ARGV: base, first epoch minute, the one after the last, MessagePack of a
#: list of the events that the archive has of each. A range in which a minute has more is left alone; events only ever come more, so an
#: equal number is the same minute. A minute that was removed before and is there again, for an event that came later than anything is
#: kept, is counted as missed by the archive and removed. Returns {how many were removed, minute that the archive does not have or ''}.
TRIM_ARCHIVED = (
    "#!lua"
    + _FOREIGN
    + _EVENTS_OF
    + """
local base, first, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local meta, archived = base .. 'meta', cmsgpack.unpack(ARGV[4])
local trimmed = tonumber(redis.call('HGET', meta, 'trimmed_before') or '0')
if not trimmed then return foreign(meta .. ' trimmed_before') end
local held, missed = redis.call('ZRANGE', base .. 'minutes', first, '(' .. last, 'BYSCORE'), 0
for _, minute in ipairs(held) do
  local events, wrong = events_of(base, minute)
  if wrong then return foreign(wrong) end
  if tonumber(minute) < trimmed then missed = missed + events
  elseif events > (archived[tonumber(minute) - first + 1] or 0) then return {0, minute} end
end
for _, minute in ipairs(held) do
  redis.call('UNLINK', base .. 'minute:' .. minute)
  redis.call('ZREM', base .. 'minutes', minute)
end
for minute = first, last - 1 do redis.call('ZREM', base .. 'settled', minute) end
if redis.call('EXISTS', meta) == 1 then
  if last > trimmed then redis.call('HSET', meta, 'trimmed_before', last) end
  if missed > 0 then redis.call('HINCRBY', meta, 'missed_events', missed) end
end
return {#held, ''}
"""
)

#: Add the establishments of minutes to those of a day. ARGV: base, date, first epoch minute, the one after the last. Idempotent.
#: Returns the sketches that are none, or whose day's is none: half-written, or a stranger's.
MERGE_ESTABLISHMENTS = """#!lua
local base, date, failed = ARGV[1], ARGV[2], {}
for _, name in ipairs(redis.call('ZRANGE', base .. 'sketches', ARGV[3], '(' .. ARGV[4], 'BYSCORE')) do
  local kind = string.match(name, '^%d+:(s[rp]:.+)$')
  if kind then
    local merged = redis.pcall('PFMERGE', base .. 'day:' .. date .. ':' .. kind, base .. 'sketch:' .. name)
    if merged.err then failed[#failed + 1] = name
    else redis.call('ZADD', base .. 'days', (string.gsub(date, '-', '')), date .. ':' .. kind) end
  end
end
return failed
"""

#: Forget unseen values. ARGV: base, ms for which they are kept, lists. Returns how many were removed. Idempotent.
FORGET_UNSEEN = """#!lua
local base, t = ARGV[1], redis.call('TIME')
local oldest = t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[2])
local gone = 0
for i = 3, #ARGV do
  local events, at = base .. 'unseen:' .. ARGV[i], base .. 'unseen_at:' .. ARGV[i]
  for _, value in ipairs(redis.call('ZRANGE', at, '-inf', '(' .. oldest, 'BYSCORE')) do
    redis.call('HDEL', events, value)
    redis.call('ZREM', at, value)
    gone = gone + 1
  end
  if gone > 0 and redis.call('ZCARD', at) == 0 then redis.call('UNLINK', events) end
end
return gone
"""
