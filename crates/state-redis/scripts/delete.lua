-- Deletes a room with its memberships. ARGV: room, whether the records of clients are in this partition, too. Returns
-- its uid and, for each member, the client and its life.
local room, single = ARGV[1], ARGV[2] == '1'
local uid = call('HGET', key('r', room), 'uid')
if not uid then
  return { 'OK', false }
end
local namespace, id = room_parts(room)
local members = call('HGETALL', key('m', room))
local names = {}
for index = 1, #members, 2 do
  local client, number = members[index], members[index + 1]
  call('SREM', key('n', number), client .. '\n' .. room)
  if single then
    local record = key('c', namespace .. ',' .. client)
    if call('HGET', record, 'o') == number then
      call('HDEL', record, 'r' .. id)
    end
  end
  names[number] = names[number] or name_of(number)
  members[index + 1] = names[number]
end
call('DEL', key('r', room), key('m', room))
call('SREM', key('rs', namespace), id)
return { 'OK', uid, members }
