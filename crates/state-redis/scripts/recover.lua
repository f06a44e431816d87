-- Records the server run that the partition's data belongs to. Data of another run was loaded from disk or copied from
-- another server, and may lack the latest writes, unless that run continues at another primary: then the slot was moved
-- completely. ARGV: the run, how long to refuse new joins then in ms, the runs of all primaries.
local known = call('HGET', P .. ':st', 'run')
if known ~= ARGV[1] then
  call('HSET', P .. ':st', 'run', ARGV[1])
  local moved = false
  for index = 3, #ARGV do
    moved = moved or known == ARGV[index]
  end
  if known and not moved then
    recover(now(), tonumber(ARGV[2]))
  end
end
return { 'OK' }
