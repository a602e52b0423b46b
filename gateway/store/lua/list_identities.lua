-- Notes at a profile's home which identities are about to be linked to it: pending, until their aliases are there.
-- Makes the profile where there is none. May be repeated.
--
-- Input
--   KEYS[1]  home of the profile
--   KEYS[2]  alias of the identity
--   KEYS[3]  identities of the profile
--   KEYS[4]  events of the profile
--   KEYS[5]  ids of recent events
--   KEYS[6]  what became of this listing
--   ARGV[1]  digest of the identity by whose alias the caller came; empty for none
--   ARGV[2]  birth that the alias names
--   ARGV[3]  name of a birth that happens here
--   ARGV[4]  origin: JSON [namespace, id] of the identity the profile is made with
--   ARGV[5]  life of the profile in milliseconds, 0 for ever
--   ARGV[6]  life of the verdict in seconds
--   ARGV[7]  name of this link
--   ARGV[8]  how many identities a profile may have
--   ARGV[9]  seconds after which a pending identity has been given up
--   ARGV[10..n]  for each identity digest, namespace, id
--
-- Output
--   { 'listed', birth of the profile }
--   { 'full' }, { 'alias', alias }, { 'dangling' }: nothing was written

--- @include "include/check_way"
--- @include "include/open_home"
--- @include "include/prolong"
--- @include "include/remember"

local keys = { home = KEYS[1], alias = KEYS[2], identities = KEYS[3], events = KEYS[4], seen = KEYS[5] }
local link, most, patience = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])

local remembered = redis.call('GET', KEYS[6])
if remembered then
  return cjson.decode(remembered)
end

local elsewhere = check_way(keys, ARGV[1], ARGV[2])
if elsewhere then
  return elsewhere
end
local now_s = math.floor(now_us() / 1000000)

local known, count, given_up = {}, 0, {}
if redis.call('EXISTS', keys.home) == 1 then
  local rows = redis.call('HGETALL', keys.identities)
  for at = 1, #rows, 2 do
    local identity = cjson.decode(rows[at + 1])
    if identity.pending and identity.listed < now_s - patience then
      given_up[#given_up + 1] = rows[at]
    else
      known[rows[at]], count = identity, count + 1
    end
  end
end
for at = 10, #ARGV, 3 do
  count = count + (known[ARGV[at]] and 0 or 1)
end
if count >= most then -- the one it was made with is one more
  return { 'full' }
end

open_home(keys, ARGV[3], ARGV[4])
if #given_up > 0 then
  redis.call('HDEL', keys.identities, unpack(given_up))
end
for at = 10, #ARGV, 3 do
  local digest = ARGV[at]
  if not known[digest] or known[digest].pending then
    local identity = { namespace = ARGV[at + 1], id = ARGV[at + 2], link = link, listed = now_s, pending = true }
    redis.call('HSET', keys.identities, digest, cjson.encode(identity))
  end
end
redis.call('HINCRBY', keys.home, 'linked', 1)
prolong(keys, tonumber(ARGV[5]))
return remember(KEYS[6], ARGV[6], { 'listed', redis.call('HGET', keys.home, 'born') })
