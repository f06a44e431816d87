-- Stores when clients were last active. ARGV: incarnation, then namespace, client and time of each.
local number = leased_number(ARGV[1])
if not number then
  return { 'FENCED' }
end
for index = 2, #ARGV, 3 do
  local record = key('c', ARGV[index] .. ',' .. ARGV[index + 1])
  local known = call('HMGET', record, 'o', 'a')
  if known[1] == number and (tonumber(known[2] or '') or 0) < tonumber(ARGV[index + 2]) then
    call('HSET', record, 'a', ARGV[index + 2])
  end
end
return { 'OK' }
