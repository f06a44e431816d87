-- Removes expired revocations.
local function lapse(at)
  for _, subject in ipairs(call('ZRANGEBYSCORE', P .. ':ru', '-inf', at, 'LIMIT', 0, 1000)) do
    call('HDEL', P .. ':rv', subject)
    call('ZREM', P .. ':ru', subject)
  end
end
