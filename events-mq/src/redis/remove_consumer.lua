-- Removes a consumer of a group unless it has entries, which would be lost with it, or was heard of within ARGV[3] milliseconds.
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local is = {}
  for n = 1, #consumer, 2 do
    is[consumer[n]] = consumer[n + 1]
  end
  if is.name == ARGV[2] and is.pending == 0 and is.idle >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  end
end
