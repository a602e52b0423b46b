--- @include "include/bare_id"
-- Stores a device id. Where it is another visitor's than the stored one, the location hint goes: it was not theirs.
local function set_device(key, stored, device)
  redis.call('HSET', key, 'device', device)
  if stored ~= '' and bare_id(stored) ~= bare_id(device) then
    redis.call('HDEL', key, 'hint', 'hint_expires')
  end
end
