-- Ends memberships. ARGV: the calling incarnation (empty for the deletion of a room), their incarnation, part, then
-- namespace, client and room id of each. Parts: `both`, or `expel` in the room's partition and `unclaim` in the
-- client's.
local by, incarnation, part = ARGV[1], ARGV[2], ARGV[3]
if by ~= '' and not leased_number(by) then
  return { 'FENCED' }
end
local ended = {}
local number = number_of(incarnation)
local at = now()
for index = 4, #ARGV, 3 do
  local namespace, client, room = ARGV[index], ARGV[index + 1], ARGV[index + 2]
  local was = false
  if number and part ~= 'unclaim' then
    was = expel(number, client, namespace .. ',' .. room, at)
  end
  if number and part ~= 'expel' then
    local record = key('c', namespace .. ',' .. client)
    if call('HGET', record, 'o') == number then
      call('HDEL', record, 'r' .. room)
    end
  end
  ended[#ended + 1] = was and 1 or 0
end
local seq = false
if number and by == incarnation then
  seq = wrote(number)
end
return { 'OK', seq, ended }
