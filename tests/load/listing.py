"""Lists and searches of a large container: pages from one worker's index, over a real Redis.

Prints build time, memory, the longest hold of the event loop and the milliseconds of a page for each kind of query:
`python -m tests.load.listing [--count 100000] [--pages 100]`. "first" are queries whose sort order, path or pattern
nobody has used before; every tenth page comes after a write.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import unquote_plus

from gateway.config import Repository
from gateway.offers.instances import Change, Space
from gateway.offers.query import parse_list_query, parse_search_query
from gateway.offers.registry import Registry
from gateway.store.embedded import EmbeddedServer
from gateway.store.entities import Entities
from gateway.store.listing.index import Index
from tests.store.servers import connected

SPACE = Space("BENCH@AdobeOrg", "prod")
SCHEMA = "https://ns.adobe.com/experience/offer-management/personalized-offer"
STEMS = ["winter", "summer", "gold", "card", "boot", "tent", "lamp", "river", "stone", "cafe", "offer", "trail", "camp"]
WORDS = [f"{stem}{end}" for stem in STEMS for end in ("", "s", "ing", "ed", "er", "ly", "land", "side", "way", "time")]
AT_ONCE = 200

FIVE = (
    "property=xdm:status!=draft&property=xdm:rank.xdm:priority>{number}&property=xdm:tags"
    "&property=xdm:characteristics.color!={word}&property=repo:etag==1"
)

# What is asked: a name, the query, and whether it is a search. {…} is drawn anew for every page.
KINDS = (
    ("list, any page", "start={id}", False),
    ("list of 1,000", "start={id}&limit=1000", False),
    ("by status: a third of all", "orderBy=xdm:status&limit=1", False),
    ("newest first", "orderBy=-repo:createdDate&start={date}", False),
    ("by name", "orderBy=xdm:name&start={word}", False),
    ("by priority, then name", "orderBy=-xdm:rank.xdm:priority,xdm:name&start={number}", False),
    ("status, by name", "property=xdm:status=={status}&orderBy=xdm:name&start={word}", False),
    ("priority above", "property=xdm:rank.xdm:priority>{number}", False),
    ("a tag", "property=xdm:tags==xcore:tag:{number}", False),
    ("not a tag", "property=xdm:tags!=xcore:tag:{number}", False),
    ("changed between", "property=repo:lastModifiedDate>={date}&property=repo:lastModifiedDate<{date}", False),
    ("five filters", FIVE, False),
    ("pattern, new each time", "property=xdm:name~.*{word}.{number}.*", False),
    ("pattern, common", "property=xdm:name~.*{stem}.*", False),
    ("name with wildcard", "name=*{word}*", False),
    ("by id", "id=xcore:personalized-offer:{at}", False),
    ("search: a word", "q={word}", True),
    ("search: either of three", "q={word}+{word}+{word}", True),
    ("search: all of three", "q={word}+{word}+{word}&qop=and", True),
    ("search: exact", 'q="{word} {word}"', True),
    ("search: in the name", "q={word}&field=xdm:name", True),
    ("search, filter, newest", "q={word}&property=xdm:status=={status}&orderBy=-repo:createdDate", True),
)


def make_change(number: int, chance: random.Random, revision: int = 1) -> Change:
    """Make an offer of about 1.4 kB."""
    instance_id = str(uuid.UUID(int=(0x018F7A520000 + number) << 80 | 0x7000 << 64 | 1 << 63 | number))
    content = {
        "@id": f"xcore:personalized-offer:{number:016x}",
        "xdm:name": f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}",
        "xdm:status": chance.choice(["draft", "approved", "archived"]),
        "xdm:characteristics": {"color": chance.choice(WORDS), "text": " ".join(chance.choices(WORDS, k=12))},
        "xdm:tags": [f"xcore:tag:{tag}" for tag in chance.sample(range(1000), 3)],
        "xdm:rank": {"xdm:priority": chance.randrange(1000)},
        "xdm:selectionConstraint": {"xdm:startDate": make_date(number), "xdm:endDate": "2030-01-01T00:00:00+01:00"},
        "xdm:representations": [
            {
                "xdm:placement": "xcore:offer-placement:1",
                "xdm:components": [
                    {
                        "@type": "https://ns.adobe.com/experience/offer-management/content-component-html",
                        "dc:format": "text/html",
                        "xdm:content": f"<b>{' '.join(chance.choices(WORDS, k=20))}</b>",
                    }
                ],
            }
        ],
    }
    document = {
        "instanceId": instance_id,
        "schemas": [f"{SCHEMA};version=0.1"],
        "productContexts": ["dma_offers", "acp"],
        "repo:etag": revision,
        "repo:createdDate": make_date(number),
        "repo:lastModifiedDate": make_date(number + revision - 1),
        "repo:createdBy": "acct-71",
        "repo:lastModifiedBy": "acct-71",
        "repo:createdByClientId": "client-shop",
        "repo:lastModifiedByClientId": "client-shop",
        "_instance": content,
        "_links": {},
    }
    return Change(
        instance_id=instance_id,
        at_id=content["@id"],
        schemas=("personalized-offer", "offer"),
        document=json.dumps(document).encode(),
        expected=revision - 1,
        revision=revision,
    )


def make_date(number: int) -> str:
    """Give a date-time; one second to a number."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(1_714_521_600 + number))


async def fill(entities: Entities, container: str, count: int) -> None:
    """Save that many instances."""
    chance = random.Random(1)
    record = Change(
        instance_id=container, at_id="", schemas=("container",), document=b'{"_instance":{}}', expected=0, revision=1
    )
    await entities.save_container(SPACE, record)
    for first in range(0, count, AT_ONCE):
        changes = [make_change(number, chance) for number in range(first, min(first + AT_ONCE, count))]
        await asyncio.gather(*(entities.save(SPACE, container, change) for change in changes))


def write_query(text: str, chance: random.Random, count: int) -> list[tuple[str, str]]:
    """Draw what a query leaves open."""
    draws = {
        "{id}": lambda: make_change(chance.randrange(count), random.Random(1)).instance_id,
        "{date}": lambda: make_date(chance.randrange(count)),
        "{at}": lambda: f"{chance.randrange(count):016x}",
        "{word}": lambda: chance.choice(WORDS),
        "{stem}": lambda: chance.choice(STEMS),
        "{status}": lambda: chance.choice(["draft", "approved", "archived"]),
        "{number}": lambda: str(chance.randrange(1000)),
    }
    for mark, draw in draws.items():
        while mark in text:
            text = text.replace(mark, draw(), 1)
    return [(name, unquote_plus(value)) for name, _, value in (part.partition("=") for part in text.split("&"))]


class Lag:
    """How long the event loop was held."""

    def __init__(self) -> None:
        self.held: list[float] = []
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.held.append((time.perf_counter() - before - 0.001) * 1000)

    def end(self) -> str:
        """Give the longest holds in ms."""
        self._task.cancel()
        self.held.sort()
        return f"event loop held: p99 {take(self.held, 0.99):.1f} ms, longest {self.held[-1]:.1f} ms"


def take(ordered: list[float], share: float) -> float:
    """Give a quantile of sorted values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def read_memory() -> float:
    """Give what this process keeps in memory, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


class Run:
    """One container, filled, and its index."""

    def __init__(self, entities: Entities, count: int) -> None:
        self.entities = entities
        self.count = count
        self.registry = Registry()
        self.index = Index(entities, self.registry)
        self.container = str(uuid.uuid4())
        self.chance = random.Random(2)
        self._revisions: dict[int, int] = {}

    async def ask(self, text: str, search: bool) -> tuple[float, float, int]:
        """Ask for one page; give ms, ms of processor time of this process, and the total."""
        pairs = [("schema", SCHEMA), *write_query(text, self.chance, self.count)]
        query = (parse_search_query if search else parse_list_query)(pairs, self.registry)
        start, worked = time.perf_counter(), time.process_time()
        page = await self.index.page(SPACE, self.container, query)
        return (time.perf_counter() - start) * 1000, (time.process_time() - worked) * 1000, page.total

    async def write(self) -> None:
        """Change one instance."""
        number = self.chance.randrange(self.count)
        revision = self._revisions[number] = self._revisions.get(number, 1) + 1
        await self.entities.save(SPACE, self.container, make_change(number, self.chance, revision))

    async def measure(self, text: str, search: bool, pages: int) -> str:
        """Give the first, then p50, p99 and longest of many pages, and p50 and p99 of the processor time."""
        first, _, total = await self.ask(text, search)
        rows = []
        for number in range(pages):
            if number % 10 == 0:
                await self.write()
            rows.append(await self.ask(text, search))
        taken, worked = sorted(row[0] for row in rows), sorted(row[1] for row in rows)
        times = [first, take(taken, 0.5), take(taken, 0.99), taken[-1], take(worked, 0.5), take(worked, 0.99)]
        return "".join(f"{each:9.2f}" for each in times) + f"{total:9,}"


async def run(url: str, count: int, pages: int) -> None:
    """Fill, build, ask, print."""
    async with connected(url) as store:
        bench = Run(Entities(store, Repository(patience_ms=20_000)), count)
        start = time.perf_counter()
        await fill(bench.entities, bench.container, count)
        print(f"{count:,} instances saved in {time.perf_counter() - start:.1f} s")
        lag = Lag()
        await asyncio.sleep(2)
        print(f"at rest: {lag.end()}")
        before, start, worked, lag = read_memory(), time.perf_counter(), time.process_time(), Lag()
        await bench.ask("limit=50", search=False)
        taken, worked = time.perf_counter() - start, time.process_time() - worked
        print(f"index built in {taken:.1f} s ({worked:.1f} s CPU), {read_memory() - before:.0f} MB; {lag.end()}")
        print(f"{'ms a page':28}{'first':>9}{'p50':>9}{'p99':>9}{'longest':>9}{'CPU p50':>9}{'CPU p99':>9}{'total':>9}")
        lag = Lag()
        for name, text, search in KINDS:
            print(f"{name:28}{await bench.measure(text, search, pages)}", flush=True)
        print(f"{read_memory() - before:.0f} MB; {lag.end()}")
        bench.index.close()


def main() -> int:
    """Run against a private Redis."""
    parser = argparse.ArgumentParser(description="Measure lists and searches of one large container.")
    parser.add_argument("--count", type=int, default=100_000, help="instances (default: 100,000)")
    parser.add_argument("--pages", type=int, default=100, help="pages of each kind (default: 100)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder)) as server:
        asyncio.run(run(server.url, options.count, options.pages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
