-- Registers clients and restores memberships. ARGV: incarnation, whether records and memberships are in one partition,
-- JSON:
--   clients  {namespace, id, user or "", metadata or "", connected at, room ids}
--   members  {namespace, id, room id, uid}
--   rooms    room -> {version, settings, uid}: rooms known to the incarnation that the server may have lost
-- and how long new joins are refused in ms after the last lost member was restored.
-- Returns the memberships that ended under other incarnations and are in other partitions, and the members that were
-- not restored as given: with the room's uid, or without one if the given one was deleted.
local number = leased_number(ARGV[1])
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
  elseif owner then
    for _, room in ipairs(rooms_of(record)) do
      local whole = namespace .. ',' .. room
      if single then
        expel(owner, id, whole, at)
      else
        local incarnation = name_of(owner)
        if incarnation then
          moved[#moved + 1] = { incarnation, namespace, id, room }
        end
      end
    end
    remove_client(owner, namespace, id)
  end
  -- Also for a registered client: any of the lists may have been lost.
  call('SADD', key('nc', number), namespace .. ',' .. id)
  if call('SADD', key('cs', namespace), id) == 1 and owner == number then
    note('a client was put back in the list', key('cs', namespace))
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
local mended = {}
local differently = {}
local was_missing = false
local function put_back(namespace, id, room, uid)
  local whole = namespace .. ',' .. room
  local record = key('r', whole)
  if not mended[whole] then
    mended[whole] = true
    local known = given.rooms[whole]
    if not call('HGET', record, 'uid') then
      create_room(whole, uid, at)
    end
    mend_record(whole, uid, at, known and known[1] > 0)
    -- Not counted again: only its entry in the list can be missing.
    call('SADD', key('rs', namespace), room)
    if known then
      local state = call('HMGET', record, 'uid', 'ver')
      -- A room without settings was created by a join after the data was lost.
      if (state[1] == known[3] or state[2] == '0') and tonumber(state[2]) < known[1] then
        apply_settings(whole, known[1], known[2])
      end
    end
  end
  local was = call('HGET', key('m', whole), id)
  if was ~= number then
    if was then
      call('SREM', key('n', was), id .. '\n' .. whole)
    end
    add_member(number, id, whole, at)
    was_missing = true
  else
    call('SADD', key('n', number), id .. '\n' .. whole)
  end
  local has = call('HGET', record, 'uid')
  if has ~= uid then
    differently[#differently + 1] = { namespace, id, room, has }
  end
end
for _, member in ipairs(given.members) do
  local namespace, id, room, uid = member[1], member[2], member[3], member[4]
  local is_member = call('HGET', key('m', namespace .. ',' .. room), id) == number
  if is_member or call('EXISTS', key('del', uid)) == 0 then
    put_back(namespace, id, room, uid)
  else
    if single then
      call('HDEL', key('c', namespace .. ',' .. id), 'r' .. room)
    end
    differently[#differently + 1] = { namespace, id, room, '' }
  end
end
if was_missing and recovers(at) then
  -- More may follow. Existing members do not extend the time.
  local ends = tonumber(call('HGET', P .. ':st', 'recovery'))
  call('HSET', P .. ':st', 'recovery', math.max(ends, at + tonumber(ARGV[4])))
end
return { 'OK', wrote(number), moved, differently }
