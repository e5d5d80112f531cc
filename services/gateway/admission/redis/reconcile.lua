-- Correct one budget counter at rest.
--
-- KEYS[1]  gw:{user}:d
-- ARGV[1]  msgpack [budget key, used as it was read, used as it should be]
-- Answers  1 corrected; 0 it moved meanwhile, or requests are running
local a = cmsgpack.unpack(ARGV[1])
if redis.call('HLEN', KEYS[1]) > 0 then return 0 end
local counters = redis.call('HMGET', a[1], 'u', 'h')
if tonumber(counters[1] or -1) ~= a[2] or tonumber(counters[2] or 0) ~= 0 then return 0 end
redis.call('HSET', a[1], 'u', string.format('%.0f', a[3]))
return 1
