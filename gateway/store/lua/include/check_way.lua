-- Says where a profile is when it is not here: nil to go on. Whoever came by an alias (`via` is its identity, `born`
-- the birth it names) may only go on where this home is that birth and lists that identity.
local function check_way(keys, via, born)
  if via == '' then
    local alias = redis.call('GET', keys.alias)
    return alias and { 'alias', alias }
  elseif redis.call('HGET', keys.home, 'born') ~= born or redis.call('HEXISTS', keys.identities, via) == 0 then
    return { 'dangling' }
  end
end
