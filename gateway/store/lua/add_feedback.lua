-- Adds a reported event to the stream of decision events, unless one with its id was added before (dec:EV3).
--
-- Input
--   KEYS[1]  the stream
--   KEYS[2]  note that an event with this id was added: text
--   ARGV[1]  how many entries the stream keeps, about
--   ARGV[2]  life of the note in seconds
--   ARGV[3]  organisation
--   ARGV[4]  sandbox
--   ARGV[5]  container
--   ARGV[6]  the event, JSON
--
-- Output
--   1 when it was added, 0 when it had been before

if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*',
  'kind', 'feedback', 'organization', ARGV[3], 'sandbox', ARGV[4], 'container', ARGV[5], 'event', ARGV[6])
redis.call('SET', KEYS[2], '1', 'EX', ARGV[2])
return 1
