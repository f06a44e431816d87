-- Registers clients and puts memberships back. ARGV: life, whether records and memberships are in one partition, JSON:
--   clients  {namespace, id, user or "", metadata or "", connected at, room ids}
--   members  {namespace, id, room id, uid}
--   rooms    room -> {version, settings, uid}: what the life knows of rooms that the server may have lost
local number = held(ARGV[1])
if not number then
  return { 'FENCED' }
end
local single, given = ARGV[2] == '1', cjson.decode(ARGV[3])
local at = now()
local moved = {}
for _, client in ipairs(given.clients) do
  local namespace, id, user, metadata, since = client[1], client[2], client[3], client[4], client[5]
  local record = key('c', namespace .. ',' .. id)
  local known = call('HMGET', record, 'o', 'u')
  local owner = known[1]
  if owner == number then
    if known[2] and known[2] ~= user then
      call('SREM', clients_of(namespace, known[2]), id)
    end
    call('HDEL', record, 'u', 'm')
  else
    if owner then
      for _, room in ipairs(rooms_of(record)) do
        local whole = namespace .. ',' .. room
        if single then
          expel(owner, id, whole, at)
        else
          moved[#moved + 1] = { name_of(owner), namespace, id, room }
        end
      end
      remove_client(owner, namespace, id)
    end
    call('SADD', key('nc', number), namespace .. ',' .. id)
    call('SADD', key('cs', namespace), id)
  end
  local fields = { 'o', number, 't', since, 'a', since }
  if user ~= '' then
    fields[#fields + 1] = 'u'
    fields[#fields + 1] = user
    call('SADD', clients_of(namespace, user), id)
  end
  if metadata ~= '' then
    fields[#fields + 1] = 'm'
    fields[#fields + 1] = metadata
  end
  call('HSET', record, unpack(fields))
  for _, room in ipairs(client[6]) do
    call('HSET', record, 'r' .. room, '')
  end
end
for _, member in ipairs(given.members) do
  local namespace, id, room, uid = member[1], member[2], member[3], member[4]
  local whole = namespace .. ',' .. room
  local known = given.rooms[whole]
  local room_key = key('r', whole)
  if call('EXISTS', room_key) == 0 then
    create_room(whole, uid, at)
  end
  if known then
    local state = call('HMGET', room_key, 'uid', 'ver')
    -- A room that nobody has set anything of since is one that was made by joining after the data was lost.
    if (state[1] == known[3] or state[2] == '0') and tonumber(state[2]) < known[1] then
      apply_settings(whole, known[1], known[2])
    end
  end
  local was = call('HGET', key('m', whole), id)
  if was ~= number then
    if was then
      call('SREM', key('n', was), id .. '\n' .. whole)
    end
    add_member(number, id, whole, at)
  end
end
return { 'OK', wrote(number), moved }
