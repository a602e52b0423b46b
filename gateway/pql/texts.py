"""The functions of text (spec pql §7): what they do with text, with a list of texts, and with null."""

from collections.abc import Callable
from typing import Any

from gateway.pql.facts import Facts
from gateway.pql.faults import EvaluationError
from gateway.pql.items import LOOP_COST
from gateway.pql.patterns import COMPILE_COST, SEARCH_COST, Pattern, PatternError, compile_like, compile_pattern
from gateway.pql.values import article, kind_of, text_of, whole

CHARACTERS_PER_STEP = 4
SHORT = 64
LONG = 30_000
"""Characters from which Python searches a text in time linear in its length."""

LONGEST_SOUGHT = 2_500
TRIALS_PER_STEP = 64
"""Characters compared for one step where every place of a text is tried for what is sought."""
"""Characters below which a test of text is paid for with the call."""
Apply = Callable[..., Any]


def need_text(name: str, value: Any) -> str:
    """Read a text, or a number or boolean as text."""
    text = text_of(value)
    if text is None:
        raise EvaluationError(f"`{name}` takes text, not {article(kind_of(value))}")
    return text


def text_rule(name: str, holds: Callable[[str, str], bool], *, wanted: bool = True, searches: bool = False) -> Apply:
    """Make a function such as `contains`, or with `wanted=False` its opposite.

    For a list the one says that some element passes the test and the opposite that none does; with null both are false.
    `searches` says that the test may try every place of the text.
    """

    def apply(facts: Facts, receiver: Any, text: Any, sensitive: Any = True) -> bool:  # noqa: FBT002 - the language passes it by place
        if type(receiver) is str and type(text) is str and sensitive is True and len(receiver) < SHORT:
            return holds(receiver, text) is wanted
        if receiver is None or text is None:
            return False
        if not isinstance(sensitive, bool):
            raise EvaluationError(
                f"`{name}` takes true or false as its second argument, not {article(kind_of(sensitive))}"
            )
        sought = need_text(name, text)
        sought = sought if sensitive else folded(facts, sought)
        return any_text(facts, name, receiver, lambda given: run(facts, given, sought, sensitive=sensitive)) is wanted

    def run(facts: Facts, given: str, sought: str, *, sensitive: bool) -> bool:
        given = given if sensitive else folded(facts, given)
        facts.spend(LOOP_COST + (len(given) + len(sought)) // CHARACTERS_PER_STEP)
        if searches and len(given) < LONG:
            places = max(0, len(given) - len(sought) + 1)
            facts.spend(places * min(len(sought), LONGEST_SOUGHT) // TRIALS_PER_STEP)
        return holds(given, sought)

    return apply


def folded(facts: Facts, text: str) -> str:
    """Give a text without upper and lower case."""
    facts.spend(len(text) // CHARACTERS_PER_STEP)
    return text.casefold()


def any_text(facts: Facts, name: str, receiver: Any, test: Callable[[str], bool]) -> bool:
    """Test a text, or the elements of a list that are not null."""
    if type(receiver) is str:
        return test(receiver)
    if type(receiver) is not list:
        return test(need_text(name, receiver))
    facts.spend(LOOP_COST * 4 * len(receiver))
    return any(test(need_text(name, element)) for element in receiver if element is not None)


def pattern_of(facts: Facts, name: str, regex: Any) -> Pattern:
    """Give a pattern that was compiled with the rule, or compile one that comes from the data."""
    if isinstance(regex, Pattern):
        return regex
    return prepared(facts, need_text(name, regex), compile_pattern)


def prepared(facts: Facts, text: str, compiler: Callable[[str], Pattern]) -> Pattern:
    """Compile a pattern once per evaluation."""
    name = f"{compiler.__name__} {text}"
    if name not in facts.patterns:
        facts.spend(COMPILE_COST)
        try:
            facts.patterns[name] = compiler(text)
        except PatternError:
            raise EvaluationError("a pattern that came from the data is not understood") from None
    return facts.patterns[name]


def search(facts: Facts, pattern: Pattern, text: str) -> Any:
    """Look for a pattern in a text; give RE2's match over its UTF-8 bytes."""
    encoded = text.encode(errors="replace")
    facts.spend(SEARCH_COST + pattern.rate * len(encoded))
    return pattern.search.search(encoded)


def matches(facts: Facts, receiver: Any, regex: Any) -> bool:
    """Say whether a regular expression matches somewhere in the text, or in some text of the list."""
    if receiver is None or regex is None:
        return False
    pattern = pattern_of(facts, "matches", regex)
    return any_text(facts, "matches", receiver, lambda text: search(facts, pattern, text) is not None)


def regex_group(facts: Facts, receiver: Any, regex: Any, group: Any = 1) -> str | None:
    """Give what a group captured, or null."""
    if receiver is None or regex is None:
        return None
    pattern = pattern_of(facts, "regexGroup", regex)
    number = whole(group)
    if number is None:
        raise EvaluationError("the group of `regexGroup` is a whole number")
    if not 0 <= number <= pattern.search.groups:
        raise EvaluationError("the regular expression has no such group")
    match = search(facts, pattern, need_text("regexGroup", receiver))
    captured = match.group(number) if match else None
    return captured.decode(errors="replace") if captured is not None else None


def like(facts: Facts, left: Any, right: Any, pattern: Pattern | None = None) -> bool:
    """Say whether the whole text fits a pattern of `%` and `_`; false with null (pql:NU1)."""
    if left is None or right is None:
        return False
    ready = pattern or prepared(facts, need_text("like", right), compile_like)
    return any_text(facts, "like", left, lambda text: search(facts, ready, text) is not None)
