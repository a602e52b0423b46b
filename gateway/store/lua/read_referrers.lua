-- Reads who refers to a business object.
--
-- Input
--   KEYS[1]  records; this and the following as in save_entity
--   KEYS[2]  referrers
--   ARGV[1]  @id
--   ARGV[2]  how many at most
--
-- Output
--   JSON list of [@id, instance id, pointer], ordered by instance id; {} where there are none

--- @include "include/find_referrers"

return cjson.encode(find_referrers({ records = KEYS[1], referrers = KEYS[2] }, ARGV[1], tonumber(ARGV[2])))
