--- @include "include/read_record"
-- Reads the records of instances, in order, and gives each to `take(record, instance)` until that says it has enough.
-- After so many bytes of records it ends early, but never before the first: reading them holds everybody else up.
local MOST_RECORD_BYTES = 150000

local function read_some(records, instances, take)
  local spent = 0
  for _, instance in ipairs(instances) do
    if spent > MOST_RECORD_BYTES then
      return
    end
    spent = spent + redis.call('HSTRLEN', records, instance)
    local _, record = read_record(records, instance)
    if take(record, instance) then
      return
    end
  end
end
