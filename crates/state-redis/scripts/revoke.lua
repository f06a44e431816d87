-- Stores a revocation. ARGV: subject, when, until when to store it. The later times count.
local subject, when, ends = ARGV[1], ARGV[2], ARGV[3]
local at = now()
lapse(at)
if tonumber(ends) > at then
  local known = call('HGET', P .. ':rv', subject)
  if not is_number(known) or tonumber(known) < tonumber(when) then
    call('HSET', P .. ':rv', subject, when)
  end
  local until_now = call('ZSCORE', P .. ':ru', subject)
  if until_now and not is_number(until_now) then
    call('ZREM', P .. ':ru', subject)
  end
  call('ZADD', P .. ':ru', 'GT', ends, subject)
end
return { 'OK' }
