-- A partition has each incarnation twice: by name in `incarnations` or `dead`, and by number in `st`. Lost or damaged
-- entries of one are restored from the other.

-- Whether a text is a valid name of an incarnation: a node id without control characters, of which some are beyond
-- ASCII, a dot and 16 digits.
local function is_incarnation(text)
  local node, digits = string.match(text, '^([^%c]+)%.([0-9a-f]+)$')
  return node and #node <= 128 and #digits == 16 and is_utf8(text) and not string.find(node, '\194[\128-\159]')
end

-- The incarnations by number, from `st`, and the greatest number. Removes fields of `st` that cannot be read, or that
-- must be numbers and are not.
local function incarnations_by_number()
  local st, incarnations, most = call('HGETALL', P .. ':st'), {}, 0
  for index = 1, #st, 2 do
    local field, value = st[index], st[index + 1]
    local number = string.match(field, '^incarnation:(%d+)$')
    if is_number(number) and is_incarnation(value) then
      incarnations[number] = value
      most = math.max(most, tonumber(number))
    elseif field ~= 'run' and field ~= 'notes' and not (is_number(value) and is_utf8(field)) then
      call('HDEL', P .. ':st', field)
      note('a value that cannot be read was removed', P .. ':st' .. ' ' .. field)
    end
  end
  return incarnations, most
end

local function mend_incarnations()
  local incarnations, most = incarnations_by_number()
  local agreed, open, was = {}, {}, {}
  for _, list in ipairs({ 'dead', 'incarnations' }) do
    local entries = call('HGETALL', P .. ':' .. list)
    for index = 1, #entries, 2 do
      local incarnation, number = entries[index], entries[index + 1]
      if incarnations[number] == incarnation and not agreed[incarnation] then
        agreed[incarnation] = number
      else
        open[#open + 1] = { list, incarnation, number }
        was[incarnation] = was[incarnation] or list
      end
    end
  end
  for number, incarnation in pairs(incarnations) do
    if not agreed[incarnation] then
      -- Only `st` has its name.
      local list = was[incarnation] or call('ZSCORE', P .. ':over', incarnation) and 'dead' or 'incarnations'
      call('HSET', P .. ':' .. list, incarnation, number)
      agreed[incarnation] = number
      was[incarnation] = list
      note('an incarnation was put back', P .. ':' .. list)
    elseif agreed[incarnation] ~= number then
      call('HDEL', P .. ':st', 'incarnation:' .. number)
      -- Free for the incarnation that the list assigns it to.
      incarnations[number] = nil
    end
  end
  for _, entry in ipairs(open) do
    local list, incarnation, number = unpack(entry)
    if agreed[incarnation] then
      if was[incarnation] ~= list then
        call('HDEL', P .. ':' .. list, incarnation)
      end
    elseif is_incarnation(incarnation) and is_number(number) and not incarnations[number] then
      call('HSET', P .. ':st', 'incarnation:' .. number, incarnation)
      agreed[incarnation] = number
      incarnations[number] = incarnation
      was[incarnation] = list
      most = math.max(most, tonumber(number))
      note('an incarnation was put back', P .. ':st')
    else
      -- Its node begins it again.
      call('HDEL', P .. ':' .. list, incarnation)
      note('an entry that cannot be read was removed', P .. ':' .. list)
    end
  end
  if most > (tonumber(call('HGET', P .. ':st', 'next') or '') or 0) then
    call('HSET', P .. ':st', 'next', most)
  end
end

-- For the partition of leases, after `mend_incarnations`: each live incarnation has a lease, and each ended one has
-- none.
local function mend_leases(at, lease)
  for number, incarnation in pairs((incarnations_by_number())) do
    local ends = tonumber(call('ZSCORE', P .. ':lease', number) or '')
    if call('HGET', P .. ':dead', incarnation) == number then
      if ends ~= 0 then
        call('ZADD', P .. ':lease', 0, number)
      end
    else
      local latest = deadline(at, lease_of(number, lease))
      if not ends or ends > latest + 1000 then
        call('ZADD', P .. ':lease', latest, number)
      end
    end
  end
  for _, number in ipairs(call('ZRANGE', P .. ':lease', 0, -1)) do
    if not name_of(number) then
      call('ZREM', P .. ':lease', number)
    end
  end
end
