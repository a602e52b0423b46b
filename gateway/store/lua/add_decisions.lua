-- Adds decision events to their stream, in the order given (dec:EV1).
--
-- Input
--   KEYS[1]  the stream
--   ARGV[1]  how many entries the stream keeps, about
--   ARGV[2..n]  for each event: organisation, sandbox, container, the event as JSON
--
-- Output
--   how many were added

for at = 2, #ARGV, 4 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'kind', 'decision',
    'organization', ARGV[at], 'sandbox', ARGV[at + 1], 'container', ARGV[at + 2], 'event', ARGV[at + 3])
end
return (#ARGV - 1) / 4
