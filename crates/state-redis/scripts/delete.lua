-- Deletes a room with its memberships. ARGV: room, whether the records of clients are in this partition, too, a token,
-- whether to resolve it. Returns its uid and, for each member, the client and its incarnation. A call that is repeated
-- after a lost answer repeats its token, and gets the same answer. A resolved token deletes nothing later.
local room, single, token, resolves = ARGV[1], ARGV[2] == '1', key('del', 't' .. ARGV[3]), ARGV[4] == '1'
local function remember(uid)
  call('HSET', token, 'uid', uid)
  call('EXPIRE', token, 600)
end
local answered = call('HGET', token, 'uid')
if answered == '' then
  return { 'OK', false }
elseif answered then
  local members, known = {}, call('HGETALL', key('del', answered))
  for index = 1, #known, 2 do
    if known[index] ~= '' then
      members[#members + 1] = known[index]
      members[#members + 1] = name_of(known[index + 1])
    end
  end
  return { 'OK', answered, members }
elseif resolves then
  remember('')
  return { 'OK', false }
end
local uid = call('HGET', key('r', room), 'uid')
if not uid then
  if lost_its_record(room) then
    return { 'RECOVERING' }
  end
  return { 'OK', false }
end
if not is_uid(uid) then
  -- The next comparison, or the next check of the lists, replaces it by a readable one.
  return { 'RECOVERING' }
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
  call('HSET', key('del', uid), client, number)
  members[index + 1] = names[number]
end
-- This field is no client: a room without members was deleted, too.
call('HSET', key('del', uid), '', '')
call('EXPIRE', key('del', uid), 600)
call('DEL', key('r', room), key('m', room))
unlist_room(namespace, id)
remember(uid)
return { 'OK', uid, members }
