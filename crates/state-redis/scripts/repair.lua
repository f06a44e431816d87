-- Repairs a partition's lists of incarnations. ARGV: incarnation, lease in ms, whether this is the partition of leases,
-- how often in ms one of the nodes checks lists. Returns whether it is this node's turn to check them, and the
-- namespaces with rooms.
local incarnation, lease, home, every = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local at = now()
mend_incarnations()
if not leased_number(incarnation) then
  return { 'FENCED' }
end
local turn = 0
if home == '1' then
  mend_leases(at, lease)
  local last = tonumber(call('HGET', P .. ':st', 'swept') or '')
  -- While data is being restored, lists contain entries that are still missing.
  if (not last or last > at or at - last >= every) and not recovers(at) then
    call('HSET', P .. ':st', 'swept', at)
    turn = 1
  end
end
local namespaces, st = {}, call('HKEYS', P .. ':st')
for _, field in ipairs(st) do
  namespaces[#namespaces + 1] = string.match(field, '^rooms:(.+)$')
end
return { 'OK', turn, namespaces }
