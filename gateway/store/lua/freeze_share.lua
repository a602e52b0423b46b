-- Begins a term of an offer's global cap at the first shard, or joins it at another.
-- This shard counts no more until it is opened, and what was unspent of its share is gone. The first shard gives out the
-- number of the term.
--
-- Input
--   KEYS[1]  epoch of this shard: text
--   KEYS[2]  global counts of this shard: hash of offer to count
--   KEYS[3]  shares of global caps of this shard: hash of offer to share, see include/share
--   ARGV[1]  the epoch that is expected
--   ARGV[2]  offer
--   ARGV[3]  maker of the term: an id of its own
--   ARGV[4]  number of the term; 0 at the first shard, which makes it
--   ARGV[5]  a number the new term has to exceed, as another shard has seen it
--   ARGV[6]  how long others leave a maker alone, in ms
--
-- Output
--   { 1, number of the term, count of this shard }
--   { 0, number of the term that this shard is in, 0 } where another maker's term is newer or has just begun
--   error BADEPOCH when this is not the epoch that is expected

--- @include "include/share"

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('BADEPOCH another one is kept')
end
local offer, maker, term, least, lease = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local share = read_share(redis.call('HGET', KEYS[3], offer))
local count = tonumber(redis.call('HGET', KEYS[2], offer) or '0')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

if share.maker == maker and share.state == 'frozen' then
  -- a repeat on another connection has to write as well, so that WAIT there waits for what the first one wrote
  write_share(KEYS[3], offer, share)
  return { 1, share.term, count }
end
local is_left_alone = term == 0 and share.state == 'frozen' and now - share.since < lease
if share.maker == maker or is_left_alone or (term > 0 and share.term >= term) then
  return { 0, share.term, 0 }
end

if term == 0 then
  term = math.max(share.term, least) + 1
end
write_share(KEYS[3], offer, {
  term = term, maker = maker, state = 'frozen', level = 0, ceiling = count,
  known = math.max(share.known, count), since = now,
})
return { 1, term, count }
