-- Correct one budget counter at rest. Field r keeps what it was left at: one that still says so was not counted since.
--
-- ARGV[1]  msgpack ReconcileCall of wire.py
-- Answers  1 corrected; 0 it moved meanwhile, or requests are running
local a = read(ARGV[1])
if call('HLEN', KEYS[1]) > 0 then return 0 end
local counters = call('HMGET', a.budget_key, 'u', 'h')
if tonumber(counters[1] or -1) ~= a.used or tonumber(counters[2] or 0) ~= 0 then return 0 end
call('HSET', a.budget_key, 'u', int(a.spent), 'r', int(a.spent))
call('HDEL', a.budget_key, 't', 'n')
return 1
