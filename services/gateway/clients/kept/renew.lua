-- Says that the owner is alive. ARGV: its request, the lease in ms. Returns 0 when the key is no longer its own.
local found = redis.call('HMGET', KEYS[1], 'owner', 'answer')
if found[1] ~= ARGV[1] or found[2] then
  return 0
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'until', time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2]))
return 1
