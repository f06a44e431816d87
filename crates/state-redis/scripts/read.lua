-- Reads records. ARGV: kind, then the arguments of the kind.
local kind = ARGV[1]
if kind == 'room' then
  return { 'OK', room_record(ARGV[2]) }
elseif kind == 'client' then
  return { 'OK', client_record(ARGV[2], ARGV[3]) }
elseif kind == 'locate' then
  local owner = call('HGET', key('c', ARGV[2] .. ',' .. ARGV[3]), 'o')
  return { 'OK', owner and name_of(owner) }
elseif kind == 'nodes' then
  local nodes = {}
  for _, incarnations in ipairs({ call('HGETALL', P .. ':incarnations'), call('HGETALL', P .. ':dead') }) do
    for index = 1, #incarnations, 2 do
      local number = incarnations[index + 1]
      nodes[#nodes + 1] = { incarnations[index], call('SCARD', key('nc', number)), call('SCARD', key('n', number)) }
    end
  end
  return { 'OK', nodes }
elseif kind == 'incarnations' then
  return { 'OK', call('HKEYS', P .. ':incarnations'), call('HKEYS', P .. ':dead') }
elseif kind == 'removed' then
  -- ARGV: incarnation, the client's name, then client, room and the room's uid of each membership.
  local incarnation, number = ARGV[2], number_of(ARGV[2])
  local rooms = {}
  for index = 4, #ARGV, 3 do
    local client, room, uid = ARGV[index], ARGV[index + 1], ARGV[index + 2]
    local deleted = call('HGET', key('del', uid), client)
    local removed = call('SISMEMBER', key('gone', incarnation), client .. '\n' .. room) == 1
      or deleted and (deleted == number or not number)
    rooms[#rooms + 1] = removed and 1 or 0
  end
  return { 'OK', call('SISMEMBER', key('gone', incarnation), ARGV[3]), rooms }
end
return { 'OK', false }
