--- @include "include/now_us"
-- Begins a profile's life anew: `life` in milliseconds, 0 for ever. It never outlives the aliases that lead to it, which
-- live until `until`. Gives '1' where these should be renewed.
local function prolong(keys, life)
  local now = math.floor(now_us() / 1000)
  local ends, due = life > 0 and now + life or 0, '0'
  if redis.call('HLEN', keys.identities) > 0 then
    local known = tonumber(redis.call('HGET', keys.home, 'until') or 0)
    local short = life > 0 and known - now < 1.5 * life
    due = ((life == 0) ~= (known == 0) or short) and '1' or '0'
    if known > 0 then
      ends = ends > 0 and math.min(ends, known) or known
    end
  end
  for _, key in ipairs({ keys.home, keys.identities, keys.events }) do
    if ends > 0 then
      redis.call('PEXPIREAT', key, string.format('%.0f', ends))
    else
      redis.call('PERSIST', key)
    end
  end
  return due
end
