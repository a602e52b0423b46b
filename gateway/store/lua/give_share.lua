-- First step of a move: takes unspent share away from this shard. Half of what there is, at least what is wanted.
-- The move is noted, so that a repeat takes nothing more. What is given and never taken is lost to its term only.
--
-- Input
--   KEYS[1]  epoch of this shard: text
--   KEYS[2]  global counts of this shard: hash of offer to count
--   KEYS[3]  shares of global caps of this shard: hash of offer to share, see include/share
--   KEYS[4]  note of this move: text, what was given
--   ARGV[1]  the epoch that is expected
--   ARGV[2]  offer
--   ARGV[3]  maker of the term
--   ARGV[4]  how much is wanted
--   ARGV[5]  life of the note in seconds
--
-- Output
--   how much was given, 0 where there is nothing to give or another term has begun
--   error BADEPOCH when this is not the epoch that is expected

--- @include "include/share"

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('BADEPOCH another one is kept')
end
local noted = redis.call('GET', KEYS[4])
if noted then
  -- a repeat on another connection has to write as well, so that WAIT there waits for what the first one wrote
  redis.call('EXPIRE', KEYS[4], ARGV[5])
  return tonumber(noted)
end
local offer, wanted = ARGV[2], tonumber(ARGV[4])
local share = read_share(redis.call('HGET', KEYS[3], offer))
local unspent = share.ceiling - tonumber(redis.call('HGET', KEYS[2], offer) or '0')
if share.maker ~= ARGV[3] or share.state ~= 'open' or unspent < 1 or unspent == math.huge then
  return 0
end
local given = math.min(unspent, math.max(wanted, math.floor(unspent / 2)))
share.ceiling = share.ceiling - given
write_share(KEYS[3], offer, share)
redis.call('SET', KEYS[4], string.format('%.0f', given), 'EX', ARGV[5])
return given
