"""The decisioning gateway: the map.

    bytes in -> web/front -> web/inbound -> delivery/plan -> walk/identity -> upstream/joiner -> upstream/fanout ...
             -> tenants -> delivery/decide -> delivery/answer -> bytes out         (walk/delivery.py shows it all)

    errors, ids, config (configuration), telemetry (gauges)   tenants     one client code and what decides for it
    delivery/   PURE: Adobe Target delivery              services    the one record handlers use; opens and closes
      model, reading, validation, blanks  the wire       server      listeners, signals, drain
      artifact, conditions, pickers  compiled rules      engine, offline   one request decided without HTTP
      context, browser, address, parameters, allocation  __main__    run, check-config, decide, demo
                            what a condition may see     store/      I/O: Redis, Lua, a private server
      plan, legs, answer, cutting   split and join       upstream/   I/O: out over HTTP
      merging, chunking     calls as one, as several       joiner, bundle               waiting calls of a session
      decide, content, trace, explain, telemetry           target, fanout, edges, connection    Adobe Target
      notifications, geo    the engine                     retries, breaker             which calls are made again
      offers_request, enrichment, offers_response, attributes, visitor_state, experience_cloud   around get_offers
      session, cookies      who the visitor is             artifact_*, geo, outbox      what goes on beside requests
      stitching             which page it is             walk/       one request, from asked to answered
    pql/        PURE: the Profile Query Language           inbound, identity, outgoing, delivery, meeting, offers
      lexer, parser, nodes  text to tree                 web/        I/O: the edge
      library, compiler     tree to closures, with fuel    wire, inbound, consumer, response, connections   HTTP
                                                           front, plain   connections, and requests that need no more
                                                           delivery_api, get_offers, routes, middleware, cors, admin
    access/     who calls, and what they may: tokens       docs, openapi/
    transfer, entity_commands   a container as a file      rest, callers, problems   signed-in endpoints
    business                what marketers need, opened    negotiation, preconditions, hal   what HTTP adds to them
                                                           repository, entities, containers, writing, deleting
    offers/     PURE: business objects of the repository   entities, schemas, registry   what a type is
      repository, proposals   one write                    patch, envelopes, editing, validation, checks, references
      instances, operations   what is kept, one delete     query, filters, ordering, search   what a list asks for
      inventory, catalog, ranking      stored objects to a compiled container, candidates ranked
      request_schemas, decision_requests, plain_requests, model, providers   what is asked, checked
      decide, eligibility, arbitration, capping, counters   who gets what, and what has to be counted first
      response, content, trace, candidates, diagnostics, effort   answers, and why
      mboxes, displays, events         offers behind mboxes, tokens, what is recorded
    store/caps, escrow, epoch, cluster, decision_events   what counts, and what is told of it
    store/connection, pipeline, packing, scripts, digests   how Redis is asked, and by which names
    offers/profile_documents, profiles, providers   people: what is taken of them, what decisions ask for
    store/profiles, homes, identity_links           people: kept in one slot each, found by several identities
    decisioning/              catalogues that follow their containers, the walk of a decision, repeated calls
    web/profiles                                    people: over HTTP, as the repository's area is
    store/entities, entity_reads, writes, durability, delete_worker    one script a write, acknowledged when kept
    garbage                   what the collector must not look at
    store/listing/            lists and searches, from SQLite in the memory of each worker
    client/     get_offers for Python callers: TargetClient, alone or in front of a gateway
    operating/  commands for operators: caps, events
    demo/       a stand-in Target and a shop, for `make run`, tests and benchmarks

Who may import whom, lowest first: errors, pql, (delivery | offers), (store | upstream), (tenants | access |
decisioning), business, services, walk, (web | client), server, __main__. Rooms side by side never import each other;
`tests/test_layers.py` checks it.
"""

__version__ = "0.1.0"
