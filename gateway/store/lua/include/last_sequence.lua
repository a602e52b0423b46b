-- The number of a container's last change, as text; '0' where there is no such container.
local function last_sequence(changes)
  local last = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)[1]
  return last and string.match(last[1], '^%d+') or '0'
end
