-- Reads the next instances of a container, in the order of their ids.
--
-- Input
--   KEYS[1]  listing; this and the following as in save_entity
--   KEYS[2]  documents
--   KEYS[3]  marks
--   ARGV[1]  schema, '' for all
--   ARGV[2]  instance id after which to begin; '' for the first
--   ARGV[3]  how many at most
--   ARGV[4]  bytes of documents after which no more are added
--
-- Output
--   { instance id, revision and document, operation or '', ... }

local listing, documents, marks = KEYS[1], KEYS[2], KEYS[3]
local prefix, room = ARGV[1] .. ' ', tonumber(ARGV[4])

local found = {}
local members = redis.call('ZRANGEBYLEX', listing, '(' .. prefix .. ARGV[2], '(' .. ARGV[1] .. '!', 'LIMIT', 0, ARGV[3])
for _, member in ipairs(members) do
  local instance = string.sub(member, #prefix + 1)
  local document = redis.call('HGET', documents, instance)
  found[#found + 1] = instance
  found[#found + 1] = document
  found[#found + 1] = redis.call('HGET', marks, instance) or ''
  room = room - #document
  if room < 0 then
    break
  end
end
return found
