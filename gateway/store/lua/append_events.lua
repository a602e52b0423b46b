-- Adds events to a profile, all or none, making the profile where there is none.
--
-- Input
--   KEYS[1]  home of the profile
--   KEYS[2]  alias of the identity
--   KEYS[3]  identities of the profile
--   KEYS[4]  events of the profile
--   KEYS[5]  ids of recent events: sorted by when they came, in seconds
--   KEYS[6]  what became of this write
--   ARGV[1]  digest of the identity by whose alias the caller came; empty for none
--   ARGV[2]  birth that the alias names
--   ARGV[3]  name of a birth that happens here
--   ARGV[4]  origin: JSON [namespace, id] of the identity the profile is made with
--   ARGV[5]  life of the profile in milliseconds, 0 for ever
--   ARGV[6]  life of the verdict in seconds
--   ARGV[7]  how many events are kept
--   ARGV[8]  how many ids of events are kept at most, in that time
--   ARGV[9]  how long ids of events are kept, in seconds
--   ARGV[10..n]  for each event 16 hexadecimal digits that sort by its time, digest of its id or empty, JSON
--
-- Output
--   { 'appended', how many were no duplicates, '1' where the profile's aliases should be renewed }
--   { 'full' }, { 'alias', alias }, { 'dangling' }: nothing was written

--- @include "include/check_way"
--- @include "include/open_home"
--- @include "include/prolong"
--- @include "include/remember"

local keys = { home = KEYS[1], alias = KEYS[2], identities = KEYS[3], events = KEYS[4], seen = KEYS[5] }
local verdict_key, kept, most_seen, seen_life = KEYS[6], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local remembered = redis.call('GET', verdict_key)
if remembered then
  return cjson.decode(remembered)
end
local elsewhere = check_way(keys, ARGV[1], ARGV[2])
if elsewhere then
  return elsewhere
end

local now_s = math.floor(now_us() / 1000000)
if redis.call('EXISTS', keys.home) == 1 then
  redis.call('ZREMRANGEBYSCORE', keys.seen, '-inf', now_s - seen_life)
  if redis.call('ZCARD', keys.seen) + (#ARGV - 9) / 3 > most_seen then
    return { 'full' }
  end
end
open_home(keys, ARGV[3], ARGV[4])

local added = 0
for at = 10, #ARGV, 3 do
  local id = ARGV[at + 1]
  if id == '' or redis.call('ZADD', keys.seen, 'NX', now_s, id) == 1 then
    -- Behind the time stands when the event came: events of one instant stay in the order in which they were sent.
    local order = redis.call('HINCRBY', keys.home, 'order', 1)
    redis.call('ZADD', keys.events, 0, ARGV[at] .. string.format('%012x', order) .. ARGV[at + 2])
    added = added + 1
  end
end
redis.call('ZREMRANGEBYRANK', keys.events, 0, -kept - 1)
redis.call('EXPIRE', keys.seen, seen_life)
return remember(verdict_key, ARGV[6], { 'appended', tostring(added), prolong(keys, tonumber(ARGV[5])) })
