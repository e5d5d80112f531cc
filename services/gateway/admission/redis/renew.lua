-- Prolong the leases and holds of one user's running requests.
--
-- KEYS[1]  gw:{user}:d
-- ARGV[1]  msgpack [lease us, [request id, ...]]
-- Answers  the ids whose hold is gone (Redis was flushed): their owner restores them
local a = cmsgpack.unpack(ARGV[1])
local prefix = string.sub(KEYS[1], 1, -2)
local time = redis.call('TIME')
local expiry = string.format('%.0f', time[1] * 1000000 + time[2] + a[1])
local ttl = string.format('%.0f', a[1] / 1000 + 1000)
local missing = {}
for _, rid in ipairs(a[2]) do
  local raw = redis.call('HGET', KEYS[1], rid)
  if raw then
    redis.call('ZADD', prefix .. 'h', expiry, rid)
    for _, s in ipairs(cmsgpack.unpack(raw)[3]) do
      if s[4] == 1 then
        redis.call('ZADD', prefix .. 'c:' .. s[1], expiry, rid)
        redis.call('PEXPIRE', prefix .. 'c:' .. s[1], ttl)
      end
    end
  else
    missing[#missing + 1] = rid
  end
end
return missing
