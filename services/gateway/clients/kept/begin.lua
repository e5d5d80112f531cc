-- Claims a key, or says who has it. ARGV: fingerprint of the request, its id, lease and life of the record in ms.
local fingerprint, owner, lease_ms, kept_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local found = redis.call('HMGET', KEYS[1], 'fingerprint', 'owner', 'until', 'answer')
if found[1] and found[1] ~= fingerprint then
  return {'other', found[2], ''}
end
if found[4] then
  return {'kept', found[2], found[4]}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Sent again after an answer that was lost, it is still ours.
if found[1] and found[2] ~= owner and tonumber(found[3]) > now then
  -- A lease that ends later than one can that begins now is of a clock that was ahead. It is cut, not taken: whoever is
  -- alive renews it before it ends. Gateways of other settings may have leases that are longer by minutes.
  if tonumber(found[3]) > now + lease_ms + LEASES_DIFFER_MS then
    redis.call('HSET', KEYS[1], 'until', now + lease_ms)
  end
  return {'running', found[2], ''}
end
redis.call('HSET', KEYS[1], 'fingerprint', fingerprint, 'owner', owner, 'until', now + lease_ms)
redis.call('PEXPIRE', KEYS[1], kept_ms)
return {'ours', found[2] or '', ''}
