-- Whether a value is longer than any device id or location hint, so that nothing oversized is kept.
local function is_long(value)
  return #value > 256
end
