-- Prolong the leases and holds of one user's running requests.
--
-- ARGV[1]  msgpack RenewCall of wire.py
-- Answers  the ids whose hold is gone (Redis was flushed): their owner restores them
local a = read(ARGV[1])
local now = redis_now()
local expiry = int(now + a.lease_us)
local missing = {}
for _, request_id in ipairs(a.request_ids) do
  local raw = call('HGET', KEYS[1], request_id)
  if raw then
    call('ZADD', prefix .. HOLDS, expiry, request_id)
    for _, subject in ipairs(read(raw).running) do
      local key = prefix .. RUNNING .. subject
      keep_running(key, expiry, a.lease_us, request_id)
      forget_expired(key, now)
    end
  else
    missing[#missing + 1] = request_id
  end
end
return missing
