-- Opens a session: gives what is known of it, or makes the candidate its device id. The first writer wins.
--
-- Input
--   KEYS[1]  record of the session: hash of device, hint, hint_expires (unix s), seen (unix s)
--   ARGV[1]  candidate: device id to store where there is none; empty to create nothing
--   ARGV[2]  life of the record in seconds
--
-- Output
--   { device id, location hint }, each empty where there is none or the hint has expired
--   error TOOLONG when the candidate is too long

--- @include "include/is_long"
--- @include "include/slide"

local key, candidate, life = KEYS[1], ARGV[1], tonumber(ARGV[2])
if is_long(candidate) then
  return redis.error_reply('TOOLONG device id')
end

local record = redis.call('HMGET', key, 'device', 'hint', 'hint_expires')
local device, hint, hint_expires = record[1] or '', record[2] or '', tonumber(record[3] or 0)
local now = tonumber(redis.call('TIME')[1])

if device == '' and candidate ~= '' then
  device = candidate
  redis.call('HSET', key, 'device', device)
end
slide(key, now, life)

return { device, hint_expires > now and hint or '' }
