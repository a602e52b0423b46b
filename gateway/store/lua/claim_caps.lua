-- Counts all claims of a response where every counter has room for its own, else none, and tells what is left.
-- Nothing is written before everything has been read and judged. A verdict is kept, and given again for the same claim.
--
-- Input
--   KEYS[1]  epoch of this shard: text
--   KEYS[2]  verdict of this claim: text
--   KEYS[3]  global counts of this shard: hash of offer to count
--   KEYS[4]  counts of the profile: hash of offer to count
--   KEYS[5]  shares of global caps of this shard: hash of offer to share, see include/share
--   ARGV[1]  the epoch that is expected
--   ARGV[2]  life of the verdict in seconds
--   ARGV[3]  1 where global caps are held as shares of several shards, else 0
--   ARGV[4]  how many claims there are; all that follow are probes
--   ARGV[5..n]  for each claim and probe: scope ("g" or "p"), offer, amount, cap ("" for none)
--
-- Output
--   one text of numbers with blanks between them:
--   1, what is left of each probe with a cap                                                        all were counted
--   0, what is left of each probe with a cap, index of a claim (from 0) and what is left of it, ... none was counted
--   2, index of a claim and 1 (frozen), 2 (its cap is below the level) or 3 (dry), ...              shares to be moved
--   -1                                                                             not the epoch that is expected
--   error BADCOUNT when a count that is kept is none

--- @include "include/share"

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return '-1'
end
local verdict = redis.call('GET', KEYS[2])
if verdict then
  -- a repeat on another connection has to write as well, so that WAIT there waits for what the first one wrote
  redis.call('EXPIRE', KEYS[2], ARGV[2])
  return verdict
end

local claims, sharded = tonumber(ARGV[4]), ARGV[3] == '1'
local entries, fields, profiled = {}, {}, {}
for at = 5, #ARGV, 4 do
  local list = ARGV[at] == 'g' and fields or profiled
  list[#list + 1] = ARGV[at + 1]
  entries[#entries + 1] = {
    list = list, place = #list, offer = ARGV[at + 1], amount = tonumber(ARGV[at + 2]),
    cap = ARGV[at + 3] == '' and math.huge or tonumber(ARGV[at + 3]),
  }
end

local found = {
  [fields] = #fields > 0 and redis.call('HMGET', KEYS[3], unpack(fields)) or {},
  [profiled] = #profiled > 0 and redis.call('HMGET', KEYS[4], unpack(profiled)) or {},
}
local shares = sharded and #fields > 0 and redis.call('HMGET', KEYS[5], unpack(fields)) or {}

local left, lacking, moves = {}, {}, {}
for index, entry in ipairs(entries) do
  local text = found[entry.list][entry.place] or '0'
  local count = string.match(text, '^%d+$') and tonumber(text)
  if not count then
    return redis.error_reply('BADCOUNT ' .. text)
  end
  local known, share = count, nil
  if sharded and entry.list == fields then
    share = read_share(shares[entry.place])
    known = math.max(count, share.known)
  end
  if index > claims then
    if entry.cap < math.huge then
      left[#left + 1] = string.format('%.0f', entry.cap - known)
    end
  elseif known + entry.amount > entry.cap then
    lacking[#lacking + 1] = string.format('%d %.0f', index - 1, entry.cap - known)
  elseif share and share.state ~= 'open' then
    moves[#moves + 1] = string.format('%d 1', index - 1)
  elseif share and entry.cap < share.level then
    moves[#moves + 1] = string.format('%d 2', index - 1)
  elseif share and count + entry.amount > share.ceiling then
    moves[#moves + 1] = string.format('%d 3', index - 1)
  end
end

if #lacking == 0 and #moves > 0 then
  return '2 ' .. table.concat(moves, ' ')
end
if #lacking == 0 then
  for index = 1, claims do
    local entry = entries[index]
    redis.call('HINCRBY', entry.list == fields and KEYS[3] or KEYS[4], entry.offer, entry.amount)
  end
end
local parts = { #lacking == 0 and '1' or '0' }
for _, list in ipairs({ left, lacking }) do
  for _, part in ipairs(list) do
    parts[#parts + 1] = part
  end
end
verdict = table.concat(parts, ' ')
redis.call('SET', KEYS[2], verdict, 'EX', ARGV[2])
return verdict
