"""How much a rule may ask for (spec pql:ST2, pql:ST3, repository F9).

One step of fuel stands for about 40 ns of work on one core of a small server; the costs of single operations, given in
steps where they are defined, were measured with `python -m tests.load.pql`. A full budget is therefore spent in less
than 5 ms, whatever the rule and whatever the data.
"""

MAX_SOURCE_BYTES = 15 * 1024
MAX_DEPTH = 30
MAX_TOKENS = 1_600
"""Words and signs of a rule, and so the most nodes its tree can have: each takes one at least."""

FUEL = 100_000

MAX_DATA_DEPTH = 64
"""Levels of nested lists or objects an operation follows before it gives up with an evaluation error."""

MAX_PATTERN = 256
"""Characters of a regular expression or of a `like` pattern."""

MAX_PATTERNS = 6_000
"""Instructions of all patterns of a rule together, each counted with `PATTERN_SHARE` more."""

PATTERN_SHARE = 300

MAX_NUMBER_TEXT = 400
"""Characters of the longest text that is still read as a number."""
