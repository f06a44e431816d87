-- Notes which run of the server the partition's data belongs to. Data of another run was read from a disk or copied from
-- another server, and may lack what was written last. ARGV: the run, how long to refuse newcomers then in ms.
local known = call('HGET', P .. ':st', 'run')
if known ~= ARGV[1] then
  call('HSET', P .. ':st', 'run', ARGV[1])
  if known then
    recover(now(), tonumber(ARGV[2]))
  end
end
return { 'OK' }
