-- Deletes one business object at once, unless something refers to it.
--
-- Input
--   KEYS[1]  documents; this and the following as in save_entity
--   KEYS[2]  records
--   KEYS[3]  marks
--   KEYS[4]  at_ids
--   KEYS[5]  names
--   KEYS[6]  referrers
--   KEYS[7]  listing
--   KEYS[8]  changes
--   KEYS[9]  verdict of this write, JSON
--   ARGV[1]  container id
--   ARGV[2]  instance id
--   ARGV[3]  revision expected; -1 for any
--   ARGV[4]  about how many changes to keep
--   ARGV[5]  life of the verdict in seconds
--
-- Output
--   { 'saved', sequence }, or with nothing changed: { 'conflict', revision }, { 'missing' }, { 'deleting', operation },
--   { 'refused', 'still-referenced', pointer to the instance itself }

--- @include "include/find_referrers"
--- @include "include/read_record"
--- @include "include/remember"
--- @include "include/remove_entity"

local keys = {
  documents = KEYS[1], records = KEYS[2], marks = KEYS[3], at_ids = KEYS[4],
  names = KEYS[5], referrers = KEYS[6], listing = KEYS[7], changes = KEYS[8],
}
local verdict_key = KEYS[9]
local container, instance, expected = ARGV[1], ARGV[2], tonumber(ARGV[3])
local kept, life = ARGV[4], ARGV[5]

local remembered = redis.call('GET', verdict_key)
if remembered then
  return cjson.decode(remembered)
end
local current, record = read_record(keys.records, instance)

local function check()
  if not current or instance == container then
    return { 'missing' }
  end
  local operation = redis.call('HGET', keys.marks, container) or redis.call('HGET', keys.marks, instance)
  if operation then
    return { 'deleting', operation }
  elseif expected >= 0 and current ~= expected then
    return { 'conflict', tostring(current) }
  end
  return #find_referrers(keys, record.at_id, 1, '') > 0 and { 'refused', 'still-referenced', '' } or nil
end

local verdict = check()
if not verdict then
  verdict = { 'saved', remove_entity(keys, instance, current, record, kept) }
end
return remember(verdict_key, life, verdict)
