-- What is indexed of an instance: its revision and its record; nil where there is none.
-- Who has a record in both forms, text and table, gives them: where the stored text is the same, so is the table.
local function read_record(records, instance, text, record)
  local value = redis.call('HGET', records, instance)
  if not value then
    return nil
  end
  local revision, json = string.match(value, '^(%d+) (.*)$')
  return tonumber(revision), json == text and record or cjson.decode(json)
end
