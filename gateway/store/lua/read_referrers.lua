-- Reads who refers to a business object.
--
-- Input
--   KEYS[1]  records; this and the following as in save_entity
--   KEYS[2]  referrers
--   ARGV[1]  @id
--   ARGV[2]  how many at most; large ones are fewer, but never none
--   ARGV[3]  instance id after which to begin; '' for all
--
-- Output
--   JSON list of [@id, instance id, pointer], ordered by instance id; {} where there are none

--- @include "include/find_referrers"

local keys = { records = KEYS[1], referrers = KEYS[2] }
return cjson.encode(find_referrers(keys, ARGV[1], tonumber(ARGV[2]), ARGV[3]))
