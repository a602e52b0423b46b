-- What is indexed of an instance: its revision and its record; nil where there is none.
local function read_record(records, instance)
  local value = redis.call('HGET', records, instance)
  if not value then
    return nil
  end
  local revision, json = string.match(value, '^(%d+) (.*)$')
  return tonumber(revision), cjson.decode(json)
end
