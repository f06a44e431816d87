-- Removes invalid entries of an incarnation, also if a room has such a member. ARGV: incarnation, kind of the list,
-- entries.
local number = leased_number(ARGV[1])
if not number then
  return { 'FENCED' }
end
local at = now()
for index = 3, #ARGV do
  local client, room = membership_parts(ARGV[index])
  if client then
    expel(number, client, room, at)
  end
  call('SREM', key(ARGV[2], number), ARGV[index])
end
note('entries that cannot be read were removed', key(ARGV[2], number))
return { 'OK' }
