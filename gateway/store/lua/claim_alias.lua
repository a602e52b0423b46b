-- Makes an identity lead to a profile's home, unless it has a profile of its own or leads elsewhere. May be repeated.
--
-- Input
--   KEYS[1]  home of a profile made with this identity
--   KEYS[2]  alias of the identity: `<home> <born> <link>`
--   ARGV[1]  `<home> <born> ` it shall lead to
--   ARGV[2]  name of this link
--   ARGV[3]  life of the alias in milliseconds, 0 for ever
--
-- Output
--   { 'claimed' }
--   { 'taken' }, { 'alias', alias }: it has a profile of its own or leads elsewhere, and nothing was written

local alias = redis.call('GET', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 'taken' }
elseif alias and string.sub(alias, 1, #ARGV[1]) ~= ARGV[1] then
  return { 'alias', alias }
end
if ARGV[3] == '0' then
  redis.call('SET', KEYS[2], ARGV[1] .. ARGV[2])
else
  redis.call('SET', KEYS[2], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
end
return { 'claimed' }
