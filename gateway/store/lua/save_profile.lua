-- Replaces the attributes of a profile, or makes the profile.
--
-- Input
--   KEYS[1]  home of the profile
--   KEYS[2]  alias of the identity
--   KEYS[3]  identities of the profile
--   KEYS[4]  events of the profile
--   KEYS[5]  ids of recent events
--   KEYS[6]  what became of this write
--   ARGV[1]  digest of the identity by whose alias the caller came; empty for none
--   ARGV[2]  birth that the alias names
--   ARGV[3]  name of a birth that happens here
--   ARGV[4]  origin: JSON [namespace, id] of the identity the profile is made with
--   ARGV[5]  life of the profile in milliseconds, 0 for ever
--   ARGV[6]  life of the verdict in seconds
--   ARGV[7]  attributes as JSON
--   ARGV[8]  revision the profile must be at; 0: there must be none, -1: any or none, -2: there must be one
--   ARGV[9]  revision the attributes must be of; -1: any
--
-- Output
--   { 'saved', revision, '1' where it is new, '1' where its aliases should be renewed }
--   { 'stale', revision }, { 'unknown' }, { 'alias', alias }, { 'dangling' }: nothing was written

--- @include "include/check_way"
--- @include "include/open_home"
--- @include "include/prolong"
--- @include "include/remember"

local keys = { home = KEYS[1], alias = KEYS[2], identities = KEYS[3], events = KEYS[4], seen = KEYS[5] }
local verdict_key, expected, basis = KEYS[6], tonumber(ARGV[8]), ARGV[9]
local origin, attributes = ARGV[4], ARGV[7]
local SOME = -2

local remembered = redis.call('GET', verdict_key)
if remembered then
  return cjson.decode(remembered)
end
local elsewhere = check_way(keys, ARGV[1], ARGV[2])
if elsewhere then
  return elsewhere
end

local found = redis.call('HMGET', keys.home, 'revision', 'changed')
if not found[1] and (expected > 0 or expected == SOME) then
  return { 'unknown' }
elseif found[1] and (expected >= 0 and tonumber(found[1]) ~= expected or basis ~= '-1' and basis ~= found[2]) then
  return { 'stale', found[1] }
end

local revision, is_new = open_home(keys, ARGV[3], origin)
redis.call('HSET', keys.home, 'attributes', attributes, 'changed', revision)
local due = prolong(keys, tonumber(ARGV[5]))
return remember(verdict_key, ARGV[6], { 'saved', revision, is_new and '1' or '0', due })
