-- Checks a step of a list, repairs inconsistent entries, and removes those of no incarnation. ARGV: incarnation, kind,
-- cursor, count, whether records and memberships are in one partition, how long in ms a node may still restore entries
-- of no incarnation, namespace, and for members the room's id. Kinds:
--   clients  those of a namespace        rooms  those of a namespace, with their members if there are few
--   members  those of one room           keys   those of rooms, after a list of rooms was lost
-- Returns the next cursor, the memberships and the clients that were removed, and rooms with members left. If a list of
-- rooms is shorter than the count, the last cursor is `lost`.
local incarnation, kind, cursor, count, single = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local patience, namespace = tonumber(ARGV[6]), ARGV[7]
if not leased_number(incarnation) then
  return { 'FENCED' }
end
local at, left, gone, large = now(), {}, {}, {}
if recovers(at) then
  -- Missing entries are being restored.
  return { 'OK', '0', left, gone, large }
end

-- How long in ms a mark is valid: a few checks of the lists more than necessary.
local longest = 2 * patience + 600000

-- Whether the incarnation of this number has been unknown for so long that no node will restore its client. The first
-- time it is only marked, with the time: if its client is connected, the client's node restores it soon. An older mark
-- is not from a check of the lists.
local function is_abandoned(number, record, field)
  local since = tonumber(string.match(number, '^%?(%d+)$') or '')
  if since and since <= at and at - since <= longest then
    return at - since >= patience
  end
  call('HSET', record, field, '?' .. string.format('%.0f', at))
  return false
end

-- Adds an entry to the list of its incarnation, so that its node, or the node that cleans up after it, decides.
local function sweep_member(room, client, number)
  if name_of(number) then
    call('SADD', key('n', number), client .. '\n' .. room)
  elseif is_abandoned(number, key('m', room), client) and expel(number, client, room, at) then
    left[#left + 1] = client .. '\n' .. room
    note('a member that no node holds was removed', key('m', room))
  end
end

local function sweep_members(room, members)
  for index = 1, #members, 2 do
    sweep_member(room, members[index], members[index + 1])
  end
end

-- The largest number of members that a step checks, of all its rooms.
local budget = 300

local function sweep_room(id)
  local room = namespace .. ',' .. id
  local members = call('HLEN', key('m', room))
  if members > budget then
    large[#large + 1] = id
  else
    budget = budget - members
    sweep_members(room, call('HGETALL', key('m', room)))
  end
  if call('HLEN', key('m', room)) > 0 then
    -- Nodes with members restore its record.
    return
  end
  if call('EXISTS', key('r', room)) == 1 then
    -- No node remembers a uid that was lost.
    mend_record(room, table.concat(call('TIME')), at)
  elseif call('SISMEMBER', key('rs', namespace), id) == 1 then
    -- Only an operator can restore it: it remains in the list until it is reported.
    if note('a room was lost, create it again if it was created by name', key('r', room)) then
      unlist_room(namespace, id)
    end
  end
end

local function sweep_client(id)
  local name = namespace .. ',' .. id
  local record = key('c', name)
  local known = call('HMGET', record, 'o', 'u')
  local owner, user = known[1], known[2]
  if not owner then
    -- The node that has such a client registers it again.
    call('SREM', key('cs', namespace), id)
  elseif name_of(owner) then
    call('SADD', key('nc', owner), name)
  elseif is_abandoned(owner, record, 'o') then
    for _, room in ipairs(single and rooms_of(record) or {}) do
      local whole = namespace .. ',' .. room
      local number = call('HGET', key('m', whole), id)
      if number and not name_of(number) and expel(number, id, whole, at) then
        left[#left + 1] = id .. '\n' .. whole
      end
    end
    remove_client(owner, namespace, id)
    gone[#gone + 1] = name
    note('a client that no node holds was removed', record)
  end
  -- Some other clients of the same user: a small set is checked completely, a large one over time.
  for _, other in ipairs(user and call('SRANDMEMBER', clients_of(namespace, user), 3) or {}) do
    if call('HGET', key('c', namespace .. ',' .. other), 'u') ~= user then
      call('SREM', clients_of(namespace, user), other)
    end
  end
end

-- Escapes any character for a pattern.
local function literally(text)
  return (string.gsub(text, '[%*%?%[%]\\^-]', '\\%0'))
end

if kind == 'clients' or kind == 'rooms' then
  local step = call('SSCAN', key(kind == 'clients' and 'cs' or 'rs', namespace), cursor, 'COUNT', count)
  for _, id in ipairs(step[2]) do
    if kind == 'clients' then
      sweep_client(id)
    else
      sweep_room(id)
    end
  end
  cursor = step[1]
  if kind == 'rooms' and cursor == '0' then
    local counted = call('HGET', P .. ':st', 'rooms:' .. namespace) or '0'
    if tonumber(counted) ~= call('SCARD', key('rs', namespace)) then
      cursor = 'lost'
    end
  end
elseif kind == 'members' then
  local room = namespace .. ',' .. ARGV[8]
  local step = call('HSCAN', key('m', room), cursor, 'COUNT', count)
  sweep_members(room, step[2])
  cursor = step[1]
elseif kind == 'keys' then
  local begin = key('r', namespace .. ',')
  local step = call('SCAN', cursor, 'MATCH', literally(begin) .. '*', 'COUNT', count)
  for _, record in ipairs(step[2]) do
    if call('HGET', record, 'uid') then
      call('SADD', key('rs', namespace), string.sub(record, #begin + 1))
    end
  end
  cursor = step[1]
  if cursor == '0' then
    local rooms = call('SCARD', key('rs', namespace))
    if rooms > 0 then
      call('HSET', P .. ':st', 'rooms:' .. namespace, rooms)
    else
      call('HDEL', P .. ':st', 'rooms:' .. namespace)
    end
    note('a list of rooms was made anew', key('rs', namespace))
  end
end
return { 'OK', cursor, left, gone, large }
