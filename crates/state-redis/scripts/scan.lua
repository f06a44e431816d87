-- Reads a step of a list. ARGV: kind, cursor, how many, then namespace, room or life, then the user. Returns the next
-- cursor and the items.
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
    if tonumber(ends) > at then
      items[#items + 1] = { subject, call('HGET', P .. ':rv', subject), ends }
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
local step = call('SSCAN', key(kind == 'registered' and 'nc' or 'n', number), cursor, 'COUNT', count)
return { 'OK', step[1], step[2] }
