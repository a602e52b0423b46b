"""The decisioning gateway: the map.

    bytes in -> web/inbound -> delivery/plan -> web/identity -> upstream/fanout ...
             -> tenants -> delivery/decide -> delivery/answer -> bytes out          (web/delivery.py shows it all)

    errors      the whole error tree                     config      TOML and environment -> frozen Structs
    delivery/   PURE: Adobe Target delivery              telemetry   logs and metrics
      model, validation     the wire, checked              tenants     one client code and what decides for it
      artifact, conditions  rules, compiled once           services    the one record handlers use
      context, browser, address, parameters, allocation    server      listeners, signals, drain
                            what a condition may see       __main__    the command line
      plan, answer          split and join
      decide, content, trace, notifications, geo           upstream/   I/O: out over HTTP
                            the engine                       target, fanout, artifact_feed, geo, outbox
      session, cookies      who the visitor is             store/      I/O: Redis and Lua
                                                           web/        I/O: the edge
    demo/       a stand-in Target and a shop, for `make run`, tests and benchmarks

Who may import whom, lowest first: errors, delivery, (store | upstream), tenants, services, web, server, __main__.
Rooms side by side never import each other; `tests/test_layers.py` checks it.
"""

__version__ = "0.1.0"
