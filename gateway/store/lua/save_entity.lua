-- Makes one change of a business object, or of a container's own record: every check and the write in one step.
--
-- Input
--   KEYS[1]  documents: hash of instance id -> revision, space, document
--   KEYS[2]  records, what is indexed: hash of instance id -> revision, space, record as in ARGV[6]
--   KEYS[3]  marks: hash of instance id -> id of the delete operation under way
--   KEYS[4]  at_ids: hash of @id -> instance id and its schemas, with spaces between
--   KEYS[5]  names: hash of the digest of a unique value -> instance id
--   KEYS[6]  referrers: sorted set of target @id, space, instance id
--   KEYS[7]  listing: sorted set of schema, space, instance id; every instance is under the schema '' too
--   KEYS[8]  changes: stream of the container with ids <sequence>-0
--   KEYS[9]  verdict of this write, JSON
--   ARGV[1]  container id; its own record has it as instance id
--   ARGV[2]  instance id
--   ARGV[3]  revision expected: 0 for a new instance, -1 for one that is imported
--   ARGV[4]  revision it shall have
--   ARGV[5]  document
--   ARGV[6]  record: JSON of at_id, schemas, references (pointer, target), names (digests)
--   ARGV[7]  checks: JSON of schemas (for each reference, those its target may have), pointers (for each name, where it
--            stands), guards (@id, revision) and sequence, text, which may be left out
--   ARGV[8]  about how many changes to keep
--   ARGV[9]  life of the verdict in seconds
--
-- Output
--   { 'saved', sequence }, or with nothing written: { 'conflict', revision }, { 'missing' }, { 'deleting', operation },
--   { 'stale' }, { 'refused', code, pointer, code, pointer ... }

--- @include "include/append_change"
--- @include "include/index_entity"
--- @include "include/read_record"
--- @include "include/remember"

local documents, records, marks, at_ids, names = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local keys = { at_ids = at_ids, names = names, referrers = KEYS[6], listing = KEYS[7] }
local changes, verdict_key = KEYS[8], KEYS[9]
local container, instance = ARGV[1], ARGV[2]
local expected, revision, document = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local kept, life = ARGV[8], ARGV[9]
local AT_ONCE = 500

local remembered = redis.call('GET', verdict_key)
if remembered then
  return cjson.decode(remembered)
end
local new, checks = cjson.decode(ARGV[6]), cjson.decode(ARGV[7])
local current, old = read_record(records, instance, ARGV[6], new)

local function check_place()
  if instance ~= container and redis.call('HEXISTS', records, container) == 0 then
    return { 'missing' }
  end
  local operation = redis.call('HGET', marks, container) or redis.call('HGET', marks, instance)
  return operation and { 'deleting', operation }
end

local function check_import()
  if not current or current < revision then
    return nil
  elseif current == revision and redis.call('HGET', documents, instance) == ARGV[4] .. ' ' .. document then
    return { 'saved', last_sequence(changes) }
  end
  return { 'conflict', tostring(current) }
end

local function check_revision()
  if expected < 0 then
    return check_import()
  elseif expected > 0 and not current then
    return { 'missing' }
  end
  return (current or 0) ~= expected and { 'conflict', tostring(current) } or nil
end

local function check_identity()
  if old and old.at_id ~= new.at_id then
    return { 'conflict', tostring(current) }
  end
  local holder = new.at_id ~= '' and redis.call('HGET', at_ids, new.at_id)
  holder = holder and string.match(holder, '^%S+')
  if holder and holder ~= instance then
    return { 'conflict', tostring((read_record(records, holder))) }
  end
end

local function check_guards()
  if checks.sequence and checks.sequence ~= last_sequence(changes) then
    return { 'stale' }
  end
  for _, guard in ipairs(checks.guards) do
    local found = redis.call('HGET', at_ids, guard[1])
    if not found or read_record(records, string.match(found, '^%S+')) ~= guard[2] then
      return { 'stale' }
    end
  end
end

local any_marked = redis.call('HLEN', marks) > 0

local function fault_of(schemas, found)
  if not found then
    return 'reference-not-found'
  elseif any_marked and redis.call('HEXISTS', marks, string.match(found, '^%S+')) == 1 then
    return 'reference-deleting'
  end
  for _, schema in ipairs(schemas) do
    if string.find(found .. ' ', ' ' .. schema .. ' ', 1, true) then
      return nil
    end
  end
  return 'reference-wrong-schema'
end

local function check_references(refused)
  for first = 1, #new.references, AT_ONCE do
    local targets = {}
    for at = first, math.min(first + AT_ONCE - 1, #new.references) do
      targets[#targets + 1] = new.references[at][2]
    end
    for index, found in ipairs(redis.call('HMGET', at_ids, unpack(targets))) do
      local at = first + index - 1
      local fault = fault_of(checks.schemas[at], found)
      if fault then
        refused[#refused + 1] = fault
        refused[#refused + 1] = new.references[at][1]
      end
    end
  end
end

local function check_names(refused)
  for at, name in ipairs(new.names) do
    local holder = redis.call('HGET', names, name)
    if holder and holder ~= instance then
      refused[#refused + 1] = 'name-not-unique'
      refused[#refused + 1] = checks.pointers[at]
    end
  end
end

local function check_content()
  local refused = { 'refused' }
  check_references(refused)
  check_names(refused)
  return #refused > 1 and refused or nil
end

local verdict = check_place() or check_revision() or check_identity() or check_guards() or check_content()
if verdict then
  return remember(verdict_key, life, verdict)
end

redis.call('HSET', documents, instance, ARGV[4] .. ' ' .. document)
redis.call('HSET', records, instance, ARGV[4] .. ' ' .. ARGV[6])
if instance ~= container and old ~= new then
  index_entity(keys, instance, old or EMPTY, new)
  redis.call('ZADD', keys.listing, 0, ' ' .. instance)
end
return remember(verdict_key, life, { 'saved', append_change(changes, kept, instance, ARGV[4], 0) })
