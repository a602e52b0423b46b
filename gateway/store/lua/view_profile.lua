-- Reads what decisions see of a profile, at the identity itself.
-- Where there is a profile there is no alias, so most often one look is all there is to do.
--
-- Input
--   KEYS[1]  home of the profile: hash, see read_profile
--   KEYS[2]  alias of the identity: `<home> <born> <link>`
--   KEYS[3]  events of the profile: sorted by member, which begins with 28 digits
--   ARGV[1]  1 where its events are wanted, else 0
--
-- Output
--   { origin, attributes }, with events: { origin, attributes, all events, oldest first }
--   { alias } where it leads elsewhere, {} where there is neither

local call = redis.call
local found = call('HMGET', KEYS[1], 'origin', 'attributes')
if not found[1] then
  return { call('GET', KEYS[2]) or nil }
elseif ARGV[1] == '1' then
  local rows = call('ZRANGE', KEYS[3], 0, -1)
  for at, row in ipairs(rows) do
    rows[at] = string.sub(row, 29)
  end
  found[3] = rows
end
return found
