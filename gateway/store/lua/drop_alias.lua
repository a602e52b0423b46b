-- Removes an alias, but no other one that took its place. May be repeated.
--
-- Input
--   KEYS[1]  alias of the identity: `<home> <born> <link>`
--   ARGV[1]  what it must begin with
--
-- Output
--   1 when it was removed, else 0

local alias = redis.call('GET', KEYS[1])
if alias and string.sub(alias, 1, #ARGV[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
