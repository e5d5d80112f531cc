-- Raise a rebuilt counter by what was still on its way to the usage service when it was rebuilt.
--
-- ARGV[1]  msgpack RecountCall of wire.py
-- Answers  1 raised; 0 nothing was missing, or the counter was rebuilt once more
--
-- A request belongs to one of two parts by the time inside its id, whichever process asks and whatever its clock says.
-- Those before the epoch (field t) are counted by stored rows: asked again some seconds later, the usage service knows
-- of all of them. Those from then on are counted here alone, and field n sums them. So u = rows before t + n, each
-- request in exactly one of the two. A settle of an older request adds its cost at once, for nobody should wait for
-- the rows; from the last count on (field c) it does, before that the rows of this count may have it already.
local a = read(ARGV[1])
local counters = call('HMGET', a.budget_key, 'u', 't', 'n')
if tonumber(counters[2] or -1) ~= a.epoch_ms then return 0 end
local whole = a.spent + tonumber(counters[3] or 0)
if whole <= tonumber(counters[1]) then return 0 end
call('HSET', a.budget_key, 'u', int(whole), 'c', int(redis_now()))
return 1
