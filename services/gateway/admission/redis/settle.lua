-- End a request: give back its leases, turn its hold into what it cost, refund or charge the token estimate.
--
-- KEYS[1]  gw:{user}:d
-- ARGV[1]  msgpack [request id, tokens, cost, settled us, admitted us, budget keys]
-- Answers  1 settled; 0 nothing to do (settled before); 2 the hold was lost with Redis, the cost is counted
--
-- Idempotent: the hold's details are the permission to change anything, and they go first. When they are missing the
-- request was either settled before or its hold was lost with Redis. It was lost if the budget's counters were rebuilt
-- (field s) after the admission. The rebuild summed the stored rows, and this one was not yet among them if it is
-- settled after the rebuild: then its cost is added, once (key x). admitted = 0: it was never admitted here (Redis was
-- lost), which looks like "rebuilt later" for ever, so it always leaves the mark.
local a = cmsgpack.unpack(ARGV[1])
local rid, tokens, cost, settled, admitted, keys = a[1], a[2], a[3], a[4], a[5], a[6]
local prefix = string.sub(KEYS[1], 1, -2)
local mark = prefix .. 'x:' .. rid
local WINDOW = 60000000

local function int(number) return string.format('%.0f', number) end

local raw = redis.call('HGET', KEYS[1], rid)
if raw then
  local detail = cmsgpack.unpack(raw)
  local hold, owned, held_by = detail[2], detail[3], detail[4]
  redis.call('HDEL', KEYS[1], rid)
  redis.call('ZREM', prefix .. 'h', rid)
  local now
  for _, s in ipairs(owned) do
    if s[4] == 1 then redis.call('ZREM', prefix .. 'c:' .. s[1], rid) end
    if s[2] > 0 and tokens ~= s[2] then
      if not now then
        local time = redis.call('TIME')
        now = time[1] * 1000000 + time[2]
      end
      local key = prefix .. 's:' .. s[1]
      local tat = math.max(tonumber(redis.call('HGET', key, 't') or 0), now)
      tat = math.max(now, tat + (tokens - s[2]) * WINDOW / s[3])
      redis.call('HSET', key, 't', string.format('%.2f', tat))
      local least = int((tat - now) / 1000 + 60000)
      if redis.call('PTTL', key) < tonumber(least) then redis.call('PEXPIRE', key, least) end
    end
  end
  for _, key in ipairs(held_by) do
    if redis.call('HEXISTS', key, 'u') == 1 then
      if redis.call('HINCRBY', key, 'h', int(0 - hold)) < 0 then redis.call('HSET', key, 'h', 0) end
      redis.call('HINCRBY', key, 'u', int(cost))
    end
  end
  if admitted == 0 then redis.call('SET', mark, '1', 'PX', 3600000) end
  return 1
end

if cost == 0 or #keys == 0 then return 0 end
local rebuilt = {}
for _, key in ipairs(keys) do
  local since = tonumber(redis.call('HGET', key, 's') or -1)
  if since > admitted and settled > since then rebuilt[#rebuilt + 1] = key end
end
if #rebuilt == 0 then return 0 end
if not redis.call('SET', mark, '1', 'NX', 'PX', 3600000) then return 0 end
for _, key in ipairs(rebuilt) do redis.call('HINCRBY', key, 'u', int(cost)) end
return 2
