-- Begins an incarnation here, or keeps it. ARGV: incarnation, lease in ms, whether it began before, whether this is the
-- partition of leases, how long to refuse new joins after data was lost in ms.
local incarnation, lease, known, home, grace = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
if call('ZSCORE', P .. ':over', incarnation) or call('HEXISTS', P .. ':dead', incarnation) == 1 then
  return { 'FENCED' }
end
local at = now()
mend_incarnations()
local number = leased_number(incarnation)
if not number then
  number = begin_incarnation(incarnation)
  if known == '1' then
    -- It was registered here, and this server has lost it, and perhaps others.
    recover(at, grace)
  end
end
if home == '1' then
  steady(at, lease)
  call('HSET', key('l', number), 'lease', lease)
  call('ZADD', P .. ':lease', deadline(at, lease), number)
  mend_leases(at, lease)
end
return { 'OK', writes_of(number) }
