-- Changes a room's settings and publishes them to the nodes with members. ARGV: room, uid for a new room, field, value
-- (if empty, the field is removed), whether a missing room is created, channel, header of the message.
local room, uid, field, value, creates, channel, head = unpack(ARGV)
local record = key('r', room)
local at = now()
if not call('HGET', record, 'uid') then
  if lost_its_record(room) then
    return { 'RECOVERING' }
  end
  if creates ~= '1' then
    return { 'MISSING' }
  end
  if recovers(at) then
    return { 'RECOVERING' }
  end
  create_room(room, uid, at)
elseif #unreadable_fields(room) > 0 then
  -- A node that received unreadable settings would restore them.
  return { 'RECOVERING' }
end
if value == '' then
  call('HDEL', record, field)
else
  call('HSET', record, field, value)
end
call('HSET', record, 'updated', at)
local version = count_up(record, 'ver')
local settings = cjson.encode({ room, call('HGET', record, 'uid'), version, settings_of(room) })
call('SPUBLISH', channel, head .. redis.sha1hex(settings) .. settings)
return { 'OK', version, settings_of(room), room_record(room) }
