--- @include "include/read_record"
-- Who refers to an @id, and where: at most `most` entries of @id, instance id and pointer, ordered by instance id.
-- keys: records, referrers
local function find_referrers(keys, at_id, most)
  local found = {}
  if at_id == '' then
    return found
  end
  local from, to = '[' .. at_id .. ' ', '(' .. at_id .. '!'
  for _, member in ipairs(redis.call('ZRANGEBYLEX', keys.referrers, from, to, 'LIMIT', 0, most)) do
    local instance = string.sub(member, #at_id + 2)
    local _, record = read_record(keys.records, instance)
    for _, reference in ipairs(record.references) do
      if reference[2] == at_id and #found < most then
        found[#found + 1] = { record.at_id, instance, reference[1] }
      end
    end
  end
  return found
end
