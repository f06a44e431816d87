-- Renews a lease and returns the expired ones. ARGV: incarnation, lease in ms, whether this is the partition of leases,
-- how long the end of an incarnation is remembered in ms, how many writes of it were confirmed, how long to refuse new
-- joins after data was lost in ms, whether to collect the notes for the operator.
local incarnation, lease, home, remember = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local number = leased_number(incarnation)
if not number then
  return { 'FENCED' }
end
local at = now()
if (tonumber(call('HGET', P .. ':st', 'recovery') or '') or 0) > at + 2 * lease then
  -- A node requests less than a lease.
  call('HDEL', P .. ':st', 'recovery')
  note('a moment that is too far away was removed', P .. ':st' .. ' recovery')
end
if is_behind(number, ARGV[5]) then
  recover(at, tonumber(ARGV[6]))
end
local expired = {}
if home == '1' then
  steady(at, lease)
  lapse(at)
  call('HSET', key('l', number), 'lease', lease)
  call('ZADD', P .. ':lease', deadline(at, lease), number)
  for _, lost in ipairs(call('ZRANGEBYSCORE', P .. ':lease', '-inf', at)) do
    expired[#expired + 1] = name_of(lost)
  end
end
call('ZREMRANGEBYSCORE', P .. ':over', '-inf', at - remember)
local notes, unnamed = false, false
if ARGV[7] == '1' then
  notes = call('HGET', P .. ':st', 'notes')
  if notes then
    unnamed = call('HGET', P .. ':st', 'unnamed')
    call('HDEL', P .. ':st', 'notes', 'unnamed')
    notes = string.sub(notes, 1, NOTES)
  end
end
return { 'OK', writes_of(number), expired, notes, is_number(unnamed) and unnamed }
