"""Queries and aggregates over clauses, read from tokens (spec pql §3, GR1 to GR6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.pql import nodes
from gateway.pql.operators import ADD, QUERIES
from gateway.pql.recovery import recover

if TYPE_CHECKING:
    from gateway.pql.lexer import Token
    from gateway.pql.parser import Parser


def is_query(parser: Parser) -> bool:
    """Say whether a query is next (pql:GR5)."""
    return parser.token.word in QUERIES and parser.peek().kind == "name" and parser.peek(2).word == "from"


def read_query(parser: Parser, token: Token) -> nodes.Node:
    """Read `select`, `exists` and so on after that word, and recover the printed rule (pql:RW1)."""
    with parser.nested():
        query = nodes.Query(QUERIES[token.word], read_clauses(parser), at=token.at)
    recovered = recover(query)
    if recovered is None:
        return query
    parser.recovered.append(recovered)
    return recovered


def read_clauses(parser: Parser) -> tuple[nodes.Clause, ...]:
    """Read clauses; each one nests in the one before it."""
    clauses = [read_clause(parser)]
    while at_clause(parser):
        parser.move(parser.at + 1)
        parser.refuse_deep(parser.depth + len(clauses))
        clauses.append(read_clause(parser))
    return tuple(clauses)


def at_clause(parser: Parser) -> bool:
    """Say whether another clause follows: `name from` after a comma or a repeated `select` (pql:GR2, GR3)."""
    if parser.token.word not in {",", "select"}:
        return False
    return parser.peek().kind == "name" and parser.peek(2).word == "from"


def read_clause(parser: Parser) -> nodes.Clause:
    """Read `name from source where condition`."""
    at = parser.token.at
    name = parser.expect_name("a variable name")
    parser.expect("from", "after the variable name")
    source = parser.expression(ADD)
    condition = parser.expression() if parser.take("where") or parser.take(":") else None
    return nodes.Clause(name, source, condition, at=at)


def read_over(parser: Parser, token: Token) -> nodes.Node | None:
    """Read `sum value over clauses` after its first word, or nothing when there is no `over` (pql:X6).

    A word that turned out to be a name is remembered, so that no part is read again and again.
    """
    start, recovered = parser.at, len(parser.recovered)
    if start >= parser.last_over or start in parser.names or not parser.starts_operand():
        return None
    with parser.nested():
        value = parser.expression(ADD)
        if parser.take("over"):
            return nodes.Over(token.word, value, read_clauses(parser), at=token.at)
    parser.names.add(start)
    parser.move(start)
    del parser.recovered[recovered:]
    return None
