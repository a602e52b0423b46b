--- @include "include/append_change"
--- @include "include/index_entity"
-- Takes an instance out of everything and gives the number of the change.
-- keys: documents, records, marks, at_ids, names, referrers, listing, changes
local function remove_entity(keys, instance, revision, record, kept)
  index_entity(keys, instance, record, EMPTY)
  redis.call('ZREM', keys.listing, ' ' .. instance)
  redis.call('HDEL', keys.documents, instance)
  redis.call('HDEL', keys.records, instance)
  redis.call('HDEL', keys.marks, instance)
  return append_change(keys.changes, kept, instance, revision, 1)
end
