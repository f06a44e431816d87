-- Makes a client a member of a room. ARGV: incarnation, part, namespace, client, room id, uid for a new room, the
-- version of the room's settings that the node knows, how many writes of the incarnation were confirmed, how long to
-- refuse new joins after data was lost in ms. Parts: `both` if the client's record and the room are in one partition,
-- else `claim` in the client's and `admit` in the room's.
local incarnation, part, namespace, client, id, uid, known, confirmed, grace = unpack(ARGV)
local number = leased_number(incarnation)
if not number then
  return { 'FENCED' }
end
local record = key('c', namespace .. ',' .. client)
if part ~= 'admit' and call('HGET', record, 'o') ~= number then
  return { 'CLIENT' }
end
if part == 'claim' then
  local added = call('HSETNX', record, 'r' .. id, '')
  return { 'OK', wrote(number), added }
end
local room = namespace .. ',' .. id
local was = call('HGET', key('m', room), client)
local state = call('HMGET', key('r', room), 'uid', 'closed', 'cap', 'ver')
local is_news = state[4] ~= known and state[4] ~= '0'
if not state[1] and lost_its_record(room) then
  return { 'RECOVERING' }
end
if state[1] and (not is_uid(state[1]) or state[2] and not is_one(state[2]) or state[3] and not is_capacity(state[3])
  or is_news and #unreadable_fields(room) > 0) then
  -- A node that received unreadable settings would restore them.
  return { 'RECOVERING' }
end
local seq, newly, created = false, 0, 0
if was ~= number then
  local at = now()
  if not was then
    if is_behind(number, confirmed) then
      recover(at, tonumber(grace))
    end
    if recovers(at) then
      return { 'RECOVERING' }
    end
    if state[2] == '1' then
      return { 'CLOSED' }
    end
    if state[3] and call('HLEN', key('m', room)) >= tonumber(state[3]) then
      return { 'FULL' }
    end
  else
    call('SREM', key('n', was), client .. '\n' .. room)
  end
  if not state[1] then
    create_room(room, uid, at)
    state, is_news = { uid, false, false, '0' }, false
    created = 1
  end
  add_member(number, client, room, at)
  if part == 'both' then
    call('HSET', record, 'r' .. id, '')
  end
  seq, newly = wrote(number), 1
end
local settings = false
if is_news then
  settings = settings_of(room)
end
return { 'OK', seq, state[1], newly, created, state[4], settings }
