-- Erases a profile, and notes which aliases led to it until they have been removed. May be repeated.
--
-- Input
--   KEYS[1]  home of the profile
--   KEYS[2]  alias of the identity
--   KEYS[3]  identities of the profile
--   KEYS[4]  events of the profile
--   KEYS[5]  ids of recent events
--   KEYS[6]  aliases to be removed: set of `<digest> <born>`
--   ARGV[1]  birth of the profile; empty where there was none
--   ARGV[2]  how often identities were listed when it was read
--   ARGV[3]  seconds for which the aliases are noted
--
-- Output
--   { 'erased', aliases to be removed } when there is no profile now
--   { 'changed', aliases to be removed } when it is not the one that was read, and was not touched

local home, alias, identities, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[6]
local found = redis.call('HMGET', home, 'born', 'linked')
local verdict = 'erased'

if (found[1] or '') ~= ARGV[1] or (found[2] or '') ~= ARGV[2] or redis.call('EXISTS', alias) == 1 then
  verdict = 'changed'
elseif found[1] then
  for _, digest in ipairs(redis.call('HKEYS', identities)) do
    redis.call('SADD', erased, digest .. ' ' .. found[1])
    redis.call('EXPIRE', erased, ARGV[3])
  end
  redis.call('DEL', home, identities, KEYS[4], KEYS[5])
end
return { verdict, redis.call('SMEMBERS', erased) }
