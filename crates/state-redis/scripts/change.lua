-- Changes a room's settings and tells the nodes that have members. ARGV: room, uid for a new room, field, value (none:
-- the field is removed), whether a missing room is created, channel, head of the message.
local room, uid, field, value, creates, channel, head = unpack(ARGV)
local record = key('r', room)
local at = now()
if call('EXISTS', record) == 0 then
  if creates ~= '1' then
    return { 'MISSING' }
  end
  if recovers(at) then
    return { 'RECOVERING' }
  end
  create_room(room, uid, at)
end
if value == '' then
  call('HDEL', record, field)
else
  call('HSET', record, field, value)
end
call('HSET', record, 'updated', at)
local version = call('HINCRBY', record, 'ver', 1)
call('SPUBLISH', channel, head .. cjson.encode({ room, call('HGET', record, 'uid'), version, settings_of(room) }))
return { 'OK', version, settings_of(room), room_record(room) }
