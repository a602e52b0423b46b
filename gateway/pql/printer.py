"""The syntax tree back to text: canonical symbols, no more parentheses than needed, and it parses to the same tree."""

from collections.abc import Callable
from typing import Any

from gateway.pql import nodes
from gateway.pql.operators import ADD, AGGREGATES, AND, COMPARE, NOT, OPEN, OPERATORS, OR, POSTFIX, SIGNS
from gateway.pql.times import UNITS

LEVELS: dict[type[nodes.Node], int] = {
    nodes.Lambda: OPEN,
    nodes.Query: OPEN,
    nodes.Over: OPEN,
    nodes.Let: OPEN,
    nodes.Compare: COMPARE,
    nodes.Occurs: COMPARE,
}


def level(node: nodes.Node) -> int:
    """Say how tightly the outermost operator of a node binds."""
    if isinstance(node, nodes.Logic):
        return OPERATORS[node.operator].level
    if isinstance(node, nodes.Arithmetic):
        return OPERATORS[node.rest[0][0]].level
    if isinstance(node, nodes.Prefix):
        return SIGNS[node.operator].level
    return LEVELS.get(type(node), POSTFIX)


def print_node(node: nodes.Node, least: int = OPEN) -> str:
    """Print a node, in parentheses when it binds looser than its place demands."""
    text = PRINTERS[type(node)](node)
    return text if level(node) >= least else f"({text})"


def print_literal(node: nodes.Literal) -> str:
    """Print a constant."""
    value = node.value
    if isinstance(value, str):
        return quote(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def quote(text: str) -> str:
    """Print a text between double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def print_list(items: tuple[nodes.Node, ...]) -> str:
    """Print expressions with commas between them."""
    return ", ".join(print_node(item) for item in items)


def print_context(node: nodes.Context) -> str:
    """Print a context reference; an id in braces needs the pair that readers ignore."""
    wrapped = node.schema.startswith("{") and node.schema.endswith("}")
    return f"@{{{{{node.schema}}}}}" if wrapped else f"@{{{node.schema}}}"


def print_call(node: nodes.Call) -> str:
    """Print a call."""
    call = f"{node.function}({print_list(node.arguments)})"
    return call if node.target is None else f"{print_node(node.target, POSTFIX)}.{call}"


def print_prefix(node: nodes.Prefix) -> str:
    """Print a sign and its operand."""
    sign = SIGNS[node.operator]
    return f"{sign.name}{' ' if sign.level == NOT else ''}{print_node(node.operand, sign.level)}"


def print_logic(node: nodes.Logic) -> str:
    """Print operands joined by `and` or `or`."""
    least = AND if node.operator == "or" else NOT
    return f" {node.operator} ".join(print_node(operand, least) for operand in node.operands)


def print_arithmetic(node: nodes.Arithmetic) -> str:
    """Print a chain of arithmetic."""
    least = OPERATORS[node.rest[0][0]].level + 1
    tail = "".join(f" {operator} {print_node(operand, least)}" for operator, operand in node.rest)
    return print_node(node.first, least) + tail


def print_compare(node: nodes.Compare) -> str:
    """Print a comparison."""
    return f"{print_node(node.left, ADD)} {node.operator} {print_node(node.right, ADD)}"


def print_occurs(node: nodes.Occurs) -> str:
    """Print an `occurs` with its four kinds of endings."""
    when = node.when
    left = f"{print_node(node.left, ADD)} occurs "
    if isinstance(when, nodes.Within):
        unit = UNITS[when.unit].name if when.count == 1 else UNITS[when.unit].plural
        return f"{left}{when.operator} {when.count} {unit} {when.direction} {print_node(when.time, ADD)}"
    if isinstance(when, nodes.Relative):
        return f"{left}{when.direction} {print_node(when.time, ADD)}"
    if isinstance(when, nodes.Between):
        return f"{left}between {print_node(when.first, ADD)} and {print_node(when.last, ADD)}"
    return f"{left}on {print_node(when.time, ADD)}"


def print_clauses(clauses: tuple[nodes.Clause, ...]) -> str:
    """Print the clauses of a query; a query inside one gets parentheses, or it would swallow the next clause."""
    return ", ".join(print_clause(clause) for clause in clauses)


def print_clause(clause: nodes.Clause) -> str:
    """Print `name from source where condition`."""
    head = f"{clause.name} from {print_node(clause.source, ADD)}"
    return head if clause.condition is None else f"{head} where {print_node(clause.condition, OR)}"


def print_over(node: nodes.Over) -> str:
    """Print an aggregate over clauses; its value in parentheses, or the word would be read as the value's own."""
    value = print_node(node.value)
    plain = isinstance(node.value, nodes.Name | nodes.Step) and value.partition(".")[0].lower() not in AGGREGATES
    return f"{node.function} {value if plain else f'({value})'} over {print_clauses(node.clauses)}"


def print_let(node: nodes.Let) -> str:
    """Print a `let`."""
    return f"let {node.name} = {print_node(node.value, ADD)} in {print_node(node.body)}"


PRINTERS: dict[type[nodes.Node], Callable[[Any], str]] = {
    nodes.Literal: print_literal,
    nodes.Listing: lambda node: f"[{print_list(node.items)}]",
    nodes.Moment: lambda node: node.word,
    nodes.Period: lambda node: f"{node.which} {node.unit}",
    nodes.Name: lambda node: node.name,
    nodes.Parameter: lambda node: f"${node.number}",
    nodes.Context: print_context,
    nodes.Outer: lambda node: "^" * node.levels + node.name,
    nodes.Step: lambda node: ".".join((print_node(node.target, POSTFIX), *node.names)),
    nodes.Filter: lambda node: f"{print_node(node.target, POSTFIX)}[{print_node(node.condition)}]",
    nodes.Lambda: lambda node: f"({', '.join(node.names)}) => {print_node(node.body)}",
    nodes.Call: print_call,
    nodes.Prefix: print_prefix,
    nodes.Logic: print_logic,
    nodes.Arithmetic: print_arithmetic,
    nodes.Compare: print_compare,
    nodes.Occurs: print_occurs,
    nodes.Query: lambda node: f"{node.kind} {print_clauses(node.clauses)}",
    nodes.Over: print_over,
    nodes.Let: print_let,
}
"""How each kind of node is printed, without parentheses around it."""
