--- @include "include/read_some"
-- Who refers to an @id, and where: entries of @id, instance id and pointer, ordered by instance id, from the first one
-- after the instance id `after` on ('': all). At most `most`, and fewer where they are large; none only where there are
-- none.
-- keys: records, referrers
local REFERRERS_AT_ONCE = 250

local function find_referrers(keys, at_id, most, after)
  local found = {}
  if at_id == '' then
    return found
  end
  local from, to = '(' .. at_id .. ' ' .. after, '(' .. at_id .. '!'
  local instances = redis.call('ZRANGEBYLEX', keys.referrers, from, to, 'LIMIT', 0, math.min(most, REFERRERS_AT_ONCE))
  for index, member in ipairs(instances) do
    instances[index] = string.sub(member, #at_id + 2)
  end
  read_some(keys.records, instances, function(record, instance)
    for _, reference in ipairs(record.references) do
      if reference[2] == at_id and #found < most then
        found[#found + 1] = { record.at_id, instance, reference[1] }
      end
    end
    return #found >= most
  end)
  return found
end
