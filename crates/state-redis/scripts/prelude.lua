-- What all scripts share. KEYS[1] is the hash of lives that hold a lease, KEYS[2] the prefix of all keys of the
-- partition, which is no key itself. While the partition's slot moves to another server, one of the two is always
-- missing there, so that the server answers TRYAGAIN instead of running a script on half of the keys.
local P = KEYS[2]
local call = redis.call

local function key(kind, name)
  return P .. ':' .. kind .. ':' .. name
end

local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The number by which this partition knows a life that holds its lease.
local function held(life)
  return call('HGET', P .. ':lives', life)
end

-- As `held`, also for a life that is over and not cleaned up yet.
local function number_of(life)
  return held(life) or call('HGET', P .. ':dead', life)
end

local function name_of(number)
  return call('HGET', key('l', number), 'name')
end

-- Counts a write of a life: a server that came back with older data shows a lower count.
local function wrote(number)
  return call('HINCRBY', key('l', number), 'seq', 1)
end

-- Whether data was lost a moment ago: members and their rooms are on their way back, and nothing new takes their place.
local function recovers(at)
  local span = call('HMGET', P .. ':st', 'lost', 'recovery')
  -- A clock that went back to before the loss says nothing of how long it is ago.
  return span[2] and tonumber(span[1]) <= at + 1000 and tonumber(span[2]) > at
end

local function recover(at, grace)
  if not recovers(at) then
    call('HSET', P .. ':st', 'lost', at, 'recovery', at + grace)
  end
end

-- Whether the server has fewer writes of a life than it confirmed: it came back with older data.
local function is_behind(number, confirmed)
  return tonumber(call('HGET', key('l', number), 'seq')) < tonumber(confirmed)
end

local function begin_life(life)
  local number = tostring(call('HINCRBY', P .. ':st', 'next', 1))
  call('HSET', P .. ':lives', life, number)
  call('HSET', key('l', number), 'name', life, 'seq', 0)
  return number
end

-- Until when a life that renewed its lease now is not taken for lost. The fifth on top is for a node that was cut off
-- for nearly as long as its lease lasts, and is about to connect again.
local function deadline(at, lease)
  return at + math.floor(lease * 1.2)
end

-- Ends a life for ever: from here on it writes nothing.
local function fence(life, number, at)
  call('HDEL', P .. ':lives', life)
  call('HSET', P .. ':dead', life, number)
  call('ZADD', P .. ':over', at, life)
  if call('ZSCORE', P .. ':lease', number) then
    call('ZADD', P .. ':lease', 0, number)
  end
end

-- The rooms that a client's record names.
local function rooms_of(record)
  local rooms = {}
  for _, field in ipairs(call('HKEYS', record)) do
    if string.sub(field, 1, 1) == 'r' then
      rooms[#rooms + 1] = string.sub(field, 2)
    end
  end
  return rooms
end

-- The clients of a user in a namespace, as far as their records are in this partition.
local function clients_of(namespace, user)
  return key('us', namespace .. ',' .. user)
end

-- Takes a client's record away, with its place in every list.
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

-- `room` is the namespace, a comma and the room's id: no namespace has a comma.
local function room_parts(room)
  local comma = string.find(room, ',', 1, true)
  return string.sub(room, 1, comma - 1), string.sub(room, comma + 1)
end

local function create_room(room, uid, at)
  local namespace, id = room_parts(room)
  call('HSET', key('r', room), 'uid', uid, 'created', at, 'updated', at, 'ver', 0)
  call('SADD', key('rs', namespace), id)
end

local function add_member(number, client, room, at)
  call('HSET', key('m', room), client, number)
  call('SADD', key('n', number), client .. '\n' .. room)
  call('HSET', key('r', room), 'updated', at)
end

-- Ends a membership if it is this life's; the room ceases to exist with its last member unless something keeps it.
local function expel(number, client, room, at)
  local members = key('m', room)
  if call('HGET', members, client) ~= number then
    return false
  end
  call('HDEL', members, client)
  call('SREM', key('n', number), client .. '\n' .. room)
  local record = key('r', room)
  if call('EXISTS', members) == 0 then
    local kept = call('HMGET', record, 'keep', 'closed')
    if not kept[1] and kept[2] ~= '1' then
      local namespace, id = room_parts(room)
      call('DEL', record)
      call('SREM', key('rs', namespace), id)
      return true
    end
  end
  call('HSET', record, 'updated', at)
  return true
end

-- What a node must know of a room to bring it back when the server lost it.
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

local function client_record(namespace, client)
  local record = call('HGETALL', key('c', namespace .. ',' .. client))
  if #record == 0 then
    return false
  end
  local owner = false
  for index = 1, #record, 2 do
    if record[index] == 'o' then
      owner = name_of(record[index + 1])
    end
  end
  return { client, owner, record }
end
