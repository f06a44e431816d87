-- Leases expire by the server's clock, which may jump, and the server may be suspended. If no node could renew for
-- longer than half a lease, or the clock went back, all incarnations get a full lease again.
local function steady(at, lease)
  local beat = tonumber(call('HGET', P .. ':st', 'beat') or at) or at
  if at < beat - 1000 or at - beat > lease / 2 then
    for _, number in ipairs(call('ZRANGEBYSCORE', P .. ':lease', 1, '+inf')) do
      call('ZADD', P .. ':lease', deadline(at, lease_of(number, lease)), number)
    end
  end
  call('HSET', P .. ':st', 'beat', at)
end
