-- Notes that a record was seen and begins its life anew, never shortening it. A record that is not there stays away.
local function slide(key, now, life)
  if redis.call('EXISTS', key) == 0 then
    return
  end
  redis.call('HSET', key, 'seen', now)
  if redis.call('TTL', key) < life then
    redis.call('EXPIRE', key, life)
  end
end
