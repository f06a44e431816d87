-- Makes a room's record readable again, with this uid if its own was lost. Unreadable settings are removed, so that a
-- node that knows the settings restores them; if that will follow, the operator is not notified.
local function mend_record(room, uid, at, is_given_again)
  local record, fields = key('r', room), unreadable_fields(room)
  for _, field in ipairs(fields) do
    if field == 'uid' then
      call('HSET', record, field, uid)
    elseif field == 'created' or field == 'updated' then
      call('HSET', record, field, at)
    elseif field ~= 'ver' then
      call('HDEL', record, field)
      if not is_given_again then
        note('what was set cannot be read and is gone, set it again', record .. ' ' .. field)
      end
    end
  end
  if #fields > 0 then
    call('HSET', record, 'ver', 0)
  end
end
