-- Gives a verdict and keeps it for as long as the same write may be asked for again.
local function remember(key, life, verdict)
  redis.call('SET', key, cjson.encode(verdict), 'EX', life)
  return verdict
end
