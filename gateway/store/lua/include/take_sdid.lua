-- Gives the SDID a consumer is to use, and notes that it did: the last one if it has not used that, else the current
-- one, else the fresh one, which makes the current one the last. An SDID with very many consumers counts as used by all.
local function take_sdid(key, consumer, fresh)
  local record = redis.call('HMGET', key, 'sdid', 'sdid_consumed', 'sdid_last', 'sdid_last_consumed')
  local current, last = record[1] or '', record[3] or ''
  local consumed, last_consumed = current ~= '' and record[2] or '', record[4] or ''
  local mark, most = ',' .. consumer, 512 * (#consumer + 1)
  local function is_used(consumers)
    return #consumers >= most or string.find(consumers, mark, 1, true) ~= nil
  end

  if current == '' then
    current = fresh
    redis.call('HSET', key, 'sdid', current, 'sdid_consumed', '')
  end
  if last ~= '' and not is_used(last_consumed) then
    redis.call('HSET', key, 'sdid_last_consumed', last_consumed .. mark)
    return last
  end
  if not is_used(consumed) then
    redis.call('HSET', key, 'sdid_consumed', consumed .. mark)
    return current
  end
  redis.call('HSET', key, 'sdid', fresh, 'sdid_consumed', mark, 'sdid_last', current, 'sdid_last_consumed', consumed)
  return fresh
end
