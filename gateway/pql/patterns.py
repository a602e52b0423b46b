r"""Regular expressions and `like` patterns, matched by RE2 in time linear in the text (spec pql §6.5, repository F9).

The dialect is what RE2 and Python's `re` both read: no back-references, no look-around, no `\pL` or `\z`. Python only
reads the pattern, it never matches with it. The classes for digits and words mean ASCII.
"""

import re
import warnings
from functools import lru_cache
from typing import NamedTuple

import re2  # type: ignore[import-untyped] # the wheel has no type hints

from gateway.pql.limits import MAX_PATTERN

COMPILE_COST = 25_000
"""Steps for a pattern that is only known at run time: RE2 takes up to 1 ms for the worst one it accepts."""

SEARCH_COST = 40
INSTRUCTIONS_PER_STEP = 2
"""RE2 took up to 14 ns for each instruction of a pattern, for every byte of text."""

FOREIGN = re.compile(r"[^\x00-\x7f]")
FLAGS = re.compile(r"\(\?[a-z]+")
EDGES = re.compile(r"\\[AzZbB]|(?<!\[)\^|\$|\(\?(?!s?:|P)")
MEMORY = 1 << 16
WILD = {"%": ".*", "_": "."}


class Pattern(NamedTuple):
    """A compiled pattern: `search` finds it in UTF-8 text, `rate` is the cost of a byte of text in steps."""

    search: "re2._Regexp"
    size: int
    rate: int


class PatternError(ValueError):
    """The pattern cannot be used; the message says why."""


@lru_cache(maxsize=128)
def compile_pattern(text: str) -> Pattern:
    """Compile a regular expression. Raises PatternError when it is too long, too complicated or not RE2's dialect."""
    if len(text) > MAX_PATTERN:
        raise PatternError(f"a regular expression is at most {MAX_PATTERN} characters long, this has {len(text)}")
    pattern = compile_text(text)
    refuse_foreign(text)
    return pattern


@lru_cache(maxsize=128)
def compile_whole(text: str, *, case_sensitive: bool = False) -> "re2._Regexp":
    """Give what tells, by its `fullmatch`, whether all of a text matches (repository F8). Raises PatternError."""
    try:
        return re2.compile(text, whole_options(case_sensitive=case_sensitive))
    except re2.error:
        raise PatternError("this regular expression is too large when case does not matter") from None


@lru_cache(maxsize=128)
def compile_lines(text: str, *, case_sensitive: bool = False) -> "re2._Regexp | None":
    r"""Give what finds every line `<number>\x1f<text>` whose text matches as a whole: group 1 is the number.

    None for an expression that looks at the edges of its text or sets flags: it would see those of all lines.
    """
    if EDGES.search(text):
        return None
    options = whole_options(case_sensitive=case_sensitive)
    options.never_nl = True
    options.max_mem = 8 * MEMORY
    return re2.compile(rf"(?m)^([0-9]+)\x1f(?:{text})$", options)


def whole_options(*, case_sensitive: bool) -> "re2.Options":
    """Give the options of an expression that was accepted before."""
    options = re2.Options()
    options.max_mem = 4 * MEMORY
    options.log_errors = False
    options.case_sensitive = case_sensitive
    return options


def refuse_foreign(text: str) -> None:
    """Refuse what only RE2 reads (repository F9).

    Python only sees ASCII, and not whether case matters: it would spend milliseconds on each large class.
    """
    plain = FOREIGN.sub("\x7f", FLAGS.sub(lambda flags: flags[0].replace("i", "s"), text))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # `[[:alpha:]]`: a class here, a set of characters there
            re.compile(plain)
    except (re.error, FutureWarning, OverflowError, RecursionError) as error:
        raise PatternError(f"this regular expression is not understood: {error}") from None


@lru_cache(maxsize=128)
def compile_like(text: str) -> Pattern:
    """Compile a `like` pattern, where `%` is any run of characters and `_` exactly one. Raises PatternError."""
    if len(text) > MAX_PATTERN:
        raise PatternError(f"a `like` pattern is at most {MAX_PATTERN} characters long, this has {len(text)}")
    readable = text.encode(errors="replace").decode()
    parts = [WILD.get(part) or re2.escape(part) for part in re.split("([%_])", readable)]
    return compile_text(f"(?s)\\A{''.join(parts)}\\z")


def compile_text(text: str) -> Pattern:
    """Hand a pattern to RE2."""
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    try:
        compiled = re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise PatternError(f"this regular expression is not understood: {reason}") from None
    except UnicodeEncodeError:
        raise PatternError("half of a surrogate pair is not a character") from None
    size = compiled.programsize
    return Pattern(compiled, size, max(2, size // INSTRUCTIONS_PER_STEP))
