-- Adds incarnations that another partition still knows to the partition of leases. ARGV: lease in ms, then the
-- incarnations.
local lease, at = tonumber(ARGV[1]), now()
mend_incarnations()
for index = 2, #ARGV do
  local incarnation = ARGV[index]
  if not number_of(incarnation) then
    local number = begin_incarnation(incarnation)
    call('HSET', key('l', number), 'lease', lease)
    if call('ZSCORE', P .. ':over', incarnation) then
      call('ZADD', P .. ':lease', 0, number)
      call('HDEL', P .. ':incarnations', incarnation)
      call('HSET', P .. ':dead', incarnation, number)
    else
      call('ZADD', P .. ':lease', deadline(at, lease), number)
    end
  end
end
return { 'OK' }
