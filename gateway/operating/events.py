"""`gateway events tail`: the decision events and feedback, one JSON line each."""

import argparse
import asyncio
from datetime import UTC, datetime

import msgspec

from gateway.config import Settings
from gateway.operating.access import reach_counting
from gateway.store.counting import Counting
from gateway.store.decision_events import Recorded

ABOUT = """\
Prints decision events and the feedback on them as JSON lines: when they were added, what kind they are, the container,
and the event as the decision runtime recorded it. Events hold the identities of visitors: mind where you send them.

  gateway events tail                      the newest 10, then every new one until Ctrl-C
  gateway events tail --lines 100 --once   the newest 100, and no more
  gateway events tail --all --once         all that the stream keeps (events.max-length)
"""
_POLL_S = 0.5
_PAGE = 500


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("action", choices=["tail"])
    parser.add_argument("--lines", type=int, default=10, metavar="N", help="how many of the newest to begin with")
    parser.add_argument("--all", action="store_true", help="begin with the oldest")
    parser.add_argument("--once", action="store_true", help="do not wait for new ones")


async def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print what `options` ask for; gives 0. Raises GatewayError."""
    async with reach_counting(settings) as counting:
        last = await _print_newest(counting, None if options.all else options.lines)
        while not options.once:
            page = await counting.events.read(last, _PAGE)
            for entry in page:
                print(write_line(entry), flush=True)
            last = page[-1].id if page else last
            if len(page) < _PAGE:
                await asyncio.sleep(_POLL_S)
    return 0


async def _print_newest(counting: Counting, count: int | None) -> str:
    """Print the newest entries, or all, and give the id of the last one."""
    last = "-"
    if count is not None:
        newest = await counting.events.newest(count)
        for entry in newest:
            print(write_line(entry))
        return newest[-1].id if newest else await counting.events.last_id()
    while page := await counting.events.read(last, _PAGE):
        for entry in page:
            print(write_line(entry))
        last = page[-1].id
    return last


def write_line(entry: Recorded) -> str:
    """Give one line of JSON."""
    added = datetime.fromtimestamp(entry.added_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        {"added": added, "kind": entry.kind, "container": entry.container, "event": entry.event}
    ).decode()
