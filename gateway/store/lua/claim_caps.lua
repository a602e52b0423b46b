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

local call = redis.call
local before = call('MGET', KEYS[1], KEYS[2])
if before[1] ~= ARGV[1] then
  return '-1'
elseif before[2] then
  -- a repeat on another connection has to write as well, so that WAIT there waits for what the first one wrote
  call('EXPIRE', KEYS[2], ARGV[2])
  return before[2]
end

local claims, sharded = tonumber(ARGV[4]), ARGV[3] == '1'
local fields, profiled = {}, {}
for at = 5, #ARGV, 4 do
  local list = ARGV[at] == 'g' and fields or profiled
  list[#list + 1] = ARGV[at + 1]
end
local global_counts = #fields > 0 and call('HMGET', KEYS[3], unpack(fields)) or {}
local profile_counts = #profiled > 0 and call('HMGET', KEYS[4], unpack(profiled)) or {}
local shares = sharded and #fields > 0 and call('HMGET', KEYS[5], unpack(fields)) or {}

-- No table is made for what a claim or probe is: scripts run alone, so their time is everybody's.
local parts, lacking, moves = { '1' }, {}, {}
local nth_global, nth_profile = 0, 0
for index = 0, (#ARGV - 4) / 4 - 1 do
  local at = 5 + 4 * index
  local amount, cap = tonumber(ARGV[at + 2]), ARGV[at + 3] == '' and math.huge or tonumber(ARGV[at + 3])
  local text, share
  if ARGV[at] == 'g' then
    nth_global = nth_global + 1
    text = global_counts[nth_global] or '0'
    share = sharded and read_share(shares[nth_global])
  else
    nth_profile = nth_profile + 1
    text = profile_counts[nth_profile] or '0'
  end
  local count = string.match(text, '^%d+$') and tonumber(text)
  if not count then
    return redis.error_reply('BADCOUNT ' .. text)
  end
  local known = share and math.max(count, share.known) or count
  if index >= claims then
    if cap < math.huge then
      parts[#parts + 1] = string.format('%.0f', cap - known)
    end
  elseif known + amount > cap then
    lacking[#lacking + 1] = string.format('%d %.0f', index, cap - known)
  elseif share and share.state ~= 'open' then
    moves[#moves + 1] = string.format('%d 1', index)
  elseif share and cap < share.level then
    moves[#moves + 1] = string.format('%d 2', index)
  elseif share and count + amount > share.ceiling then
    moves[#moves + 1] = string.format('%d 3', index)
  end
end

if #lacking > 0 then
  parts[1] = '0'
  for _, part in ipairs(lacking) do
    parts[#parts + 1] = part
  end
elseif #moves > 0 then
  return '2 ' .. table.concat(moves, ' ')
else
  for at = 5, 4 + 4 * claims, 4 do
    call('HINCRBY', ARGV[at] == 'g' and KEYS[3] or KEYS[4], ARGV[at + 1], ARGV[at + 2])
  end
end
local verdict = table.concat(parts, ' ')
call('SET', KEYS[2], verdict, 'EX', ARGV[2])
return verdict
