-- Brings the indexes of one instance from an old record to a new one; an empty record has nothing.
-- keys: at_ids, names, referrers, listing
local EMPTY = { at_id = '', schemas = {}, references = {}, names = {} }

local function set_of(list, pick)
  local set = {}
  for _, item in ipairs(list) do
    set[pick and item[pick] or item] = true
  end
  return set
end

local function each_missing(from, against, act)
  for item in pairs(from) do
    if not against[item] then
      act(item)
    end
  end
end

local function index_entity(keys, instance, old, new)
  local before, after = set_of(old.references, 2), set_of(new.references, 2)
  each_missing(before, after, function(target) redis.call('ZREM', keys.referrers, target .. ' ' .. instance) end)
  each_missing(after, before, function(target) redis.call('ZADD', keys.referrers, 0, target .. ' ' .. instance) end)
  before, after = set_of(old.names), set_of(new.names)
  each_missing(before, after, function(name) redis.call('HDEL', keys.names, name) end)
  each_missing(after, before, function(name) redis.call('HSET', keys.names, name, instance) end)
  before, after = set_of(old.schemas), set_of(new.schemas)
  each_missing(before, after, function(schema) redis.call('ZREM', keys.listing, schema .. ' ' .. instance) end)
  each_missing(after, before, function(schema) redis.call('ZADD', keys.listing, 0, schema .. ' ' .. instance) end)
  if new.at_id ~= '' then
    redis.call('HSET', keys.at_ids, new.at_id, instance .. ' ' .. table.concat(new.schemas, ' '))
  elseif old.at_id ~= '' then
    redis.call('HDEL', keys.at_ids, old.at_id)
  end
end
