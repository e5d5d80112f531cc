-- Keeps the answer and its bill. ARGV: fingerprint, owner, answer, bill ('' of what costs nothing), life of both in ms.
-- Returns 0 when the key is another's.
local owner = redis.call('HGET', KEYS[1], 'owner')
-- A record that is gone (flushed, evicted) belongs to nobody, so nobody else can have answered.
if owner and owner ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'owner', ARGV[2], 'answer', ARGV[3])
redis.call('HDEL', KEYS[1], 'until')
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
end
return 1
