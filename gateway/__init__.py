"""The decisioning gateway: the map.

    bytes in -> web/inbound -> delivery/plan -> web/identity -> upstream/fanout ...
             -> tenants -> delivery/decide -> delivery/answer -> bytes out          (web/delivery.py shows it all)

    errors, ids, config, telemetry                       tenants     one client code and what decides for it
    delivery/   PURE: Adobe Target delivery              services    the one record handlers use; opens and closes
      model, validation     the wire, checked            server      listeners, signals, drain
      artifact, conditions  rules, compiled once         engine, offline   one request decided without HTTP
      context, browser, address, parameters, allocation  __main__    run, check-config, decide, demo, caps, events
                            what a condition may see     store/      I/O: Redis, Lua, a private server
      plan, answer          split and join                 caps, escrow, epoch, cluster, decision_events   what counts
                                                         upstream/   I/O: out over HTTP
      decide, content, trace, explain, telemetry           target, fanout, connection   Adobe Target
      notifications, geo    the engine                     artifact_*, geo, outbox      what goes on beside requests
      session, cookies      who the visitor is           web/        I/O: the edge
    pql/        PURE: the Profile Query Language           wire, inbound, response, connections   HTTP
      lexer, parser, nodes  text to tree                   walk, delivery, identity, outgoing     the walk
      library, compiler     tree to closures, with fuel    routes, middleware, cors, admin
    offers/     PURE: business objects, and the decisions made with them
      instances             one stored object, one write
      inventory, catalog, ranking      stored objects to a compiled container, candidates ranked
      request_schemas, decision_requests, model  what is asked, checked
      decide, eligibility, arbitration, capping   who gets what, and what has to be counted first
      response, content, trace, candidates, diagnostics, effort   answers, and why
      mboxes, displays, events         offers behind mboxes, tokens, what is recorded
    operating/  commands for operators: caps, events
    demo/       a stand-in Target and a shop, for `make run`, tests and benchmarks

Who may import whom, lowest first: errors, pql, (delivery | offers), (store | upstream), tenants, services, web, server,
__main__. Rooms side by side never import each other; `tests/test_layers.py` checks it.
"""

__version__ = "0.1.0"
