"""What the gateway keeps in Redis: one pipelined connection, Lua scripts, and one typed method per script.

`connection.Store` is the connection, `scripts` loads `lua/`, `keys` knows every key name, `embedded` starts a private
server where there is none. The other modules hold one subject each. Every error that leaves this room is a StoreError.
"""
