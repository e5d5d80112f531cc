-- Admit one request over all its limits: read everything, decide, then write everything.
--
-- ARGV[1]  msgpack AdmitCall of wire.py
-- ARGV[2]  Redis time in microseconds after which its caller has given up; 0 or absent: never
-- Answers  msgpack AdmitAnswer of wire.py: for each dimension the figures of its tightest subject
--
-- The deadline is there because a script that a hung server runs late must not leave a hold that nobody knows of.
-- Per subject a hash (STATE) holds, by the name of the dimension, the theoretical arrival time of a bucket in
-- microseconds, beside it when it was written if it may go into debt, or a calendar count and beside it which window it
-- counts.
local a = read(ARGV[1])
local request_id, hold = a.request_id, a.hold
local deciding, peeking = a.mode ~= RESTORE, a.mode == PEEK
local now = redis_now()

local deadline_us = tonumber(ARGV[2] or 0)
if deadline_us > 0 and now > deadline_us then return pack({verdict = LATE, now_us = now}) end
-- A command that was sent twice (its connection broke before the answer) must count once.
local known = call('HEXISTS', KEYS[1], request_id) == 1
if known and not deciding then return pack({verdict = ADMITTED, now_us = now}) end

-- Read and decide.
local violated

-- Keep the figures of the tightest subject in the dimension's row: what to report if the request is admitted, and if it
-- is refused and nothing was taken. Of the dimension that refuses they are those of whom it refuses.
local watching
local function note(d, subject, limit, untouched, taken, untouched_reset, taken_reset)
  if watching then return end
  local refuses, told = violated and violated.dimension == d.name, not d.untouched or untouched < d.untouched
  if refuses then told = violated.subject == subject end
  if told then
    d.untouched_limit, d.untouched, d.untouched_reset = limit, untouched, untouched_reset
  end
  if not d.taken or taken < d.taken then d.taken_limit, d.taken, d.taken_reset = limit, taken, taken_reset end
end
-- A cap that only watches refuses nothing; it is counted what it would have refused.
local shadowed, counted_at = {}, {}
local function refuse(name, subject, limit, wait, budget_key)
  if watching then
    if shadowed[#shadowed] ~= watching then shadowed[#shadowed + 1] = watching end
  elseif not violated or wait > violated.retry_us then
    violated = {dimension = name, subject = subject, limit = limit, retry_us = wait, budget_key = budget_key}
  end
end

-- What is written for a subject, until when its state says something, and what settling may refund.
local writes, latest, running, idle, charges = {}, {}, {}, {}, {}

-- What a limit has for one request: more tokens than a whole window wait for a full one and take it; the rest is debt at
-- settle. What uses none fits what is spent, and so it does what is owed.
local tokens = a.tokens

local function bucket(d, i, subject, limit, state)
  local cost, window, counts_tokens = 1, d.window_us, d.unit == TOKENS
  if counts_tokens then cost = tokens < limit and tokens or limit end
  local stored = state[d.at]
  if counts_tokens then
    stored = put_back(stored, state[d.at + 1], now)
  elseif stored and tonumber(stored) > now + window + window / limit then
    -- A count of requests owes nothing: what is later than full was written while the clock of Redis was ahead.
    stored = now + window
  end
  local tat, new, wait = gcra(stored, now, window, limit, cost)
  if known then
    new = tat
  elseif wait > 0 and cost > 0 then
    refuse(d.name, subject, limit, wait)
    new = tat
  elseif counts_tokens and cost > 0 then
    charges[#charges + 1] = {subject = subject, dimension = d.name, tokens = cost, step_us = window / limit}
  end
  local step, untouched_reset, taken_reset = window / limit, tat - now, new - now
  local untouched = min(limit, floor((window + ROUNDING - untouched_reset) / step))
  local taken = min(limit, floor((window + ROUNDING - taken_reset) / step))
  note(d, subject, limit, untouched, taken, untouched_reset, taken_reset)
  local fields = writes[i]
  fields[#fields + 1], fields[#fields + 2] = d.name, us(new)
  if counts_tokens then fields[#fields + 1], fields[#fields + 2] = d.seen_field, us(now) end
  latest[i] = max(latest[i], new)
end

local function calendar(d, i, subject, limit, state)
  local window = floor(now / d.window_us)
  local count = tonumber(state[d.at + 1] or -1) == window and tonumber(state[d.at]) or 0
  local ends = (window + 1) * d.window_us
  local after, cost, counts_tokens = count, 1, d.unit == TOKENS
  if counts_tokens then cost = tokens < limit and tokens or limit end
  if not known then
    if cost > 0 and (count + cost > limit or count >= limit) then
      refuse(d.name, subject, limit, ends - now)
    else
      after = count + cost
      if counts_tokens and cost > 0 then
        charges[#charges + 1] = {subject = subject, dimension = d.name, tokens = cost, window = window}
      end
    end
  end
  note(d, subject, limit, limit - count, limit - after, ends - now, ends - now)
  local fields = writes[i]
  local at = #fields
  fields[at + 1], fields[at + 2], fields[at + 3], fields[at + 4] = d.name, int(after), d.window_field, int(window)
  latest[i] = max(latest[i], ends)
end

local function slots(d, subject, limit)
  local count = call('ZCOUNT', prefix .. RUNNING .. subject, '(' .. int(now), '+inf')
  if not known and deciding and count >= limit then refuse(d.name, subject, limit, d.retry_us) end
  note(d, subject, limit, limit - count, limit - (known and count or count + 1), 0, 0)
  running[#running + 1], idle[subject] = subject, count == 0
end

for i, subject in ipairs(a.subjects) do
  local limits, name, state = subject.limits, subject.name, nil
  watching = subject.shadow
  for _, d in ipairs(DIMENSIONS) do
    local limit = limits[d.name]
    if limit and d.rule == SLOTS then
      slots(d, name, limit)
    elseif limit and deciding then
      if not state then
        state = read_state(prefix .. STATE .. name)
        writes[i], latest[i] = {}, now
      end
      if d.rule == BUCKET then bucket(d, i, name, limit, state) else calendar(d, i, name, limit, state) end
    end
  end
end

watching = nil

local cold, budget_left, budget_epochs, budget_keys, warm, endless = {}, {}, {}, {}, {}, {}
local owners = {}
local least, unspent
for i, budget in ipairs(a.budgets) do
  local key = budget.key
  local counters = call('HMGET', key, 'u', 'h', 't')
  -- A restored hold names its budgets although they are lost too: the rebuild sums what it holds.
  budget_keys[i] = key
  if budget.owner then owners[#owners + 1] = budget.owner end
  if counters[1] then
    local rest = budget.limit - tonumber(counters[1]) - tonumber(counters[2])
    least = (not least or rest < least) and rest or least
    local free = rest + tonumber(counters[2])
    unspent = (not unspent or free < unspent) and free or unspent
    -- What costs nothing fits what is spent, and so it does what is overdrawn.
    local weighs = hold > 0 and not known and deciding
    if budget.shadow and weighs then
      for _, cap in ipairs(budget.shadow) do
        if hold > cap.limit - budget.limit + rest then
          shadowed[#shadowed + 1] = cap.id
          -- What members of an organization share is counted in its name.
          if budget.owner then counted_at[#shadowed] = string.sub(budget.owner, 1, -1 - #DETAILS) .. SHADOWED end
        end
      end
    end
    if weighs and hold > rest then
      refuse(BUDGET, budget.subject, budget.limit, budget.ends_s and max(0, budget.ends_s * 1e6 - now) or NEVER_US, key)
      if violated.budget_key == key then violated.used = budget.limit - rest end
    elseif not known then
      rest = rest - hold
    end
    budget_left[#budget_left + 1], budget_epochs[#budget_epochs + 1] = rest, tonumber(counters[3] or 0)
    warm[#warm + 1] = key
    endless[key] = budget.endless
  else
    cold[#cold + 1] = key
  end
end
if deciding and #cold > 0 then return pack({verdict = COLD, now_us = now, cold = cold}) end

-- Whoever asked what a key has spent has it counted from then on; it caps nothing, and nobody waits for it.
if a.tally ~= '' and call('HEXISTS', a.tally, 'u') == 1 then
  budget_keys[#budget_keys + 1], warm[#warm + 1], endless[a.tally] = a.tally, a.tally, true
end

local figures = {}
for _, d in ipairs(DIMENSIONS) do
  if d.taken then
    local limit, remaining, reset = d.taken_limit, d.taken, d.taken_reset
    if violated or peeking then limit, remaining, reset = d.untouched_limit, d.untouched, d.untouched_reset end
    figures[#figures + 1] = {dimension = d.name, limit = limit, remaining = remaining, reset_us = floor(reset)}
  end
end
-- A lease that ends later than one can that begins now was written while the clock of Redis was ahead. It is cut, not
-- ended: whoever is alive renews it before that. Gateways of other settings may have leases that are longer by minutes.
local function cut_leases(key)
  local latest = int(now + a.lease_us)
  for _, id in ipairs(call('ZRANGEBYSCORE', key, int(now + a.lease_us + LEASES_DIFFER_US), '+inf')) do
    call('ZADD', key, latest, id)
  end
end
if violated then
  cut_leases(prefix .. HOLDS)
  for _, subject in ipairs(running) do cut_leases(prefix .. RUNNING .. subject) end
end
if violated or peeking then
  if violated then violated.left, violated.unspent = max(0, least or 0), max(0, unspent or 0) end
  return pack({verdict = REFUSED, now_us = now, figures = figures, violated = violated})
end
local answer = pack({
  verdict = ADMITTED, now_us = now, figures = figures,
  budget_left = deciding and budget_left or nil, budget_epochs = deciding and budget_epochs or nil,
  shadowed = #shadowed > 0 and shadowed or nil,
})
if known then return answer end

-- Write. All that was read is here; so must be what is written only.
local written = { prefix .. HOLDS }
if #shadowed > 0 then written[#written + 1] = prefix .. SHADOWED end
if not deciding then written[#written + 1] = prefix .. MARK .. request_id end
must_be_here(written)
local expiry = int(now + a.lease_us)
for i, fields in pairs(writes) do
  local key = prefix .. STATE .. a.subjects[i].name
  call('HSET', key, unpack(fields))
  call('PEXPIRE', key, state_ttl(latest[i], now))
end
for _, subject in ipairs(running) do
  local key = prefix .. RUNNING .. subject
  -- Whoever finds nobody running clears away what dead gateways left; renewals do the rest.
  if idle[subject] then forget_expired(key, now) end
  keep_running(key, expiry, a.lease_us, request_id)
end
for _, key in ipairs(warm) do
  call('HINCRBY', key, 'h', int(hold))
  -- A counter of a day or a month outlives its period as it is.
  if endless[key] then call('PEXPIRE', key, COUNTER_TTL_MS) end
end
-- What is shared with others of an organization is held in its name too: a rebuild sums it there.
for _, owner in ipairs(owners) do call('HSET', owner, request_id, pack({hold = hold, budget_keys = budget_keys})) end
call('HSET', KEYS[1], request_id, pack({
  hold = hold, running = running, charges = charges, budget_keys = budget_keys, facts = a.facts,
  owners = #owners > 0 and owners or nil, elsewhere = a.elsewhere, member = a.member,
}))
for i, id in ipairs(shadowed) do
  local key = counted_at[i] or prefix .. SHADOWED
  call('HINCRBY', key, id, 1)
  call('PEXPIRE', key, COUNTER_TTL_MS)
end
call('ZADD', prefix .. HOLDS, expiry, request_id)
if not deciding then call('SET', prefix .. MARK .. request_id, '1', 'PX', MARK_TTL_MS) end
return answer
