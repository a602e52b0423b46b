-- Reads a profile.
--
-- Input
--   KEYS[1]  home of the profile: hash of born, origin, linked, attributes, changed, revision, modified, until
--   KEYS[2]  alias of the identity: `<home> <born> <link>`
--   KEYS[3]  identities of the profile: hash of digests, each { namespace, id, link, listed s, pending }
--   KEYS[4]  events of the profile: sorted by member, which begins with 28 digits
--   ARGV[1]  digest of the identity by whose alias the caller came; empty for none
--   ARGV[2]  birth that the alias names
--   ARGV[3]  what is wanted: sight, view, state, events
--   ARGV[4]  how many events at most, newest first; -1 for all, oldest first
--
-- Output
--   { 'found', ... }: nothing more for sight; origin, attributes, events for view; origin, attributes, born, linked,
--   revision, changed, modified, count of events, identities for state; events for events
--   { 'unknown' }, { 'alias', alias }, { 'dangling' }

--- @include "include/check_way"

local keys = { home = KEYS[1], alias = KEYS[2], identities = KEYS[3] }
local events, most = KEYS[4], tonumber(ARGV[4])

local function read_events()
  local rows = most < 0 and redis.call('ZRANGE', events, 0, -1)
    or most > 0 and redis.call('ZREVRANGE', events, 0, most - 1)
    or {}
  for at, row in ipairs(rows) do
    rows[at] = string.sub(row, 29)
  end
  return rows
end

local elsewhere = check_way(keys, ARGV[1], ARGV[2])
if elsewhere then
  return elsewhere
end
local wanted = ARGV[3]
if redis.call('EXISTS', keys.home) == 0 then
  return { 'unknown' }
elseif wanted == 'sight' then
  return { 'found' }
elseif wanted == 'events' then
  return { 'found', read_events() }
end
local names = { 'origin', 'attributes', 'born', 'linked', 'revision', 'changed', 'modified' }
local found = redis.call('HMGET', keys.home, unpack(names))
if wanted == 'view' then
  return { 'found', found[1], found[2], read_events() }
end
return { 'found', found, redis.call('ZCARD', events), redis.call('HGETALL', keys.identities) }
