-- One shard's share of an offer's global cap, kept as one text: term, maker, state, level, ceiling, known, since.
--
-- A shard counts up to `ceiling`; the ceilings of all shards of one term never exceed `level` together, so whoever was
-- given a cap of at least `level` may be granted what is below the ceiling. `known` is a total that was reached, over
-- all shards. `frozen` shards count nothing until their term's maker opens them, or another term begins. Without a
-- record nothing was ever limited: level and ceiling are endless, written as "-".
local function read_number(text)
  return text == '-' and math.huge or tonumber(text)
end

local function read_share(text)
  if not text then
    return { term = 0, maker = '-', state = 'open', level = math.huge, ceiling = math.huge, known = 0, since = 0 }
  end
  local term, maker, state, level, ceiling, known, since =
    string.match(text, '^(%d+) (%S+) (%a+) (%S+) (%S+) (%d+) (%d+)$')
  return {
    term = tonumber(term), maker = maker, state = state, level = read_number(level), ceiling = read_number(ceiling),
    known = tonumber(known), since = tonumber(since),
  }
end

local function write_number(number)
  return number == math.huge and '-' or string.format('%.0f', number)
end

local function write_share(key, offer, share)
  local parts = {
    write_number(share.term), share.maker, share.state, write_number(share.level), write_number(share.ceiling),
    write_number(share.known), write_number(share.since),
  }
  redis.call('HSET', key, offer, table.concat(parts, ' '))
end
