-- Keeps a lease and tells whose ran out. ARGV: life, lease in ms, whether this is the partition of leases, how long the
-- end of a life is remembered in ms, how many writes of it were confirmed, how long to refuse newcomers after data was
-- lost in ms.
local life, lease, home, remember = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local number = held(life)
if not number then
  return { 'FENCED' }
end
local at = now()
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
return { 'OK', call('HGET', key('l', number), 'seq'), expired }
