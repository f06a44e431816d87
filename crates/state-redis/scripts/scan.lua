-- Reads a step of a list. ARGV: kind, cursor, count, then namespace, room or incarnation, then the user. Returns the
-- next cursor and the items. The entries of an incarnation include whether they are consistent:
--   registered   {entry, record is its own, consistent, user or false, ids of the rooms in the record}
--   memberships  {entry, consistent}
local kind, cursor, count, of = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local items = {}
if kind == 'members' then
  local step = call('HSCAN', key('m', of), cursor, 'COUNT', count)
  local names = {}
  for index = 1, #step[2], 2 do
    local number = step[2][index + 1]
    names[number] = names[number] or name_of(number)
    items[#items + 1] = { step[2][index], names[number] }
  end
  return { 'OK', step[1], items }
end
if kind == 'user' then
  local step = call('SSCAN', clients_of(of, ARGV[5]), cursor, 'COUNT', count)
  for _, id in ipairs(step[2]) do
    items[#items + 1] = client_record(of, id) or nil
  end
  return { 'OK', step[1], items }
end
if kind == 'revocations' then
  local step, at = call('ZSCAN', P .. ':ru', cursor, 'COUNT', count), now()
  for index = 1, #step[2], 2 do
    local subject, ends = step[2][index], step[2][index + 1]
    local when = call('HGET', P .. ':rv', subject)
    if is_number(ends) and tonumber(ends) > at and is_number(when) then
      items[#items + 1] = { subject, when, ends }
    end
  end
  return { 'OK', step[1], items }
end
if kind == 'clients' or kind == 'rooms' then
  local step = call('SSCAN', key(kind == 'clients' and 'cs' or 'rs', of), cursor, 'COUNT', count)
  for _, id in ipairs(step[2]) do
    local item
    if kind == 'clients' then
      item = client_record(of, id)
    else
      local room = of .. ',' .. id
      item = call('HMGET', key('r', room), 'uid', 'name', 'cap', 'closed', 'created', 'updated')
      item = item[1] and { id, item, call('HLEN', key('m', room)) }
    end
    if item then
      items[#items + 1] = item
    end
  end
  return { 'OK', step[1], items }
end
local number = number_of(of)
if not number then
  return { 'OK', '0', items }
end
if kind == 'registered' then
  local step = call('SSCAN', key('nc', number), cursor, 'COUNT', count)
  for _, entry in ipairs(step[2]) do
    local record, namespace, id = key('c', entry), room_parts(entry)
    local known = call('HMGET', record, 'o', 't', 'a', 'u', 'm')
    local is_own, user = known[1] == number, known[4]
    local agrees = namespace and is_own and is_number(known[2]) and is_number(known[3]) and (not known[5] or is_object(known[5]))
      and call('SISMEMBER', key('cs', namespace), id) == 1
      and (not user or call('SISMEMBER', clients_of(namespace, user), id) == 1)
    items[#items + 1] = { entry, is_own and 1 or 0, agrees and 1 or 0, user, is_own and rooms_of(record) or {} }
  end
  return { 'OK', step[1], items }
end
local rooms = {}
-- Whether a room is readable and listed; each is checked once.
local function is_whole(room)
  if rooms[room] == nil then
    local namespace, id = room_parts(room)
    rooms[room] = #unreadable_fields(room) == 0 and call('SISMEMBER', key('rs', namespace), id) == 1
  end
  return rooms[room]
end
local step = call('SSCAN', key('n', number), cursor, 'COUNT', count)
for _, entry in ipairs(step[2]) do
  local client, room = membership_parts(entry)
  local agrees = client and call('HGET', key('m', room), client) == number and is_whole(room)
  items[#items + 1] = { entry, agrees and 1 or 0 }
end
return { 'OK', step[1], items }
