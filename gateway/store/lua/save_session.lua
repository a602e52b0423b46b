-- Saves what Target answered for a session: its device id wins, its location hint lives as long as a session.
-- No expiry gets shorter, however late an answer comes in.
--
-- Input
--   KEYS[1]  record of the session: hash of device, hint, hint_expires (unix s), seen (unix s)
--   ARGV[1]  device id of the answer; empty to leave it
--   ARGV[2]  location hint of the answer; empty to leave it
--   ARGV[3]  life of the record and of the hint in seconds
--
-- Output
--   1
--   error TOOLONG when the device id or the hint is too long

--- @include "include/is_long"
--- @include "include/set_device"
--- @include "include/slide"

local key, device, hint, life = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
if is_long(device) or is_long(hint) then
  return redis.error_reply('TOOLONG device id or location hint')
end

local record = redis.call('HMGET', key, 'device', 'hint_expires')
local stored, hint_expires = record[1] or '', tonumber(record[2] or 0)
local now = tonumber(redis.call('TIME')[1])

if device ~= '' then
  set_device(key, stored, device)
end
if hint ~= '' then
  redis.call('HSET', key, 'hint', hint, 'hint_expires', math.max(hint_expires, now + life))
end
slide(key, now, life)

return 1
