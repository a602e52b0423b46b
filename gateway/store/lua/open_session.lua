-- Opens a session: gives what is known of it, or makes the candidate its device id. The first writer wins.
-- For a call that is to be stitched to the page's others it also gives the SDID its consumer is to use.
--
-- Input
--   KEYS[1]  record of the session: hash of device, hint, hint_expires (unix s), seen (unix s), and of the SDIDs of its
--            pages: sdid, sdid_last, and who used them: sdid_consumed, sdid_last_consumed (each ",<consumer>" …)
--   ARGV[1]  candidate: device id to store where there is none; empty to create nothing
--   ARGV[2]  life of the record in seconds
--   ARGV[3]  consumer that needs an SDID: a hash of its name, of the same length for all; empty for none
--   ARGV[4]  an SDID nobody has used; empty without a consumer
--
-- Output
--   { device id, location hint, SDID }, each empty where there is none, it was not asked for, or the hint has expired
--   error TOOLONG when the candidate, the consumer or the SDID is too long

--- @include "include/is_long"
--- @include "include/slide"
--- @include "include/take_sdid"

local key, candidate, life, consumer, fresh = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if is_long(candidate) or is_long(consumer) or is_long(fresh) then
  return redis.error_reply('TOOLONG device id, consumer or SDID')
end

local record = redis.call('HMGET', key, 'device', 'hint', 'hint_expires')
local device, hint, hint_expires = record[1] or '', record[2] or '', tonumber(record[3] or 0)
local now = tonumber(redis.call('TIME')[1])

if device == '' and candidate ~= '' then
  device = candidate
  redis.call('HSET', key, 'device', device)
end
local sdid = consumer ~= '' and take_sdid(key, consumer, fresh) or ''
slide(key, now, life)

return { device, hint_expires > now and hint or '', sdid }
