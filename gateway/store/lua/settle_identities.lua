-- Settles what was pending at a profile's home, now that aliases have been claimed or were refused. May be repeated.
--
-- Input
--   KEYS[1]  home of the profile
--   KEYS[2]  identities of the profile
--   KEYS[3]  events of the profile
--   ARGV[1]  birth of the profile
--   ARGV[2]  keep: the identities are the profile's; drop: those that are pending by this link are not; lose: they are
--            not; renew: the aliases of all begin their life anew
--   ARGV[3]  name of the link
--   ARGV[4]  life of the profile in milliseconds, 0 for ever
--   ARGV[5]  life of the aliases in milliseconds, 0 for ever
--   ARGV[6..n]  digests of the identities
--
-- Output
--   { 'settled', digests that were kept or taken off }
--   { 'gone' }: this profile is no more, or for keep one of the identities is not listed; nothing was written

--- @include "include/prolong"

local keys = { home = KEYS[1], identities = KEYS[2], events = KEYS[3] }
local mode, link, life, alias_life = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])

if redis.call('HGET', keys.home, 'born') ~= ARGV[1] then
  return { 'gone' }
end
local found = {}
for at = 6, #ARGV do
  local row = redis.call('HGET', keys.identities, ARGV[at])
  if row then
    found[#found + 1] = { digest = ARGV[at], identity = cjson.decode(row) }
  elseif mode == 'keep' then
    return { 'gone' }
  end
end

local settled = { 'settled' }
for _, one in ipairs(found) do
  local identity = one.identity
  local is_mine = identity.pending and identity.link == link
  if mode == 'keep' then
    identity.pending = false
    redis.call('HSET', keys.identities, one.digest, cjson.encode(identity))
    settled[#settled + 1] = one.digest
  elseif mode == 'lose' or mode == 'drop' and is_mine then
    redis.call('HDEL', keys.identities, one.digest)
    settled[#settled + 1] = one.digest
  end
end

if mode == 'keep' or mode == 'renew' then
  local known = redis.call('HGET', keys.home, 'until')
  local ends = alias_life > 0 and math.floor(now_us() / 1000) + alias_life or 0
  if mode == 'keep' and known and known ~= '0' then
    ends = ends > 0 and math.min(ends, tonumber(known)) or tonumber(known)
  end
  redis.call('HSET', keys.home, 'until', string.format('%.0f', ends))
end
prolong(keys, life)
return settled
