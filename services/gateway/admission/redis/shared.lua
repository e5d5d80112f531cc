-- What several scripts need; stands between the constants of conventions.py and the body of each script.
--
-- KEYS[1] is the key of a user's details, gw:{user}:d; every other key is derived from it and shares its hash tag.
local prefix = string.sub(KEYS[1], 1, -1 - #DETAILS)
local floor, max, min = math.floor, math.max, math.min
-- Locals: a global costs two look-ups each time.
local call, pack, read, format = redis.call, cmsgpack.pack, cmsgpack.unpack, string.format

-- Lua's tostring keeps 14 digits, a time in microseconds has 16. A double of that size still has quarters of a
-- microsecond, so two decimals lose nothing.
local function us(number) return format('%.2f', number) end
local function int(number) return format('%.0f', number) end

-- In a cluster a slot can be on its way to another server: then Redis refuses a key that is not here (any more, or not
-- yet), in the middle of a script if need be. Asked before anything is written, it refuses the script as a whole.
local function must_be_here(keys) if IN_CLUSTER then call('EXISTS', unpack(keys)) end end

local function redis_now()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

-- What rounding adds to a bucket's time, in microseconds: it must not refuse the last unit of a burst. More is not needed,
-- since between two admissions more time passes than is rounded.
local ROUNDING = 1

-- GCRA over a bucket of `limit` units that refills in `window`: the theoretical arrival time as it is and after `cost`
-- units, and how long the cost has to wait for (0: it fits). `stored` is what a field holds, false when nothing.
local function gcra(stored, now, window, limit, cost)
  local tat = max(tonumber(stored or 0), now)
  local new = tat + cost * (window / limit)
  local over = new - now - window
  return tat, new, over > ROUNDING and over or 0
end

-- A bucket that goes into debt, as of now: `seen` is when it was written. When that is still to come, the clock of Redis
-- was ahead and was put back; what is owed is counted from then.
local function put_back(stored, seen, now)
  local ahead = stored and seen and tonumber(seen) - now or 0
  return ahead > 0 and tonumber(stored) - ahead or stored
end

-- How long a subject's state is kept: until it has long been full, in milliseconds.
local function state_ttl(latest, now) return int((latest - now) / 1000 + STATE_SPARE_MS) end

-- Prolong a request's place among those that run.
local function keep_running(key, expiry, lease_us, request_id)
  call('ZADD', key, expiry, request_id)
  call('PEXPIRE', key, int(lease_us / 1000 + LEASE_SPARE_MS))
end

-- Take those away whose leases have ended.
local function forget_expired(key, now) call('ZREMRANGEBYSCORE', key, '-inf', int(now)) end
