"""Calls of one session for the tests of merging, and a Target that answers them as pure data."""

import random
from typing import Any

from gateway.delivery.chunking import PARTS
from gateway.delivery.merging import Share

JsonObject = dict[str, Any]
SDID = "0123456789ABCDEF-0123456789ABCDEF"
# Every member a call may have beside those that are parted, with two values; "new" is one that nobody knows.
MEMBERS: dict[str, tuple[Any, Any]] = {
    "id": ({"tntId": "a"}, {"tntId": "b"}),
    "context": ({"channel": "web"}, {"channel": "mobile"}),
    "property": ({"token": "a"}, {"token": "b"}),
    "environmentId": (1, 2),
    "experienceCloud": ({"analytics": {"logging": "server_side"}}, {"analytics": {"logging": "client_side"}}),
    "trace": ({"authorizationToken": "a"}, {"authorizationToken": "b"}),
    "preview": ({"token": "a"}, {"token": "b"}),
    "qaMode": ({"token": "a"}, {"token": "b"}),
    "impressionId": ("a", "b"),
    "telemetry": ({"entries": [{"requestId": "a"}]}, {"entries": [{"requestId": "b"}]}),
    "new": ([1, {"a": None}], [1, {"a": 0}]),
}


def make_share(chance: random.Random, at: int, page: bool = False) -> Share:
    """Give a call with some mboxes in either part, numbered as callers do, and now and then more."""
    body: JsonObject = {"context": {"channel": "web"}, "requestId": f"r{at}"}
    for part in PARTS:
        if count := chance.randrange(4):
            numbers = chance.sample(range(-5, 100), count)
            body[part] = {
                "mboxes": [
                    {"index": number, "name": chance.choice("abc"), "parameters": {"owner": f"{at}-{part}-{number}"}}
                    for number in numbers
                ]
            }
    if page:
        body.setdefault("prefetch", {})["views"] = [{"name": "v"}]
        body.setdefault("execute", {})["pageLoad"] = {"parameters": {"owner": str(at)}}
    if chance.randrange(3) == 0:
        body["notifications"] = [{"id": f"n{at}", "type": "click", "timestamp": 1}]
    return Share(body=body, scope="here", consumer=f"c{at}", sdid=SDID)


def answer(body: JsonObject, chance: random.Random) -> JsonObject:
    """Answer every item with the owner it was sent with, mboxes in any order and some of them twice."""
    reply: JsonObject = {"status": 200, "id": {"tntId": "a.35_0"}, "edgeHost": "e"}
    for part in PARTS:
        asked = body.get(part)
        if asked is not None:
            found = [
                {"index": one["index"], "name": one["name"], "options": [{"content": one["parameters"]["owner"]}]}
                for one in asked.get("mboxes", ())
            ]
            found += [dict(one, again=True) for one in found if chance.randrange(4) == 0]
            chance.shuffle(found)
            reply[part] = {"mboxes": found, "metrics": ["metrics"]}
            if "views" in asked:
                reply[part]["views"] = [{"name": "v"}]
            if "pageLoad" in asked:
                reply[part]["pageLoad"] = {"options": [asked["pageLoad"]["parameters"]["owner"]]}
    if "notifications" in body:
        reply["notifications"] = [{"id": one["id"]} for one in body["notifications"]]
    return reply


def make_near_pair(chance: random.Random) -> tuple[Share, Share]:
    """Give two calls that differ in one member, or in one part of one, and in nothing else."""
    members = {name: chance.choice(values) for name, values in MEMBERS.items() if chance.randrange(2)}
    members.setdefault("context", {"channel": "web"})
    items = {"execute": {"mboxes": [{"index": 0, "name": "m"}]}}
    first = {"requestId": "1"} | members | items
    second = {"requestId": "2"} | dict(chance.sample(sorted(members.items()), len(members))) | items
    name = chance.choice(list(MEMBERS))
    if name in members and name != "context" and chance.randrange(3) == 0:
        del second[name]
    elif name in members and isinstance(members[name], dict) and chance.randrange(2):
        second[name] = members[name] | {chance.choice(("new", "tntId ", "")): chance.choice((None, 0, "", [], {}))}
    else:
        second[name] = MEMBERS[name][1 if members.get(name) == MEMBERS[name][0] else 0]
    return Share(body=first, scope="here", consumer="a"), Share(body=second, scope="here", consumer="b")
