"""`gateway caps show|reset|audit`: what was counted, beginning anew, and whether counts and decisions agree."""

import argparse
from collections import Counter as Tally
from collections.abc import AsyncIterator

from gateway.config import Settings
from gateway.errors import ConfigError
from gateway.offers.instances import Space
from gateway.operating.access import reach_counting
from gateway.store.counting import Counting
from gateway.store.decision_events import Recorded
from gateway.store.epoch import reset_epoch

ABOUT = """\
Shows and mends what caps have counted, on the Redis that the configuration names (see [caps] and [redis]).

  gateway caps show  --organization ORG --sandbox prod --container ID     the global count of every offer
  gateway caps audit --organization ORG --sandbox prod --container ID     compare the counts with the decision events
  gateway caps reset --organization ORG --sandbox prod --container ID --offer OFFER     count an offer from 0 again
  gateway caps reset --epoch     the store was emptied, and its data will not come back: open caps again

reset --offer deletes the counters of that offer, global and of every profile. Its caps then allow as much as a new
offer's would: this is not undone.

reset --epoch is for the log event `caps.lost`: the gateway has found its counters gone, and hands out no offer that has
a cap. First try to restore the data of Redis; caps then open by themselves. If that is impossible, this command says
that you know: what is left of the counts goes on, what was lost counts from 0. Running gateways notice within a second.

audit reads the stream of decision events from its oldest entry and adds up what was handed out. More counted than
handed out is what claims leave that were counted and then not handed out (a gateway was killed, a reply came too late),
and what was counted before the oldest event: the stream is bounded (events.max-length). Less counted than handed out
means that counts were lost, or that a cap was waived (caps.when-store-fails = "open"); then the exit status is 1.
"""
_PAGE = 1_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("action", choices=["show", "reset", "audit"])
    parser.add_argument("--organization", default="", metavar="ID", help="organisation of the container")
    parser.add_argument("--sandbox", default="", metavar="NAME", help="sandbox of the container")
    parser.add_argument("--container", default="", metavar="ID", help="the container whose offers are counted")
    parser.add_argument("--offer", default="", metavar="ID", help="reset: the @id of the offer")
    parser.add_argument("--epoch", action="store_true", help="reset: trust the store again that was emptied")


async def run(settings: Settings, options: argparse.Namespace) -> int:
    """Do what `options` ask for; gives the exit status. Raises GatewayError."""
    if options.epoch and options.action != "reset":
        raise ConfigError("--epoch belongs to `gateway caps reset`")
    if not options.epoch and not (options.organization and options.sandbox and options.container):
        raise ConfigError("name the container: --organization, --sandbox and --container")
    if options.action == "reset" and not options.epoch and not options.offer:
        raise ConfigError("say what to reset: --offer OFFER, or --epoch")
    async with reach_counting(settings) as counting:
        if options.epoch:
            token = await reset_epoch(counting.nodes, counting.record, settings.caps.shards)
            print(f"a new epoch has begun: {token}. Running gateways count again within a second")
            return 0
        space = Space(options.organization, options.sandbox)
        if options.action == "reset":
            gone = await counting.caps.forget_offer(space, options.container, options.offer)
            print(f"{gone} counters of {options.offer} deleted")
            return 0
        if options.action == "show":
            return await _show(counting, space, options.container)
        return await _audit(counting, space, options.container)


async def _show(counting: Counting, space: Space, container: str) -> int:
    for offer, count in sorted((await counting.caps.show(space, container)).items()):
        print(f"{count:>12}  {offer}")
    return 0


async def _audit(counting: Counting, space: Space, container: str) -> int:
    counted = await counting.caps.show(space, container)
    handed: Tally[str] = Tally()
    waived: Tally[str] = Tally()
    async for entry in replay(counting):
        if entry.kind == "decision" and (entry.space, entry.container) == (space, container):
            (handed if entry.event.get("gw:counted", True) else waived).update(list_options(entry))
    short = 0
    for offer in sorted({*counted, *handed}):
        difference = counted.get(offer, 0) - handed[offer]
        short += difference < 0
        note = "" if not difference else f"  {'more' if difference > 0 else 'LESS'} counted by {abs(difference)}"
        print(f"counted {counted.get(offer, 0):>10}  handed out {handed[offer]:>10}  {offer}{note}")
    for offer, count in sorted(waived.items()):
        print(f"uncounted while Redis was away {count:>10}  {offer}")
    return int(short > 0)


async def replay(counting: Counting) -> AsyncIterator[Recorded]:
    """Give every recorded event once, oldest first; a decision that was written twice is given once."""
    after, seen = "-", set()
    while page := await counting.events.read(after, _PAGE):
        for entry in page:
            proposition = entry.event.get("xdm:propositionId")
            if entry.kind != "decision" or proposition not in seen:
                yield entry
            seen.add(proposition)
        after = page[-1].id


def list_options(entry: Recorded) -> list[str]:
    """Give the offers that a decision handed out, one for each time (dec:CA1)."""
    return [
        option["xdm:id"]
        for proposition in entry.event.get("xdm:propositions", [])
        for option in proposition.get("xdm:options", [])
    ]
