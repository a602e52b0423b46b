"""What every measurement is given."""

import sys

from msgspec import Struct

from tests.load.processes import Cores


class Bench(Struct, frozen=True, kw_only=True):
    """How to measure: `rounds` windows of `seconds` each, the rows asked for (none named: all), where things run."""

    seconds: float
    rounds: int
    only: frozenset[str]
    redis_url: str
    cores: Cores

    def wants(self, name: str) -> bool:
        """Whether the row `name` was asked for."""
        return not self.only or name in self.only

    def say(self, text: str) -> None:
        """Tell whoever waits how far it has come."""
        print(f"  {text}", file=sys.stderr, flush=True)
