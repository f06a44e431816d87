-- Runs every kind of command of the other scripts once, on names that are used for nothing else, and leaves no data.
-- Returns each refused command, with its key or channel and the server's message. ARGV: channels.
local refused = {}
local function try(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    local command, name = ...
    refused[#refused + 1] = { command, name or '', answer.err }
  end
end
local hash, set, sorted = key('check', 'hash'), key('check', 'set'), key('check', 'sorted')
try('TIME')
try('DEL', hash, set, sorted)
try('EXISTS', hash)
try('HSET', hash, 'a', '1', 'b', '2')
try('HSETNX', hash, 'c', '3')
try('HINCRBY', hash, 'n', 1)
try('HGET', hash, 'a')
try('HMGET', hash, 'a', 'b')
try('HGETALL', hash)
try('HKEYS', hash)
try('HLEN', hash)
try('HEXISTS', hash, 'a')
try('HSCAN', hash, '0')
try('SCAN', '0', 'MATCH', hash, 'COUNT', 1)
try('EXPIRE', hash, 1)
try('HDEL', hash, 'a', 'b', 'c', 'n')
try('SADD', set, 'a', 'b', 'c')
try('SCARD', set)
try('SISMEMBER', set, 'a')
try('SRANDMEMBER', set, 1)
try('SSCAN', set, '0')
try('SPOP', set, 1)
try('SREM', set, 'a', 'b', 'c')
try('ZADD', sorted, 1, 'a')
try('ZSCORE', sorted, 'a')
try('ZRANGE', sorted, 0, -1)
try('ZRANGEBYSCORE', sorted, '-inf', '+inf')
try('ZSCAN', sorted, '0')
try('ZREM', sorted, 'a')
try('ZREMRANGEBYSCORE', sorted, '-inf', '+inf')
-- Reads and writes each kind of key. A key may exist, so its value is not reported.
for _, kind in ipairs({ 'c', 'del', 'l', 'm', 'r' }) do
  try('HGET', key(kind, 'check'), '')
  try('DEL', key(kind, 'check'))
end
for _, kind in ipairs({ 'cs', 'gone', 'n', 'nc', 'rs', 'us' }) do
  try('SSCAN', key(kind, 'check'), '0')
  try('DEL', key(kind, 'check'))
end
for _, kind in ipairs({ 'dead', 'incarnations', 'reaped', 'rv', 'st' }) do
  try('HGET', P .. ':' .. kind, '')
  try('HDEL', P .. ':' .. kind, '')
end
for _, kind in ipairs({ 'lease', 'over', 'ru' }) do
  try('ZSCORE', P .. ':' .. kind, '')
  try('ZREM', P .. ':' .. kind, '')
end
for _, channel in ipairs(ARGV) do
  try('SPUBLISH', channel, '')
end
return { 'OK', refused }
