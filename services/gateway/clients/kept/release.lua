-- Forgets a key under which nothing is kept. ARGV: the owner.
local found = redis.call('HMGET', KEYS[1], 'owner', 'answer')
if found[1] == ARGV[1] and not found[2] then
  redis.call('DEL', KEYS[1])
end
return 1
