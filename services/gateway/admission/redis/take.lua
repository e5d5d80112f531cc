-- Take one request from a bucket of its own, apart from the limits of users.
--
-- KEYS[1]  the bucket: its theoretical arrival time in microseconds
-- ARGV[1]  msgpack TakeCall of wire.py
-- Answers  0 taken; else microseconds to wait, nothing was taken
local a = read(ARGV[1])
local now = redis_now()
-- Nothing here goes into debt: what is later than full was written while the clock of Redis was ahead, and would shut an
-- address out for as long.
local stored = min(tonumber(call('GET', KEYS[1]) or 0), now + a.window_us)
local _, new, wait = gcra(stored, now, a.window_us, a.limit, 1)
if wait > 0 then return math.ceil(wait) end
call('SET', KEYS[1], us(new), 'PX', state_ttl(new, now))
return 0
