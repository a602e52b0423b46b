"""Rules that are compiled once and evaluated often."""

from typing import Any

from msgspec import Struct

from gateway.pql.compiler import Compiler
from gateway.pql.facts import Facts
from gateway.pql.faults import EvaluationError, Fault
from gateway.pql.limits import FUEL
from gateway.pql.parser import Parser
from gateway.pql.printer import print_node
from gateway.pql.source import Source
from gateway.pql.values import truth


class Outcome(Struct, frozen=True):
    """The value of an expression, or why it has none."""

    value: Any = None
    fault: Fault | None = None


class Verdict(Struct, frozen=True):
    """Whether a rule holds; a rule with a fault does not (pql:V3)."""

    holds: bool
    fault: Fault | None = None


HOLDS = Verdict(holds=True)
FAILS = Verdict(holds=False)


class Expression:
    """A compiled rule.

    `roots` names what it reads, of profile, xEvent, context, offer and now; `schemas` the context references in it;
    `recovered` the canonical forms of the aggregates that were moved (pql:RW2), for a warning. `str()` prints the rule
    in canonical form, `text` is the rule as given.
    """

    __slots__ = ("_code", "_fuel", "_slots", "recovered", "roots", "schemas", "text", "tree")

    def __init__(self, text: str) -> None:
        """Compile. Raises RuleSyntaxError, RuleTypeError or RuleTooLarge, which point at the place."""
        source = Source(text)
        parser = Parser(source)
        self.text = text
        self.tree = parser.parse()
        self.recovered = tuple(print_node(node) for node in parser.recovered)
        compiler = Compiler(source)
        self._code = compiler.rule(self.tree)
        self._slots = compiler.slots
        self._fuel = FUEL - compiler.cost
        self.roots = frozenset(compiler.roots)
        self.schemas = frozenset(compiler.schemas)

    def __str__(self) -> str:
        return print_node(self.tree)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def evaluate(self, facts: Facts) -> Outcome:
        """Give the value of the expression; what goes wrong is given as a fault, never raised."""
        try:
            facts.begin(self._fuel, self._slots)
            return Outcome(self._code(facts))
        except Exception as error:  # noqa: BLE001 - a rule never fails the call (pql:V3); the fault says what happened
            return Outcome(fault=self._fault(error))

    def test(self, facts: Facts) -> Verdict:
        """Say whether the rule holds, its value read as a boolean (pql §6.6); what goes wrong is given as a fault."""
        try:
            facts.begin(self._fuel, self._slots)
            value = self._code(facts)
            if value is False or value is None:
                return FAILS
            return HOLDS if value is True or truth(value) else FAILS
        except Exception as error:  # noqa: BLE001 - a rule never fails the call (pql:V3); the fault says what happened
            return Verdict(holds=False, fault=self._fault(error))

    def _fault(self, error: Exception) -> Fault:
        """Turn an exception into a value; what no operation claims is laid to the outermost one."""
        if not isinstance(error, EvaluationError):
            return Fault(f"the rule could not be evaluated: {type(error).__name__}", code="rule-internal")
        line, column = Source(self.text).place(self.tree.at if error.at < 0 else error.at)
        return Fault(error.message, line, column)


def compile(text: str) -> Expression:  # noqa: A001 - the word for it, always used as `pql.compile`
    """Compile a rule. Raises RuleSyntaxError, RuleTypeError or RuleTooLarge, which point at the place."""
    return Expression(text)
