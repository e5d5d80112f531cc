-- One replica tells a line what it holds and who waits there; the line says who may go. All of it or nothing.
--
-- KEYS: state, waiting (tickets by start tag), tickets (member by id), users (end of the last call, beginning of the last
-- that joined, calls that wait), replicas, mail.
-- ARGV: what is told, as JSON; the channel on which replicas are woken; the line's name.
--
-- A replica states what it holds as a whole each time, so a statement that was lost or made twice does no harm. What a
-- ticket was given lies in `mail` until its replica says that it took it. The order is that of fair_queue.py.
local STATE, WAITING, TICKETS, USERS, REPLICAS, MAIL = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local told, channel, line = cjson.decode(ARGV[1]), ARGV[2], ARGV[3]
local me = told.replica
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function number(value)
  -- tostring() would keep 14 digits.
  return string.format('%.17g', value)
end

local function replica_of(id)
  return string.match(id, '^[^.]+')
end

local function fields(key)
  local flat, found = redis.call('HGETALL', key), {}
  for at = 1, #flat, 2 do
    found[flat[at]] = flat[at + 1]
  end
  return found
end

-- Who lives. A lease that has ended gives back all that its replica held.
local alive, living = {}, 0
for name, value in pairs(fields(REPLICAS)) do
  local replica = cjson.decode(value)
  -- A lease that ends later than one can that begins now is of a clock that was ahead. It is cut, not ended: whoever is
  -- alive tells again before that. Routers of other settings may have leases that are longer by minutes.
  if replica.until_ms > now_ms + told.lease_ms + LEASES_DIFFER_MS then
    replica.until_ms = now_ms + told.lease_ms
    redis.call('HSET', REPLICAS, name, cjson.encode(replica))
  end
  if replica.until_ms > now_ms then
    alive[name], living = replica, living + 1
  else
    redis.call('HDEL', REPLICAS, name)
  end
end
local before = alive[me]
if before and before.seq >= told.seq then
  return cjson.encode({stale = true})
end
local forgotten = told.known and not before
if forgotten and living == 0 then
  -- All was lost: nothing is given until the others have said what they hold.
  redis.call('HSET', STATE, 'quiet_until_ms', now_ms + told.quiet_ms)
end
if not before then
  living = living + 1
end
if told.gone then
  alive[me], living = nil, living - 1
  redis.call('HDEL', REPLICAS, me)
else
  alive[me] = {seq = told.seq, until_ms = now_ms + told.lease_ms, held = told.held}
end

-- Who waits no more.
local waits_before = redis.call('ZCARD', WAITING)
local function user_of(name)
  local ends, last, count = string.match(redis.call('HGET', USERS, name) or '0 0 0', '^(%S+) (%S+) (%S+)$')
  return tonumber(ends), tonumber(last), tonumber(count)
end
local function set_user(name, ends, last, count)
  redis.call('HSET', USERS, name, number(ends) .. ' ' .. number(last) .. ' ' .. number(count))
end
-- Nothing becomes free while this runs: who found nothing that they do not avoid finds nothing later either.
local stuck, stuck_count = {}, 0
local function remove(member, unserved)
  local id, user, share = string.match(member, '^%S+ (%S+) (%S+) (%S+)$')
  if stuck[member] then
    stuck[member], stuck_count = nil, stuck_count - 1
  end
  redis.call('ZREM', WAITING, member)
  redis.call('HDEL', TICKETS, id)
  redis.call('HDEL', STATE, 'avoid:' .. id)
  local ends, last, count = user_of(user)
  set_user(user, unserved and ends - 1 / tonumber(share) or ends, last, count - 1)
  return id
end
for _, id in ipairs(told.taken) do
  redis.call('HDEL', MAIL, id)
end
for _, id in ipairs(told.left) do
  redis.call('HDEL', MAIL, id)
  local member = redis.call('HGET', TICKETS, id)
  if member then
    remove(member, true)
  end
end

-- What is taken of each credential, and what is free.
local taken, all = {}, 0
for _, limit in ipairs(told.limits) do
  taken[limit[1]], all = 0, all + limit[2]
end
for _, replica in pairs(alive) do
  for credential, count in pairs(replica.held) do
    taken[credential] = (taken[credential] or 0) + count
  end
end
for id, value in pairs(fields(MAIL)) do
  if not alive[replica_of(id)] then
    redis.call('HDEL', MAIL, id)
  elseif value ~= '!' then
    taken[value] = (taken[value] or 0) + 1
  end
end
-- Credentials that a ticket avoids; with one there is no choice.
local function avoided_by(member)
  local names = {}
  if #told.limits > 1 then
    local id = string.match(member, '^%S+ (%S+)')
    for name in string.gmatch(redis.call('HGET', STATE, 'avoid:' .. id) or '', '%S+') do
      names[name] = true
    end
  end
  return names
end
local function freest(avoided)
  local best, most, free = nil, 0, 0
  for _, limit in ipairs(told.limits) do
    local left = limit[2] - taken[limit[1]]
    free = free + math.max(0, left)
    if left > most and not (avoided and avoided[limit[1]]) then
      best, most = limit[1], left
    end
  end
  return best, free
end

-- Who may go.
local virtual = tonumber(redis.call('HGET', STATE, 'virtual') or '0')
local woken = {}
local quiet = tonumber(redis.call('HGET', STATE, 'quiet_until_ms') or '0') > now_ms
-- The first in line that may have something of what is free: most often the first of all.
local function next_to_go()
  local at, count = 0, 1
  while freest() and stuck_count < redis.call('ZCARD', WAITING) do
    local some = redis.call('ZRANGE', WAITING, at, at + count - 1, 'WITHSCORES')
    if #some == 0 then
      return
    end
    for place = 1, #some, 2 do
      local member = some[place]
      local credential = not stuck[member] and freest(avoided_by(member))
      if credential then
        return credential, member, tonumber(some[place + 1])
      end
      if not stuck[member] then
        stuck[member], stuck_count = true, stuck_count + 1
      end
    end
    at, count = at + count, 100
  end
end
local function give()
  while not quiet do
    local credential, member, start = next_to_go()
    if not credential then
      return
    end
    local id = remove(member, false)
    virtual = math.max(virtual, start)
    if alive[replica_of(id)] then
      redis.call('HSET', MAIL, id, credential)
      taken[credential] = taken[credential] + 1
      woken[replica_of(id)] = true
    end
  end
end
give()

-- Who begins to wait.
local function refuse(id)
  redis.call('HSET', MAIL, id, '!')
  woken[replica_of(id)] = true
end
local function join(id, user, share, avoided)
  if redis.call('HEXISTS', TICKETS, id) == 1 or redis.call('HEXISTS', MAIL, id) == 1 then
    return
  end
  if redis.call('ZCARD', WAITING) >= told.places then
    give()
  end
  local ends, last, count = user_of(user)
  local start = math.max(virtual, ends, count > 0 and last or 0)
  if redis.call('ZCARD', WAITING) >= told.places then
    local final = redis.call('ZRANGE', WAITING, -1, -1, 'WITHSCORES')
    if start >= tonumber(final[2]) then
      return refuse(id)
    end
    refuse(remove(final[1], true))
  end
  local arrival = redis.call('HINCRBY', STATE, 'arrivals', 1)
  local member = string.format('%015d %s %s %s', arrival, id, user, number(share))
  redis.call('ZADD', WAITING, number(start), member)
  redis.call('HSET', TICKETS, id, member)
  if #avoided > 0 then
    redis.call('HSET', STATE, 'avoid:' .. id, table.concat(avoided, ' '))
  end
  set_user(user, start + 1 / share, start, count + 1)
end
for _, ticket in ipairs(told.joined) do
  join(ticket[1], ticket[2], ticket[3], ticket[4])
end
give()

-- What the replica may keep for callers to come: half of all stays where every replica finds it at once.
local waits, spare = redis.call('ZCARD', WAITING), {}
if waits == 0 then
  redis.call('DEL', USERS)
  virtual = 0
  for _ = 1, quiet and 0 or told.wants do
    local credential, free = freest()
    if not credential or free * 2 <= all then
      break
    end
    spare[credential] = (spare[credential] or 0) + 1
    taken[credential] = taken[credential] + 1
    alive[me].held[credential] = (alive[me].held[credential] or 0) + 1
  end
end
redis.call('HSET', STATE, 'virtual', number(virtual))
if alive[me] then
  redis.call('HSET', REPLICAS, me, cjson.encode(alive[me]))
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, told.lease_ms * 20)
end

-- Who must hear of it.
if waits > 0 and waits_before == 0 then
  redis.call('PUBLISH', channel, line .. ' *')
else
  for name, _ in pairs(woken) do
    if name ~= me then
      redis.call('PUBLISH', channel, line .. ' ' .. name)
    end
  end
end
local mail, ahead = {}, {}
for id, value in pairs(fields(MAIL)) do
  if replica_of(id) == me then
    mail[#mail + 1] = {id, value}
  end
end
for _, ticket in ipairs(told.joined) do
  local member = redis.call('HGET', TICKETS, ticket[1])
  if member then
    ahead[#ahead + 1] = {ticket[1], redis.call('ZRANK', WAITING, member)}
  end
end
return cjson.encode({
  forgotten = forgotten and true or false, mail = mail, ahead = ahead, spare = spare, waiting = waits, replicas = living,
})
