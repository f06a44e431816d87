-- Reads records. ARGV: kind, then what the kind needs.
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
  for _, lives in ipairs({ call('HGETALL', P .. ':lives'), call('HGETALL', P .. ':dead') }) do
    for index = 1, #lives, 2 do
      local number = lives[index + 1]
      nodes[#nodes + 1] = { lives[index], call('SCARD', key('nc', number)), call('SCARD', key('n', number)) }
    end
  end
  return { 'OK', nodes }
elseif kind == 'lives' then
  return { 'OK', call('HKEYS', P .. ':lives'), call('HKEYS', P .. ':dead') }
end
return { 'OK', false }
