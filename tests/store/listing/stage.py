"""A schema with a property of every kind, instances of it, and queries as they come over the wire."""

import json
from contextlib import contextmanager
from urllib.parse import unquote_plus

from gateway.offers.instances import Instance
from gateway.offers.query import ListQuery, parse_list_query, parse_search_query
from gateway.offers.registry import Registry
from gateway.store.listing.database import Database

SCHEMA = "https://example.com/schemas/thing"
CONTAINER = "5b0f3c1e-7a64-4c0b-9a51-0d1f0a6d2e11"
OTHER = "https://example.com/schemas/other"
DATE_TIME = {"type": "string", "format": "date-time"}
PROPERTIES = {
    "@id": {"type": "string"},
    "when": DATE_TIME,
    "at": DATE_TIME,
    "site": {"type": "string", "format": "uri"},
    "count": {"type": "integer"},
    "word": {"type": "string"},
    "switch": {"type": "boolean"},
    "map": {"type": "object", "additionalProperties": {}},
}
REGISTRY = Registry([{"$id": each, "type": "object", "properties": PROPERTIES} for each in (SCHEMA, OTHER)])


def make_instance(instance_id: str, content: object, day: int = 1, schemas: tuple[str, ...] = (SCHEMA,)) -> Instance:
    date = f"2024-05-{day:02}T00:00:00.000Z"
    envelope = {
        "instanceId": instance_id,
        "schemas": [f"{each};version=0.1" for each in schemas],
        "productContexts": ["acp"],
        "repo:etag": 1,
        "repo:createdDate": date,
        "repo:lastModifiedDate": date,
        "_instance": content,
        "_links": {},
    }
    return Instance(instance_id, 1, json.dumps(envelope).encode())


def split_query(text: str) -> list[tuple[str, str]]:
    """Split as repo:U17 says."""
    pairs = [part.partition("=") for part in text.split("&") if part]
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def parse(text: str, *further: tuple[str, str], search: bool = False, schema: str = SCHEMA) -> ListQuery:
    pairs = [("schema", schema), *split_query(text), *further]
    return (parse_search_query if search else parse_list_query)(pairs, REGISTRY)


@contextmanager
def opened(instances):
    database = Database(REGISTRY, CONTAINER)
    try:
        database.apply(instances)
        database.finish()
        yield database
    finally:
        database.close()


def ids(page) -> list[str]:
    return [json.loads(item.document)["instanceId"] for item in page.items]


def walk(ask, text: str = "", *further: tuple[str, str], search: bool = False):
    """Give every page of a list, following `next`."""
    start = None
    while True:
        page = ask(parse(text, *further, *([] if start is None else [("start", start)]), search=search))
        yield page
        start = page.next_start
        if start is None:
            return
