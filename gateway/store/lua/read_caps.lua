-- Reads counts of one shard, in one step.
--
-- Input
--   KEYS[1]  epoch of this shard: text
--   KEYS[2]  global counts of this shard: hash of offer to count
--   KEYS[3]  counts of the profile: hash of offer to count
--   ARGV[1]  the epoch that is expected
--   ARGV[2..n]  scope ("g" or "p") and offer of each counter
--
-- Output
--   the count of each, empty where nothing was counted
--   error BADEPOCH when this is not the epoch that is expected

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('BADEPOCH another one is kept')
end
local counts = {}
for at = 2, #ARGV, 2 do
  counts[#counts + 1] = redis.call('HGET', ARGV[at] == 'g' and KEYS[2] or KEYS[3], ARGV[at + 1]) or ''
end
return counts
