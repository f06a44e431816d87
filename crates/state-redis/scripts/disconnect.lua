-- Removes a client. ARGV: incarnation, namespace, client, whether its memberships are in this partition, too. Returns
-- the rooms it was a member of, or those whose memberships are still to be removed.
local incarnation, namespace, client, single = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local number = leased_number(incarnation)
if not number then
  return { 'FENCED' }
end
local record = key('c', namespace .. ',' .. client)
if call('HGET', record, 'o') ~= number then
  call('SREM', key('nc', number), namespace .. ',' .. client)
  return { 'OK', false, {} }
end
local rooms = rooms_of(record)
remove_client(number, namespace, client)
local ended = rooms
if single then
  ended = {}
  local at = now()
  for _, room in ipairs(rooms) do
    if expel(number, client, namespace .. ',' .. room, at) then
      ended[#ended + 1] = room
    end
  end
end
return { 'OK', wrote(number), ended }
