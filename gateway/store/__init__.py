"""What the gateway keeps in Redis: one pipelined connection, Lua scripts, and one typed method per script.

`connection.Store` is the connection, `scripts` loads `lua/`, `keys` and `places` know every key name, `embedded` starts
a private server where there is none. `entities.Entities` is the repository, which `repository` opens. The other modules
hold one subject each. Every error that leaves this room is a StoreError.
"""
