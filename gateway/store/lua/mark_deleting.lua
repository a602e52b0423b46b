-- Marks a business object or a container as being deleted, and keeps the operation that will decide it.
--
-- Input
--   KEYS[1]  records; this and the following as in save_entity
--   KEYS[2]  marks
--   KEYS[3]  changes
--   KEYS[4]  operation: hash of instance, state (pending, deleted, rejected), receipt, referrers (JSON)
--   ARGV[1]  container id
--   ARGV[2]  instance id; the container's own to delete it
--   ARGV[3]  revision expected; -1 for any
--   ARGV[4]  operation id
--   ARGV[5]  receipt, JSON, kept as it is
--   ARGV[6]  about how many changes to keep; the mark is a change, because what is being deleted cannot be asked for
--
-- Output
--   { 'saved', sequence }, or with nothing changed: { 'conflict', revision }, { 'missing' }, { 'deleting', operation }

--- @include "include/append_change"
--- @include "include/last_sequence"
--- @include "include/read_record"

local records, marks, changes, operation = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local container, instance, expected = ARGV[1], ARGV[2], tonumber(ARGV[3])

if redis.call('EXISTS', operation) == 1 then
  return { 'saved', last_sequence(changes) }
end
local current = read_record(records, instance)
if not current then
  return { 'missing' }
end
local under_way = redis.call('HGET', marks, container) or redis.call('HGET', marks, instance)
if under_way then
  return { 'deleting', under_way }
elseif expected >= 0 and current ~= expected then
  return { 'conflict', tostring(current) }
end
redis.call('HSET', operation, 'instance', instance, 'state', 'pending', 'receipt', ARGV[5], 'referrers', '[]')
redis.call('HSET', marks, instance, ARGV[4])
return { 'saved', append_change(changes, ARGV[6], instance, current, 0) }
