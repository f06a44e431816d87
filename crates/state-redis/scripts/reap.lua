-- Fences a life and takes what is left of it, a part at a time. ARGV: who cleans up (nobody when a life ends itself),
-- the life, how many entries at most, a token, what to do. Who repeats a call because the answer was lost repeats its
-- token, and gets the answer. What to do:
--   f  fence it if its lease ran out, and do nothing else if not
--   F  fence it whatever its lease says: that was decided in the partition of leases
--   m  take memberships        c  take clients, when no membership is left here
--   u  memberships and the records of their clients are in one partition: keep both in step
--   x  forget the life when nothing of it is left here
local by, life, limit, token, doing = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local function wants(letter)
  return string.find(doing, letter, 1, true)
end
if by ~= '' and not held(by) then
  return { 'FENCED' }
end
local answered = token ~= '' and call('HGET', P .. ':reaped', by)
if answered then
  answered = cmsgpack.unpack(answered)
  if answered[1] == token then
    return answered[2]
  end
end
local at = now()
local number = held(life)
if number then
  if wants('f') and tonumber(call('ZSCORE', P .. ':lease', number) or '0') > at then
    return { 'OK', 'ALIVE' }
  end
  fence(life, number, at)
else
  number = call('HGET', P .. ':dead', life)
  if not number then
    return { 'OK', 'NONE' }
  end
end
local memberships, clients = key('n', number), key('nc', number)
local left, gone = {}, {}
if wants('m') then
  for _, entry in ipairs(call('SRANDMEMBER', memberships, limit)) do
    local line = string.find(entry, '\n', 1, true)
    local client, room = string.sub(entry, 1, line - 1), string.sub(entry, line + 1)
    if expel(number, client, room, at) then
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
    if call('HGET', key('c', client), 'o') == number then
      local namespace, id = room_parts(client)
      remove_client(number, namespace, id)
      gone[#gone + 1] = client
    end
  end
end
local remaining = call('SCARD', memberships) + call('SCARD', clients)
if wants('x') and remaining == 0 then
  call('HDEL', P .. ':dead', life)
  call('DEL', key('l', number))
  call('HDEL', P .. ':reaped', life)
  call('ZREM', P .. ':lease', number)
end
local answer = { 'OK', 'DEAD', call('SCARD', memberships), call('SCARD', clients), left, gone }
if token ~= '' and #left + #gone > 0 then
  call('HSET', P .. ':reaped', by, cmsgpack.pack({ token, answer }))
end
return answer
