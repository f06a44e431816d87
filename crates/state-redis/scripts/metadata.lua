-- Replaces the metadata of a client. ARGV: incarnation, namespace, client, metadata or "".
local number = leased_number(ARGV[1])
if not number then
  return { 'FENCED' }
end
local record = key('c', ARGV[2] .. ',' .. ARGV[3])
if call('HGET', record, 'o') ~= number then
  return { 'CLIENT' }
end
if ARGV[4] == '' then
  call('HDEL', record, 'm')
else
  call('HSET', record, 'm', ARGV[4])
end
return { 'OK', wrote(number) }
