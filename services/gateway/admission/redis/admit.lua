-- Admit one request over all its limits: read everything, decide, then write everything.
--
-- KEYS[1]  gw:{user}:d, the hash of hold details; every other key is derived from it and shares its hash tag.
-- ARGV[1]  msgpack [request id, mode, deadline us, lease us, tokens, hold, subjects, budgets, facts]
--          mode      0 decide; 1 restore: the request is running already, only its lease and holds are lost
--          deadline  Redis time after which the caller has given up (0: none): a script that a hung server runs
--                    late must not leave a hold that nobody knows of
--          subjects  [[name, requests/min, requests/day, tokens/min, at once], ...], 0 = no limit
--          budgets   [[subject, period "d" | "m" | "t", limit], ...]
-- Answers  {1, now, figures..., remainder of each budget...}      admitted
--          {0, now, figures..., dimension, subject no, retry us}  refused, nothing was consumed
--          {2, now, budget no...}                                 these budgets have no counters: rebuild, then retry
--          {3, now}                                               too late
-- figures = limit, remaining, reset us of requests/min, requests/day, tokens/min, concurrency: the tightest
-- subject of each; limit -1 = not limited.
--
-- Per subject a hash gw:{user}:s:<name> holds r and t (GCRA: theoretical arrival time of the next request or token,
-- microseconds) and d, n (day, requests in it). Lua's tostring keeps 14 digits, a time has 16: hence `us`. A double
-- of that size still has quarters of a microsecond, so two decimals lose nothing.
local WINDOW = 60000000
local DAY = 86400000000
local RPM, RPD, TPM, CONCURRENCY, BUDGET = 1, 2, 3, 4, 5
local CONCURRENCY_RETRY = 1000000
local BUDGET_RETRY = 1e15

local a = cmsgpack.unpack(ARGV[1])
local rid, mode, deadline, lease, tokens, hold = a[1], a[2], a[3], a[4], a[5], a[6]
local subjects, budgets, facts = a[7], a[8], a[9]
local prefix = string.sub(KEYS[1], 1, -2)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local today = math.floor(now / DAY)

local function us(number) return string.format('%.2f', number) end
local function int(number) return string.format('%.0f', number) end

-- Months since year 0, from days since 1970 (civil_from_days of Howard Hinnant).
local function month_of(days)
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return (yoe + era * 400 + (month <= 2 and 1 or 0)) * 12 + month - 1
end

local function budget_key(subject, period)
  local label = ''
  if period == 'd' then label = int(today) elseif period == 'm' then label = int(month_of(today)) end
  return prefix .. 'b:' .. subject .. ':' .. period .. label
end

if deadline > 0 and now > deadline then return {3, now} end
-- A command that was sent twice (its connection broke before the answer) must count once.
local known = redis.call('HEXISTS', KEYS[1], rid) == 1
if mode == 1 and known then return {1, now} end

-- Read and decide.
-- What to report if it is admitted, and if it is refused and nothing was taken.
local taken = {-1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0}
local untouched = {-1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0}
local retry, hit, hit_subject = -1, 0, 0

local function note(figures, dimension, limit, remaining, reset)
  local at = dimension * 3 - 2
  if figures[at] < 0 or remaining < figures[at + 1] then
    figures[at], figures[at + 1], figures[at + 2] = limit, remaining, reset
  end
end
local function refuse(dimension, subject, wait)
  if wait > retry then retry, hit, hit_subject = wait, dimension, subject end
end
-- The new arrival time after `cost` units; refuses when the bucket of `limit` units has fewer.
local function gcra(stored, limit, cost, dimension, subject)
  local tat = math.max(tonumber(stored or 0), now)
  local step = WINDOW / limit
  local new = tat + cost * step
  -- Half a unit of tolerance keeps rounding from refusing the last unit of a burst.
  local over = new - now - WINDOW
  if known then new = tat elseif over > step / 2 then refuse(dimension, subject, over) end
  note(untouched, dimension, limit, math.floor((WINDOW - (tat - now)) / step + 0.5), tat - now)
  note(taken, dimension, limit, math.floor((WINDOW - (new - now)) / step + 0.5), new - now)
  return new
end

local states, counts, charged, tats = {}, {}, {}, {}
for i, s in ipairs(subjects) do
  charged[i] = 0
  if mode == 0 and (s[2] > 0 or s[3] > 0 or s[4] > 0) then
    local key = prefix .. 's:' .. s[1]
    local state = redis.call('HMGET', key, 'r', 't', 'd', 'n')
    local fields, latest = {}, now
    if s[2] > 0 then
      local tat = gcra(state[1], s[2], 1, RPM, i)
      fields[1], fields[2], latest = 'r', us(tat), tat
    end
    if s[3] > 0 then
      local count = tonumber(state[3] or -1) == today and tonumber(state[4]) or 0
      local reset = (today + 1) * DAY - now
      note(untouched, RPD, s[3], s[3] - count, reset)
      if not known then
        if count >= s[3] then refuse(RPD, i, reset) end
        count = count + 1
      end
      note(taken, RPD, s[3], s[3] - count, reset)
      fields[#fields + 1], fields[#fields + 2] = 'd', int(today)
      fields[#fields + 1], fields[#fields + 2] = 'n', int(count)
      latest = math.max(latest, (today + 1) * DAY)
    end
    if s[4] > 0 then
      -- More than a minute's worth waits for a full bucket and takes it whole; the rest is debt at settle.
      charged[i] = math.min(tokens, s[4])
      local tat = gcra(state[2], s[4], charged[i], TPM, i)
      fields[#fields + 1], fields[#fields + 2] = 't', us(tat)
      latest = math.max(latest, tat)
    end
    states[i], tats[i] = fields, latest
  end
  if s[5] > 0 then
    local running = redis.call('ZCOUNT', prefix .. 'c:' .. s[1], '(' .. int(now), '+inf')
    note(untouched, CONCURRENCY, s[5], s[5] - running, 0)
    if not known then
      if mode == 0 and running >= s[5] then refuse(CONCURRENCY, i, CONCURRENCY_RETRY) end
      running = running + 1
    end
    note(taken, CONCURRENCY, s[5], s[5] - running, 0)
  end
end

local cold, remainders, keys, warm = {2, now}, {}, {}, {}
for i, b in ipairs(budgets) do
  local key = budget_key(b[1], b[2])
  local counters = redis.call('HMGET', key, 'u', 'h')
  if counters[1] then
    local left = b[3] - tonumber(counters[1]) - tonumber(counters[2])
    if mode == 0 and not known and hold > left then refuse(BUDGET, i, BUDGET_RETRY)
    elseif not known then left = left - hold end
    remainders[i] = left
    keys[#keys + 1], warm[#warm + 1] = key, key
  else
    cold[#cold + 1] = i
    -- A restored hold names its budgets although they are lost too: the rebuild sums what it holds.
    keys[#keys + 1] = key
  end
end
if mode == 0 and #cold > 2 then return cold end

local answer = {retry < 0 and 1 or 0, now}
local figures = retry < 0 and taken or untouched
for i = 1, 12 do answer[#answer + 1] = figures[i] end
if retry >= 0 then
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = hit, hit_subject, retry
  return answer
end
if mode == 0 then
  for i = 1, #budgets do answer[#answer + 1] = remainders[i] end
end
if known then return answer end

-- Write.
local expiry = int(now + lease)
local owned = {}
for i, s in ipairs(subjects) do
  local fields = states[i]
  if fields then
    local key = prefix .. 's:' .. s[1]
    redis.call('HSET', key, unpack(fields))
    redis.call('PEXPIRE', key, int((tats[i] - now) / 1000 + 60000))
  end
  if s[5] > 0 then
    local key = prefix .. 'c:' .. s[1]
    redis.call('ZREMRANGEBYSCORE', key, '-inf', int(now))
    redis.call('ZADD', key, expiry, rid)
    redis.call('PEXPIRE', key, int(lease / 1000 + 1000))
  end
  if s[5] > 0 or charged[i] > 0 then
    owned[#owned + 1] = {s[1], charged[i], s[4], s[5] > 0 and 1 or 0}
  end
end
for _, key in ipairs(warm) do
  redis.call('HINCRBY', key, 'h', int(hold))
  redis.call('PEXPIRE', key, 3456000000) -- 40 days: longer than a month; a lost counter is rebuilt
end
redis.call('HSET', KEYS[1], rid, cmsgpack.pack({now, hold, owned, keys, facts}))
redis.call('ZADD', prefix .. 'h', expiry, rid)
if mode == 1 then redis.call('SET', prefix .. 'x:' .. rid, '1', 'PX', 3600000) end
return answer
