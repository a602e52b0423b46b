--- @include "include/now_us"
-- Makes the profile where there is none, and its next revision. Revisions follow the clock: so those of an erased
-- profile never come again. Gives the revision as text, and whether the profile is new.
local function open_home(keys, born, origin)
  local now = now_us()
  local is_new = redis.call('EXISTS', keys.home) == 0
  local revision = math.max(now, (redis.call('HGET', keys.home, 'revision') or 0) + 1)
  revision = string.format('%.0f', revision)
  if is_new then
    redis.call('DEL', keys.identities, keys.events, keys.seen)
    redis.call('HSET', keys.home, 'born', born, 'origin', origin, 'linked', 0, 'attributes', '{}', 'changed', revision)
  end
  redis.call('HSET', keys.home, 'revision', revision, 'modified', string.format('%.0f', math.floor(now / 1000)))
  return revision, is_new
end
