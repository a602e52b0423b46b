"""Tokens to the syntax tree, by binding power (spec pql §3 and §4).

Keywords are words only where the grammar expects them (pql:LX2, GR5), so every decision here looks at the tokens that
follow. Nesting is counted before the parser recurses (pql:ST2).
"""

from collections.abc import Callable

from gateway.errors import RuleSyntaxError, RuleTooLarge
from gateway.pql import nodes
from gateway.pql.clauses import is_query, read_over, read_query
from gateway.pql.lexer import Token, tokenize
from gateway.pql.limits import MAX_DEPTH
from gateway.pql.occurrences import read_occurrence
from gateway.pql.operators import (
    ADD,
    AGGREGATES,
    COMPARE,
    CONSTANTS,
    MOMENTS,
    NOT,
    OPEN,
    OPERATORS,
    QUERIES,
    SIGNS,
    Operator,
)
from gateway.pql.source import Source, quoted

WORDS = {*CONSTANTS, *MOMENTS, *QUERIES, *AGGREGATES}
"""Names that may be more than a name."""

LINKS = {".", "["}
CLOSING = {",", "]", ")"}
CONSTANT = {"string", "number"}
OPERAND = "a value, a name or `(`"


class Parser:
    """Reads one rule; `recovered` lists the queries that were rewritten (pql:RW1)."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.token = self.tokens[0]
        self.depth = 0
        self.recovered: list[nodes.Node] = []
        self.names: set[int] = set()
        self.last_over = max((i for i, token in enumerate(self.tokens) if token.word == "over"), default=-1)

    def parse(self) -> nodes.Node:
        """Read the whole rule. Raises RuleSyntaxError, RuleTypeError and RuleTooLarge."""
        tree = self.argument()
        if self.token.kind != "end":
            raise self.unexpected("an operator or the end of the rule")
        return tree

    # Tokens

    def move(self, to: int) -> None:
        """Make another token the next one."""
        self.at = to
        self.token = self.tokens[to]

    def peek(self, ahead: int = 1) -> Token:
        """Look at a later token; behind the end there is only the end."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self, word: str) -> bool:
        """Step over a symbol or keyword if it is next, and say whether it was."""
        if self.token.word == word:
            self.move(self.at + 1)
            return True
        return False

    def expect(self, word: str, where: str) -> None:
        """Step over a symbol or keyword that must be next."""
        if not self.take(word):
            raise self.unexpected(f"`{word}` {where}")

    def expect_name(self, what: str) -> str:
        """Step over a name that must be next, and give it."""
        token = self.token
        if token.kind != "name":
            raise self.unexpected(what)
        self.move(self.at + 1)
        return token.text

    def unexpected(self, expected: str) -> RuleSyntaxError:
        """Make the error for the token that is next."""
        token, before = self.token, self.tokens[self.at - 1]
        if before.word in QUERIES and token.kind == "name" and self.tokens[self.at - 2].word != ".":
            expected = f"a variable name and `from` after `{before.text}`"
        return self.source.refuse(RuleSyntaxError, f"expected {expected}, found {token.shown()}", token.at)

    def nested(self) -> "Parser":
        """Go one level deeper for a `with` block, or refuse the rule."""
        self.depth += 1
        self.refuse_deep(self.depth)
        return self

    def __enter__(self) -> None:
        """Begin the block of `nested`."""

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def refuse_deep(self, depth: int) -> None:
        """Refuse a rule that is nested too deep."""
        if depth > MAX_DEPTH:
            message = f"a rule is nested at most {MAX_DEPTH} levels deep"
            raise self.source.refuse(RuleTooLarge, message, self.token.at)

    # Operators

    def expression(self, least: int = OPEN) -> nodes.Node:
        """Read an expression whose operators bind at least as tightly as `least`."""
        return self.continued(self.operand(least), least)

    def continued(self, left: nodes.Node, least: int) -> nodes.Node:
        """Read the operators after an operand."""
        while (operator := self.operator()) is not None and operator.level >= least:
            if operator.level == COMPARE:
                left = self.comparison(left, operator)
            elif operator.level < COMPARE:
                left = self.logic(left, operator)
            else:
                left = self.arithmetic(left, operator.level)
        return left

    def operator(self) -> Operator | None:
        """Give the operator that is next, without stepping over it."""
        word = self.token.word
        if word == "not" and self.peek().word == "in":
            return OPERATORS["notin"]
        return OPERATORS.get(word)

    def logic(self, left: nodes.Node, operator: Operator) -> nodes.Node:
        """Read the operands of a chain of `and`, or of `or`."""
        at, operands = self.token.at, [left]
        while self.operator() == operator:
            self.move(self.at + 1)
            operands.append(self.expression(operator.level + 1))
        return nodes.Logic(operator.name, tuple(operands), at=at)

    def arithmetic(self, left: nodes.Node, level: int) -> nodes.Node:
        """Read the operands of a chain of `+` and `-`, or of `*`, `/` and `%`."""
        at, rest = self.token.at, []
        while (operator := self.operator()) is not None and operator.level == level:
            self.move(self.at + 1)
            rest.append((operator.name, self.expression(level + 1)))
        return nodes.Arithmetic(left, tuple(rest), at=at)

    def comparison(self, left: nodes.Node, operator: Operator) -> nodes.Node:
        """Read the right side of a comparison, which must not be followed by another one."""
        at = self.token.at
        self.move(self.at + (2 if self.token.word == "not" else 1))
        if operator.name == "occurs":
            node: nodes.Node = nodes.Occurs(left, read_occurrence(self), at=at)
        else:
            right = self.members() if operator.name in {"in", "notIn"} else self.expression(ADD)
            node = nodes.Compare(operator.name, left, right, at=at)
        following = self.operator()
        if following is not None and following.level == COMPARE:
            raise self.unexpected("`and`, `or` or the end: comparisons do not chain")
        return node

    def members(self) -> nodes.Node:
        """Read what stands after `in`: a list in parentheses, or any expression."""
        at = self.token.at
        if self.token.word != "(":
            return self.expression(ADD)
        with self.nested():
            self.move(self.at + 1)
            items = [self.element()]
            while self.take(","):
                items.append(self.element())
            self.expect(")", "after the list")
        if len(items) > 1:
            return nodes.Listing(tuple(items), at=at)
        return self.continued(self.links(items[0]), ADD)

    # Operands

    def operand(self, least: int) -> nodes.Node:
        """Read one operand with the signs before it and the steps after it."""
        token = self.token
        if token.word in SIGNS:
            return self.signed(token, least)
        if token.word == "let" and self.peek().kind == "name" and self.peek(2).word == "=":
            return self.let(least)
        return self.links(self.primary())

    def signed(self, token: Token, least: int) -> nodes.Node:
        """Read `not x`, `!x` or `-x`."""
        sign = SIGNS[token.word]
        if sign.level == NOT and least > NOT:
            raise self.unexpected(f"{OPERAND} (put `not …` in parentheses here)")
        self.move(self.at + 1)
        with self.nested():
            return nodes.Prefix(sign.name, self.expression(sign.level), at=token.at)

    def let(self, least: int) -> nodes.Node:
        """Read `let name = value in body`."""
        if least > OPEN:
            raise self.unexpected(f"{OPERAND} (put `let …` in parentheses here)")
        at = self.token.at
        self.move(self.at + 1)
        name = self.expect_name("a variable")
        with self.nested():
            self.expect("=", "after the variable")
            value = self.expression(ADD)
            self.expect("in", "after the value of the variable")
            return nodes.Let(name, value, self.expression(), at=at)

    def primary(self) -> nodes.Node:
        """Read an operand without its steps."""
        token = self.token
        read = PRIMARIES.get(token.kind) or PRIMARIES.get(token.word)
        if read is None:
            raise self.unexpected(OPERAND)
        self.move(self.at + 1)
        return read(self, token)

    def number(self, token: Token) -> nodes.Node:
        """Read a number: whole numbers of up to 18 digits stay whole, all others are doubles."""
        whole = token.text.isdigit() and len(token.text) <= 18
        value = int(token.text) if whole else float(token.text)
        if value == float("inf"):
            raise self.source.refuse(RuleSyntaxError, f"the number {quoted(token.text)} is too large", token.at)
        return nodes.Literal(value, at=token.at)

    def group(self, token: Token) -> nodes.Node:
        """Read an expression in parentheses; those around a query add no level of their own."""
        if is_query(self) or self.token.word == "let":
            inner = self.expression()
        else:
            with self.nested():
                inner = self.expression()
        line, column = self.source.place(token.at)
        before = "" if line == self.source.place(self.token.at)[0] else f"line {line}, "
        self.expect(")", f"for the `(` of {before}column {column}")
        return inner

    def listing(self, token: Token) -> nodes.Node:
        """Read a list after its `[`."""
        with self.nested():
            items = self.separated("]", self.element)
        return nodes.Listing(tuple(items), at=token.at)

    def element(self) -> nodes.Node:
        """Read an element of a list; a plain constant, as in long lists of ids, takes the short way."""
        token = self.token
        if token.kind not in CONSTANT or self.tokens[self.at + 1].word not in CLOSING:
            return self.expression()
        self.move(self.at + 1)
        return self.number(token) if token.kind == "number" else nodes.Literal(token.text, at=token.at)

    def separated(self, end: str, read: Callable[[], nodes.Node]) -> list[nodes.Node]:
        """Read expressions with commas between them, up to and with the closing symbol."""
        items: list[nodes.Node] = []
        if self.take(end):
            return items
        items.append(read())
        while self.take(","):
            items.append(read())
        self.expect(end, "or `,`")
        return items

    def outer(self, token: Token) -> nodes.Node:
        """Read `^name` after its first `^`."""
        levels = 1
        while self.take("^"):
            levels += 1
        self.take(".")
        return nodes.Outer(levels, self.expect_name("a property name"), at=token.at)

    def word(self, token: Token) -> nodes.Node:
        """Read what begins with a name: a constant, a moment, a query, a call or the name itself."""
        if token.word not in WORDS:
            return self.call(None, token) if self.token.word == "(" else nodes.Name(token.text, at=token.at)
        if token.word in CONSTANTS:
            return nodes.Literal(CONSTANTS[token.word], at=token.at)
        if token.word in MOMENTS:
            return nodes.Moment(token.word, at=token.at)
        if token.word in QUERIES and self.token.kind == "name" and self.peek().word == "from":
            return read_query(self, token)
        if token.word in AGGREGATES and (over := read_over(self, token)) is not None:
            return over
        if self.token.word == "(":
            return self.call(None, token)
        return nodes.Name(token.text, at=token.at)

    def links(self, node: nodes.Node) -> nodes.Node:
        """Read the steps, calls and filters after an operand."""
        links = 0
        while self.token.word in LINKS:
            links += 1
            self.refuse_deep(self.depth + links)
            token = self.token
            self.move(self.at + 1)
            if token.word == ".":
                node = self.link(node)
                continue
            with self.nested():
                node = nodes.Filter(node, self.expression(), at=token.at)
            self.expect("]", "after the condition")
        return node

    def link(self, node: nodes.Node) -> nodes.Node:
        """Read properties up to the next call or filter, or the call, after the first dot."""
        at = node.at
        names: list[str] = []
        while True:
            token = self.token
            name = self.expect_name("a property or function name after `.`")
            if self.token.word == "(":
                return self.call(nodes.Step(node, tuple(names), at=at) if names else node, token)
            names.append(name)
            if not self.take("."):
                return nodes.Step(node, tuple(names), at=at)

    def call(self, target: nodes.Node | None, token: Token) -> nodes.Node:
        """Read the arguments of a call from their `(` on."""
        self.move(self.at + 1)
        with self.nested():
            arguments = self.separated(")", self.argument)
        return nodes.Call(target, token.text, tuple(arguments), at=token.at)

    def argument(self) -> nodes.Node:
        """Read a lambda or an expression."""
        at, names = self.token.at, self.parameters()
        if not names:
            return self.expression()
        with self.nested():
            return nodes.Lambda(names, self.expression(), at=at)

    def parameters(self) -> tuple[str, ...]:
        """Step over `(a, b) =>` if it is next, and give the names."""
        start = self.at
        names: list[str] = []
        while self.take("," if names else "("):
            if self.token.kind != "name":
                names.clear()
                break
            names.append(self.token.text)
            self.move(self.at + 1)
        if names and self.take(")") and self.take("=>"):
            return tuple(names)
        self.move(start)
        return ()

    def starts_operand(self) -> bool:
        """Say whether the next token can begin an operand."""
        token = self.token
        if token.kind == "name":
            return token.word not in OPERATORS and token.word != "not"
        return token.kind not in {"symbol", "end"} or token.word in {"(", "[", "^", "-", "!"}


PRIMARIES: dict[str, Callable[[Parser, Token], nodes.Node]] = {
    "string": lambda _, token: nodes.Literal(token.text, at=token.at),
    "number": Parser.number,
    "parameter": lambda _, token: nodes.Parameter(int(token.text[1:]), at=token.at),
    "context": lambda _, token: nodes.Context(token.text, at=token.at),
    "name": Parser.word,
    "(": Parser.group,
    "[": Parser.listing,
    "^": Parser.outer,
}
"""How an operand is read, by the kind or the symbol of its first token."""
