-- Takes lives into the partition of leases that another partition still knows. ARGV: lease in ms, then the lives.
local lease, at = tonumber(ARGV[1]), now()
for index = 2, #ARGV do
  local life = ARGV[index]
  if not number_of(life) then
    local number = begin_life(life)
    call('HSET', key('l', number), 'lease', lease)
    if call('ZSCORE', P .. ':over', life) then
      call('ZADD', P .. ':lease', 0, number)
      call('HDEL', P .. ':lives', life)
      call('HSET', P .. ':dead', life, number)
    else
      call('ZADD', P .. ':lease', deadline(at, lease), number)
    end
  end
end
return { 'OK' }
