-- Decides a pending delete: gone if nothing refers to it, else the mark is taken off. What is decided stays decided.
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
--   KEYS[9]  operation: hash of instance, state (pending, deleted, rejected), receipt, referrers (JSON)
--   ARGV[1]  container id
--   ARGV[2]  how many referrers to list at most; large ones are fewer, but never none
--   ARGV[3]  about how many changes to keep
--   ARGV[4]  life of a decided operation in seconds
--
-- Output
--   { instance id, state, receipt, referrers: JSON list of [@id, instance id, pointer] }; {} for an unknown operation

--- @include "include/append_change"
--- @include "include/find_referrers"
--- @include "include/read_record"
--- @include "include/read_some"
--- @include "include/remove_entity"

local keys = {
  documents = KEYS[1], records = KEYS[2], marks = KEYS[3], at_ids = KEYS[4],
  names = KEYS[5], referrers = KEYS[6], listing = KEYS[7], changes = KEYS[8],
}
local operation = KEYS[9]
local container, most, kept, life = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

local function find_instances()
  local found, instances = {}, redis.call('ZRANGEBYLEX', keys.listing, '[ ', '(!', 'LIMIT', 0, most)
  for index, member in ipairs(instances) do
    instances[index] = string.sub(member, 2)
  end
  read_some(keys.records, instances, function(record, instance)
    found[#found + 1] = { record.at_id, instance, '' }
  end)
  return found
end

local function decide(instance)
  local current, record = read_record(keys.records, instance)
  local referrers = instance == container and find_instances() or find_referrers(keys, record.at_id, most, '')
  if #referrers > 0 then
    redis.call('HDEL', keys.marks, instance)
    append_change(keys.changes, kept, instance, current, 0)
    redis.call('HSET', operation, 'state', 'rejected', 'referrers', cjson.encode(referrers))
  else
    redis.call('HSET', operation, 'state', 'deleted')
    if instance == container then
      redis.call('DEL', keys.documents, keys.records, keys.marks, keys.at_ids)
      redis.call('DEL', keys.names, keys.referrers, keys.listing, keys.changes)
    else
      remove_entity(keys, instance, current, record, kept)
    end
  end
  redis.call('EXPIRE', operation, life)
end

local state = redis.call('HMGET', operation, 'instance', 'state')
if not state[1] then
  return {}
elseif state[2] == 'pending' then
  decide(state[1])
end
return redis.call('HMGET', operation, 'instance', 'state', 'receipt', 'referrers')
