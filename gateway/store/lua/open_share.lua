-- Opens this shard in the term that froze it, with its part of what is left of the offer's global cap.
--
-- Input
--   KEYS[1]  epoch of this shard: text
--   KEYS[2]  global counts of this shard: hash of offer to count
--   KEYS[3]  shares of global caps of this shard: hash of offer to share, see include/share
--   ARGV[1]  the epoch that is expected
--   ARGV[2]  offer
--   ARGV[3]  maker of the term
--   ARGV[4]  level: the cap that all ceilings stay below together; "-" for none
--   ARGV[5]  what this shard may count beyond its count; "-" without end
--   ARGV[6]  the total that was counted when all shards were frozen
--
-- Output
--   1, also when it was opened already; 0 where another term has begun
--   error BADEPOCH when this is not the epoch that is expected

--- @include "include/share"

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('BADEPOCH another one is kept')
end
local offer = ARGV[2]
local share = read_share(redis.call('HGET', KEYS[3], offer))
if share.maker ~= ARGV[3] then
  return 0
end
if share.state == 'frozen' then
  share.state, share.level = 'open', read_number(ARGV[4])
  share.ceiling = tonumber(redis.call('HGET', KEYS[2], offer) or '0') + read_number(ARGV[5])
  share.known = math.max(share.known, tonumber(ARGV[6]))
end
-- a repeat on another connection has to write as well, so that WAIT there waits for what the first one wrote
write_share(KEYS[3], offer, share)
return 1
