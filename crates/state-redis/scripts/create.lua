-- Creates a room by name. ARGV: room, uid, name or "", capacity or "", metadata or "", "1" if it is kept without members
-- or "".
local room = ARGV[1]
if call('HGET', key('r', room), 'uid') then
  return { 'EXISTS' }
end
local at = now()
if recovers(at) or lost_its_record(room) then
  return { 'RECOVERING' }
end
create_room(room, ARGV[2], at)
local record = key('r', room)
call('HSET', record, 'ver', 1)
for index, field in ipairs({ 'name', 'cap', 'meta', 'keep' }) do
  if ARGV[index + 2] ~= '' then
    call('HSET', record, field, ARGV[index + 2])
  end
end
return { 'OK', room_record(room) }
