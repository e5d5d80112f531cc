-- Rebuild budget counters that Redis lost, from what the usage service says was spent.
--
-- KEYS[1]  gw:{user}:d
-- ARGV[1]  msgpack [[budget key, spent], ...]
-- Answers  how many were missing. Whoever comes first seeds; `held` is summed from the holds that are still there,
--          field s (the epoch) says since when these counters count.
local prefix = string.sub(KEYS[1], 1, -2)
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000000 + time[2])
local seeded, held = 0, nil
for _, pair in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = pair[1]
  if string.sub(key, 1, #prefix) == prefix and redis.call('HEXISTS', key, 'u') == 0 then
    if not held then
      held = {}
      for _, raw in ipairs(redis.call('HVALS', KEYS[1])) do
        local detail = cmsgpack.unpack(raw)
        for _, name in ipairs(detail[4]) do held[name] = (held[name] or 0) + detail[2] end
      end
    end
    redis.call('HSET', key, 'u', string.format('%.0f', pair[2]), 'h', string.format('%.0f', held[key] or 0), 's', now)
    redis.call('PEXPIRE', key, 3456000000)
    seeded = seeded + 1
  end
end
return seeded
