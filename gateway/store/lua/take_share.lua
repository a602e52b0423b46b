-- Second step of a move: adds to this shard what another has given, once for each move.
-- Or only notes a total that was reached over all shards, which tells a shard without room that there is none elsewhere.
--
-- Input
--   KEYS[1]  epoch of this shard: text
--   KEYS[2]  shares of global caps of this shard: hash of offer to share, see include/share
--   KEYS[3]  note of this move: text
--   ARGV[1]  the epoch that is expected
--   ARGV[2]  offer
--   ARGV[3]  maker of the term
--   ARGV[4]  how much was given, perhaps 0
--   ARGV[5]  a total that all shards together have counted
--   ARGV[6]  life of the note in seconds
--
-- Output
--   1 when it was added, 0 where it had been before or another term has begun
--   error BADEPOCH when this is not the epoch that is expected

--- @include "include/share"

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('BADEPOCH another one is kept')
end
local offer = ARGV[2]
local share = read_share(redis.call('HGET', KEYS[2], offer))
if redis.call('EXISTS', KEYS[3]) == 1 then
  -- a repeat on another connection has to write as well, so that WAIT there waits for what the first one wrote
  redis.call('EXPIRE', KEYS[3], ARGV[6])
  return 0
end
if share.maker ~= ARGV[3] or share.state ~= 'open' then
  return 0
end
share.ceiling = share.ceiling + tonumber(ARGV[4])
share.known = math.max(share.known, tonumber(ARGV[5]))
write_share(KEYS[2], offer, share)
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[6])
return 1
