-- Shared by all scripts. KEYS[1] is the hash of incarnations that hold a lease, KEYS[2] the prefix of all keys of the
-- partition, which is no key itself. While the partition's slot moves to another server, one of the two is always
-- missing there, so that the server answers TRYAGAIN instead of running a script on half of the keys.
local P = KEYS[2]

local function key(kind, name)
  return P .. ':' .. kind .. ':' .. name
end

local call

-- A count or a timestamp, with no more digits than Lua and every reader can represent exactly.
local function is_number(text)
  return text and #text <= 15 and string.match(text, '^%d+$')
end

-- The size limit of the notes in bytes.
local NOTES = 40000

-- Adds a problem to the notes for the operator; the next heartbeat collects them. Returns whether there was space;
-- otherwise the problem is only counted.
local function note(problem, name)
  local line = problem .. ': ' .. name .. '\n'
  local notes = call('HGET', P .. ':st', 'notes') or ''
  if string.find(notes, line, 1, true) then
    return true
  elseif #notes + #line > NOTES then
    call('HINCRBY', P .. ':st', 'unnamed', 1)
    return false
  end
  call('HSET', P .. ':st', 'notes', notes .. line)
  return true
end

-- Adds the command and its key to an error, which the server's message lacks.
local function answer_of(answer, command, name)
  if type(answer) == 'table' and answer.err then
    answer.err = answer.err .. ' (' .. command .. ' ' .. (name or '') .. ')'
    error(answer)
  end
  return answer
end

local pcall_redis = redis.pcall

-- Repeats a command that failed because another program wrote to its key. A key of another type contains nothing of
-- this service: it is removed, and counts as lost. So does a counter that is not a number, or is the greatest number.
local function call_again(problem, command, name, ...)
  if string.find(problem.err, 'WRONGTYPE', 1, true) then
    local removed = pcall_redis('DEL', name)
    if type(removed) == 'table' and string.find(removed.err, 'read-only', 1, true) then
      -- A script without writes cannot remove it. It reads a key that does not exist instead.
      return answer_of(pcall_redis(command, P, ...), command, name)
    end
    answer_of(removed, 'DEL', name)
    note('a key of another type was removed', name)
  elseif command == 'HINCRBY' and (string.find(problem.err, 'not an integer', 1, true)
    or string.find(problem.err, 'would overflow', 1, true)) then
    local field = ...
    answer_of(pcall_redis('HDEL', name, field), 'HDEL', name)
    note('a counter that cannot count was removed', name .. ' ' .. field)
  else
    return answer_of(problem, command, name)
  end
  return answer_of(pcall_redis(command, name, ...), command, name)
end

-- Calls a command.
function call(...)
  local answer = pcall_redis(...)
  if type(answer) == 'table' and answer.err then
    return call_again(answer, ...)
  end
  return answer
end

-- Increments a counter. An unreadable counter counts as lost, and restarts.
local function count_up(name, field)
  local count = call('HINCRBY', name, field, 1)
  if is_number(string.format('%.0f', count)) then
    return count
  end
  call('HSET', name, field, 1)
  note('a counter that cannot be read began anew', name .. ' ' .. field)
  return 1
end

local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function name_of(number)
  return call('HGET', P .. ':st', 'incarnation:' .. number)
end

-- The number of an incarnation in this partition, if both lists agree: the one by incarnation and the one by number. If
-- they disagree, one is damaged, and `incarnations.lua` repairs it.
local function number_in(list, incarnation)
  local number = call('HGET', P .. ':' .. list, incarnation)
  return number and name_of(number) == incarnation and number
end

-- The number of an incarnation that holds its lease.
local function leased_number(incarnation)
  return number_in('incarnations', incarnation)
end

-- The number of an incarnation, including one that has ended and is not cleaned up yet.
local function number_of(incarnation)
  return leased_number(incarnation) or number_in('dead', incarnation)
end

-- The number of counted writes of an incarnation; 0 if the count was lost.
local function writes_of(number)
  local count = call('HGET', key('l', number), 'seq')
  return is_number(count) and count or '0'
end

-- Counts a write of an incarnation: a server that was restored with older data has a lower count.
local function wrote(number)
  return count_up(key('l', number), 'seq')
end

-- Whether data was lost a moment ago: members and their rooms are being restored, and nothing new may take their place.
local function recovers(at)
  local span = call('HMGET', P .. ':st', 'lost', 'recovery')
  -- If the clock went back to before the loss, the elapsed time is unknown.
  return (tonumber(span[1] or '') or math.huge) <= at + 1000 and (tonumber(span[2] or '') or 0) > at
end

local function recover(at, grace)
  if not recovers(at) then
    call('HSET', P .. ':st', 'lost', at, 'recovery', at + grace)
  end
end

-- Whether the server has fewer writes of an incarnation than it confirmed: it was restored with older data.
local function is_behind(number, confirmed)
  return tonumber(writes_of(number)) < tonumber(confirmed)
end

-- Assigns a unique number to an incarnation, also if the counter was lost.
local function begin_incarnation(incarnation)
  local number
  repeat
    number = string.format('%.0f', count_up(P .. ':st', 'next'))
  until call('HSETNX', P .. ':st', 'incarnation:' .. number, incarnation) == 1
  call('HSET', P .. ':incarnations', incarnation, number)
  call('HSET', key('l', number), 'seq', 0)
  return number
end

-- The time at which an incarnation that renewed its lease now is taken for lost. The extra fifth is for a node that was
-- cut off for nearly as long as its lease, and is about to reconnect.
local function deadline(at, lease)
  return at + math.floor(lease * 1.2)
end

-- An incarnation's lease, from 100 ms to an hour; the given default if it cannot be read.
local function lease_of(number, otherwise)
  local lease = call('HGET', key('l', number), 'lease')
  lease = is_number(lease) and tonumber(lease) or 0
  return lease >= 100 and lease <= 3600000 and lease or otherwise
end

-- Ends an incarnation permanently: from now on its writes are refused.
local function fence(incarnation, number, at)
  call('HDEL', P .. ':incarnations', incarnation)
  call('HSET', P .. ':dead', incarnation, number)
  call('ZADD', P .. ':over', at, incarnation)
  if call('ZSCORE', P .. ':lease', number) then
    call('ZADD', P .. ':lease', 0, number)
  end
end

-- The rooms in a client's record.
local function rooms_of(record)
  local rooms = {}
  for _, field in ipairs(call('HKEYS', record)) do
    if string.sub(field, 1, 1) == 'r' then
      rooms[#rooms + 1] = string.sub(field, 2)
    end
  end
  return rooms
end

-- The clients of a user in a namespace with a record in this partition.
local function clients_of(namespace, user)
  return key('us', namespace .. ',' .. user)
end

-- Removes a client's record, and its entry in every list.
local function remove_client(number, namespace, client)
  local name = namespace .. ',' .. client
  local user = call('HGET', key('c', name), 'u')
  if user then
    call('SREM', clients_of(namespace, user), client)
  end
  call('DEL', key('c', name))
  call('SREM', key('nc', number), name)
  call('SREM', key('cs', namespace), client)
end

-- `room` is the namespace, a comma and the room's id: no namespace contains a comma. Returns nothing for other text.
local function room_parts(room)
  local comma = string.find(room, ',', 1, true)
  if comma then
    return string.sub(room, 1, comma - 1), string.sub(room, comma + 1)
  end
end

-- An entry of an incarnation's memberships is the client, a line break and the room. Returns nothing for other text.
-- The name of a member that another program wrote may contain line breaks.
local function membership_parts(entry)
  return string.match(entry, '^(.*)\n([^\n]*,.*)$')
end

-- Rooms are counted as well as listed, to distinguish a lost list from a namespace without rooms.
local function list_room(namespace, id)
  if call('SADD', key('rs', namespace), id) == 1 then
    call('HINCRBY', P .. ':st', 'rooms:' .. namespace, 1)
  end
end

local function unlist_room(namespace, id)
  if call('SREM', key('rs', namespace), id) == 1 and call('HINCRBY', P .. ':st', 'rooms:' .. namespace, -1) <= 0 then
    call('HDEL', P .. ':st', 'rooms:' .. namespace)
  end
end

local function create_room(room, uid, at)
  call('HSET', key('r', room), 'uid', uid, 'created', at, 'updated', at, 'ver', 0)
  list_room(room_parts(room))
end

-- Whether a room without a record has members: its record was lost, and with it its capacity. Their nodes restore it.
local function lost_its_record(room)
  if call('HLEN', key('m', room)) == 0 then
    return false
  end
  -- Listed, so that it is found if its members belong to no incarnation.
  list_room(room_parts(room))
  return true
end

local function add_member(number, client, room, at)
  call('HSET', key('m', room), client, number)
  call('SADD', key('n', number), client .. '\n' .. room)
  call('HSET', key('r', room), 'updated', at)
end

-- Ends a membership if it is this incarnation's, according to the room, or to the incarnation's own list if the room
-- has no valid incarnation. Removes the room with its last member unless something keeps it.
local function expel(number, client, room, at)
  local members = key('m', room)
  local is_listed = call('SREM', key('n', number), client .. '\n' .. room) == 1
  local was = call('HGET', members, client)
  if was ~= number and (not is_listed or was and name_of(was)) then
    return false
  end
  call('HDEL', members, client)
  local record = key('r', room)
  if call('EXISTS', members) == 0 then
    local kept = call('HMGET', record, 'keep', 'closed')
    if not kept[1] and kept[2] ~= '1' then
      local namespace, id = room_parts(room)
      call('DEL', record)
      unlist_room(namespace, id)
      return true
    end
  end
  call('HSET', record, 'updated', at)
  return true
end

-- The settings that a node needs to restore a room that the server lost.
local function settings_of(room)
  return call('HMGET', key('r', room), 'name', 'cap', 'closed', 'keep', 'meta', 'created')
end

local function apply_settings(room, version, settings)
  local record = key('r', room)
  local fields = { 'name', 'cap', 'closed', 'keep', 'meta', 'created' }
  for index, field in ipairs(fields) do
    local value = settings[index]
    if type(value) == 'string' then
      call('HSET', record, field, value)
    else
      call('HDEL', record, field)
    end
  end
  call('HSET', record, 'ver', version)
end

local function room_record(room)
  local record = call('HMGET', key('r', room), 'uid', 'name', 'cap', 'closed', 'meta', 'created', 'updated', 'ver')
  if not record[1] then
    return false
  end
  record[9] = call('HKEYS', key('m', room))
  return record
end

-- The record of a client for readers; false if no incarnation has it.
local function client_record(namespace, client)
  local record = call('HGETALL', key('c', namespace .. ',' .. client))
  for index = 1, #record, 2 do
    if record[index] == 'o' then
      local owner = name_of(record[index + 1])
      return owner and { client, owner, record }
    end
  end
  return false
end
