-- Fences an incarnation and removes its entries, a part at a time. ARGV: the calling incarnation (empty when an
-- incarnation ends itself), the incarnation, the largest number of entries, a token, actions. A call that is repeated
-- after a lost answer repeats its token, and gets the same answer. Actions:
--   f  fence it if its lease has expired, and do nothing else otherwise
--   F  fence it whatever its lease is: the partition of leases decided that
--   m  remove memberships      c  remove clients, if no membership is left here
--   u  memberships and the records of their clients are in one partition: update both
--   x  forget the incarnation if it has no entries left here
local by, incarnation, limit, token, doing = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local function wants(letter)
  return string.find(doing, letter, 1, true)
end
if by ~= '' and not leased_number(by) then
  return { 'FENCED' }
end
local answered = token ~= '' and call('HGET', P .. ':reaped', by)
if answered then
  local is_readable
  is_readable, answered = pcall(cmsgpack.unpack, answered)
  if is_readable and type(answered) == 'table' and answered[1] == token then
    return answered[2]
  end
end
-- The caller reports the removals. A node that was only cut off reads them when it is back.
local function remember_reaped(entries)
  for _, entry in ipairs(entries) do
    call('SADD', key('gone', incarnation), entry)
  end
  if #entries > 0 then
    call('EXPIRE', key('gone', incarnation), 86400)
  end
end
local at = now()
if not number_of(incarnation) then
  mend_incarnations()
end
local number = leased_number(incarnation)
if number then
  if wants('f') and tonumber(call('ZSCORE', P .. ':lease', number) or '0') > at then
    return { 'OK', 'ALIVE' }
  end
  fence(incarnation, number, at)
else
  number = number_in('dead', incarnation)
  if not number then
    return { 'OK', 'NONE' }
  end
end
local memberships, clients = key('n', number), key('nc', number)
local left, gone = {}, {}
if wants('m') then
  for _, entry in ipairs(call('SRANDMEMBER', memberships, limit)) do
    local client, room = membership_parts(entry)
    if client and expel(number, client, room, at) then
      left[#left + 1] = entry
      if wants('u') then
        local namespace, id = room_parts(room)
        local record = key('c', namespace .. ',' .. client)
        if call('HGET', record, 'o') == number then
          call('HDEL', record, 'r' .. id)
        end
      end
    else
      call('SREM', memberships, entry)
    end
  end
end
if wants('c') and call('SCARD', memberships) == 0 then
  for _, client in ipairs(call('SPOP', clients, limit)) do
    local namespace, id = room_parts(client)
    local owner = namespace and call('HGET', key('c', client), 'o')
    if namespace and (not owner or owner == number) then
      remove_client(number, namespace, id)
      gone[#gone + 1] = client
    end
  end
end
remember_reaped(left)
remember_reaped(gone)
local remaining = call('SCARD', memberships) + call('SCARD', clients)
if wants('x') and remaining == 0 then
  call('HDEL', P .. ':dead', incarnation)
  call('DEL', key('l', number))
  call('HDEL', P .. ':st', 'incarnation:' .. number)
  call('HDEL', P .. ':reaped', incarnation)
  call('ZREM', P .. ':lease', number)
end
local answer = { 'OK', 'DEAD', call('SCARD', memberships), call('SCARD', clients), left, gone }
if token ~= '' and #left + #gone > 0 then
  call('HSET', P .. ':reaped', by, cmsgpack.pack({ token, answer }))
end
return answer
