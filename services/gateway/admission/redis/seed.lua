-- Rebuild a budget counter that Redis lost, from what the usage service says was spent.
--
-- ARGV[1]  msgpack SeedCall of wire.py
-- Answers  1 it was missing; 0 somebody came first. `held` is summed from the holds that are still there, field s says
--          since when this counter counts, t and n are those of recount.lua.
local a = read(ARGV[1])
local key = a.budget_key
if string.sub(key, 1, #prefix) ~= prefix or call('HEXISTS', key, 'u') == 1 then return 0 end
local held = 0
for _, raw in ipairs(call('HVALS', KEYS[1])) do
  -- Most of thousands of holds name other counters, and to read one costs ten times as much as to find that.
  if string.find(raw, key, 1, true) then
    local detail = read(raw)
    for _, name in ipairs(detail.budget_keys) do
      if name == key then held = held + detail.hold end
    end
  end
end
call('HSET', key, 'u', int(a.spent + a.newer), 'h', int(held), 's', int(redis_now()), 't', int(a.epoch_ms), 'n', int(a.newer))
call('PEXPIRE', key, COUNTER_TTL_MS)
return 1
