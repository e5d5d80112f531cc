-- End a request: give back its leases, turn its hold into what it cost, refund or charge the token estimate.
--
-- ARGV[1]  msgpack SettleCall of wire.py
-- Answers  1 settled; 0 nothing to do (settled before); 2 the hold was lost with Redis, the cost is counted
--
-- Idempotent: the hold's details are the permission to change anything, and they go first. When they are missing the
-- request was either settled before or its hold was lost with Redis. It was lost if the budget's counters were rebuilt
-- (field s) after the admission. The rebuild summed the stored rows, and this one was not yet among them if it is
-- settled after the rebuild and after the last count (field c): then its cost is added, once (key MARK). admitted_us = 0: it was never admitted here (Redis
-- was lost), which looks like "rebuilt later" for ever, so it always leaves the mark. Fields t and n: see recount.lua.
--
-- What it says of the request is kept first, whatever else is found: saying it twice is no harm.
local a = read(ARGV[1])
local mark = prefix .. MARK .. a.request_id

-- Nothing of it is written unless all of it can be.
if IN_CLUSTER then
  local raw = call('HGET', KEYS[1], a.request_id)
  local keys = { mark, unpack(a.budget_keys) }
  local function also(key) keys[#keys + 1] = key end
  if a.explained_ms > 0 then also(prefix .. EXPLAINED .. a.request_id) end
  if raw then
    local detail = read(raw)
    also(prefix .. HOLDS)
    for _, subject in ipairs(detail.running) do also(prefix .. RUNNING .. subject) end
    for _, charge in ipairs(detail.charges) do also(prefix .. STATE .. charge.subject) end
    for _, key in ipairs(detail.budget_keys) do also(key) end
  end
  must_be_here(keys)
end

if a.explained_ms > 0 then call('SET', prefix .. EXPLAINED .. a.request_id, a.explanation, 'PX', int(a.explained_ms)) end

-- Move a bucket, or a count of tokens, by the difference between what was charged and what was used.
local function recharge(charge, now)
  local key = prefix .. STATE .. charge.subject
  if charge.window then
    -- A day that is over needs no correction any more.
    local counted = call('HMGET', key, charge.dimension, charge.dimension .. WINDOW_SUFFIX)
    if tonumber(counted[2] or -1) == charge.window then
      call('HSET', key, charge.dimension, int(max(0, tonumber(counted[1] or 0) + a.tokens - charge.tokens)))
    end
    return
  end
  local seen_field = charge.dimension .. SEEN_SUFFIX
  local state = call('HMGET', key, charge.dimension, seen_field)
  local tat = max(tonumber(put_back(state[1], state[2], now) or 0), now)
  tat = max(now, tat + (a.tokens - charge.tokens) * charge.step_us)
  call('HSET', key, charge.dimension, us(tat), seen_field, us(now))
  local least = state_ttl(tat, now)
  if call('PTTL', key) < tonumber(least) then call('PEXPIRE', key, least) end
end

-- Count the cost, in n too when the request is one that only this counter counts.
local function spend(key, epoch_ms)
  call('HINCRBY', key, 'u', int(a.cost))
  if epoch_ms and a.made_ms >= tonumber(epoch_ms) then call('HINCRBY', key, 'n', int(a.cost)) end
end

-- Count the cost of a request in a counter that is there, unless the rows do.
local function count(key, counters)
  local epoch_ms = counters[3]
  -- An older request that ended before the last count: the rows have it, or will when they are counted again.
  local by_rows = epoch_ms and a.made_ms < tonumber(epoch_ms) and a.settled_us < tonumber(counters[4] or counters[2])
  if not by_rows then spend(key, epoch_ms) end
end

local raw = call('HGET', KEYS[1], a.request_id)
if raw then
  local detail = read(raw)
  call('HDEL', KEYS[1], a.request_id)
  call('ZREM', prefix .. HOLDS, a.request_id)
  for _, subject in ipairs(detail.running) do call('ZREM', prefix .. RUNNING .. subject, a.request_id) end
  local now
  for _, charge in ipairs(detail.charges) do
    if a.tokens ~= charge.tokens then
      now = now or redis_now()
      recharge(charge, now)
    end
  end
  for _, owner in ipairs(detail.owners or {}) do call('HDEL', owner, a.request_id) end
  local held = {}
  for _, key in ipairs(detail.budget_keys) do
    held[key] = true
    local counters = call('HMGET', key, 'u', 's', 't', 'c')
    if counters[1] then
      if call('HINCRBY', key, 'h', int(0 - detail.hold)) < 0 then call('HSET', key, 'h', 0) end
      count(key, counters)
    end
  end
  -- A counter that came to be while the request ran holds nothing of it.
  for _, key in ipairs(a.budget_keys) do
    if not held[key] then
      local counters = call('HMGET', key, 'u', 's', 't', 'c')
      if counters[1] then count(key, counters) end
    end
  end
  if a.admitted_us == 0 then call('SET', mark, '1', 'PX', MARK_TTL_MS) end
  return 1
end

if a.cost == 0 or #a.budget_keys == 0 then return 0 end
local rebuilt, epochs = {}, {}
for _, key in ipairs(a.budget_keys) do
  local counters = call('HMGET', key, 's', 't', 'c')
  local since = tonumber(counters[1] or -1)
  -- A count loses no hold: what was admitted after the rebuild and has none was settled before.
  if since > a.admitted_us and a.settled_us > max(since, tonumber(counters[3] or since)) then
    rebuilt[#rebuilt + 1] = key
    epochs[key] = counters[2]
  end
end
if #rebuilt == 0 then return 0 end
if not call('SET', mark, '1', 'NX', 'PX', MARK_TTL_MS) then return 0 end
for _, key in ipairs(rebuilt) do spend(key, epochs[key]) end
return 2
