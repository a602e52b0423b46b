--- @include "include/last_sequence"
-- Adds an entry to a change stream and gives its number: microseconds since the epoch, always above the last one.
-- A container made again, or a server that lost its last second, thus never gives a number a second time.
local function append_change(changes, kept, instance, revision, gone)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local sequence = string.format('%.0f', math.max(now, tonumber(last_sequence(changes)) + 1))
  redis.call('XADD', changes, 'MAXLEN', '~', kept, sequence .. '-0', 'i', instance, 'r', revision, 'g', gone)
  return sequence
end
