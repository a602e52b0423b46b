-- Notes that the caller of a session brought its own device id, which wins over what is stored.
-- The suffix of the same visitor's stored id stays, as it came with an answer that the caller may not have seen yet.
--
-- Input
--   KEYS[1]  record of the session: hash of device, hint, hint_expires (unix s), seen (unix s)
--   ARGV[1]  device id the caller sent; empty to create nothing
--   ARGV[2]  life of the record in seconds
--
-- Output
--   1
--   error TOOLONG when the device id is too long

--- @include "include/is_long"
--- @include "include/set_device"
--- @include "include/slide"

local key, device, life = KEYS[1], ARGV[1], tonumber(ARGV[2])
if is_long(device) then
  return redis.error_reply('TOOLONG device id')
end

local stored = redis.call('HGET', key, 'device') or ''
local stored_is_fuller = bare_id(stored) == bare_id(device) and stored ~= bare_id(stored)
if device ~= '' and not stored_is_fuller then
  set_device(key, stored, device)
end
slide(key, tonumber(redis.call('TIME')[1]), life)

return 1
