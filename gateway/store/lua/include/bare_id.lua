-- The part of a device id that names the visitor: all before the first dot. The suffix after it names an edge.
local function bare_id(device)
  return string.match(device, '^[^.]*')
end
