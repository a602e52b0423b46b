"""Calls of the functions in the library, with their static checks (spec pql §7, ST1)."""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.pql import nodes
from gateway.pql.faults import EvaluationError
from gateway.pql.items import Fixed, listed
from gateway.pql.kinds import kind_of_node
from gateway.pql.library import FUNCTIONS, Function
from gateway.pql.patterns import SEARCH_COST, compile_pattern
from gateway.pql.roots import straight
from gateway.pql.source import quoted
from gateway.pql.times import date_span, instant_of
from gateway.pql.values import article, kind_of, whole

if TYPE_CHECKING:
    from gateway.pql.compiler import Compiler
    from gateway.pql.facts import Facts
    from gateway.pql.items import Code, Item
    from gateway.pql.scopes import Scope

RECEIVERS = {
    "list": {"list"},
    "object": {"object"},
    "text": {"text", "number", "boolean", "list"},
    "time": {"time", "text"},
}
"""Kinds a function can be called on, where the kind is known without data."""

ARGUMENTS = {
    "text": {"text", "number", "boolean"},
    "key": {"text", "number"},
    "regex": {"text"},
    "flag": {"boolean"},
    "whole": {"number"},
}
"""Kinds an argument can have, where the kind is known without data."""


def code_call(compiler: Compiler, node: nodes.Call, scope: Scope) -> Code:
    """Compile a call."""
    row = find(compiler, node)
    compiler.cost += row.cost + (SEARCH_COST if "regex" in row.takes else 0)
    compiler.roots.update(row.reads)
    if row.name == "if":
        return code_if(compiler, row, node, scope)
    arguments = [code_argument(compiler, row, i, argument, scope) for i, argument in enumerate(node.arguments)]
    if row.name == "date":
        refuse_date(compiler, node)
    if node.target is None:
        return standing(row, arguments, node.at)
    call = called(row, code_receiver(compiler, row, node.target, scope), arguments, node.at)
    return straight(compiler, node, scope, call) if row.name == "get" else call


def find(compiler: Compiler, node: nodes.Call) -> Function:
    """Find the function, and refuse what it cannot take (pql:ST1)."""
    row = FUNCTIONS.get(node.function.lower())
    if row is None:
        close = get_close_matches(node.function[:40], [known.name for known in FUNCTIONS.values()], 1)
        hint = f", did you mean `{close[0]}`?" if close else ""
        raise compiler.refuse(f"there is no function {quoted(node.function)}{hint}", node.at)
    if (row.on == "none") is not (node.target is None):
        raise compiler.refuse(f"write it as `{row.form}`", node.at)
    given, most = len(node.arguments), len(row.takes)
    if not most - row.optional <= given <= most:
        least = f"{most - row.optional} or {most}" if row.optional else str(most)
        raise compiler.refuse(f"`{row.form}` takes {least} argument{'s' * (least != '1')}, not {given}", node.at)
    return row


def code_receiver(compiler: Compiler, row: Function, target: nodes.Node, scope: Scope) -> Code:
    """Compile what a function is called on."""
    kind = kind_of_node(target)
    if kind != "value" and kind not in RECEIVERS.get(row.on, {kind}):
        raise compiler.refuse(f"`{row.form}` cannot be called on {article(kind)}", target.at)
    if row.on == "time" and isinstance(target, nodes.Literal):
        refuse_timestamp(compiler, target)
    code = compiler.code(target, scope)
    name = row.name
    if row.on == "list":
        return lambda facts: listed(name, code(facts))
    return (lambda facts: need_object(name, code(facts))) if row.on == "object" else code


def refuse_timestamp(compiler: Compiler, node: nodes.Literal) -> None:
    """Refuse a text that is no timestamp."""
    if node.value is not None and instant_of(node.value) is None:
        raise compiler.refuse("this text is no timestamp", node.at)


def need_object(name: str, value: Any) -> dict[str, Any]:
    """Read the receiver of a function of objects: null is an empty one."""
    if type(value) is dict:
        return value
    if value is None:
        return {}
    raise EvaluationError(f"`{name}` takes an object, not {article(kind_of(value))}")


def code_argument(compiler: Compiler, row: Function, index: int, node: nodes.Node, scope: Scope) -> Code:
    """Compile one argument by the kind the function takes."""
    takes = row.takes[index]
    if takes in {"item", "condition"}:
        item = code_item(compiler, node, scope, condition=takes == "condition")
        return Fixed(item)
    kind = kind_of_node(node)
    if kind != "value" and kind not in ARGUMENTS.get(takes, {kind}):
        raise compiler.refuse(f"argument {index + 1} of `{row.form}` cannot be {article(kind)}", node.at)
    if takes == "regex" and isinstance(node, nodes.Literal) and isinstance(node.value, str):
        return Fixed(compiler.pattern(compile_pattern, node.value, node.at))
    if takes == "regex":
        compiler.slot()  # patterns made at run time live in the scratch space of one evaluation
    code = compiler.code(node, scope)
    return Fixed(node.value) if isinstance(node, nodes.Literal) else code


def code_item(compiler: Compiler, node: nodes.Node, scope: Scope, *, condition: bool) -> Item:
    """Compile an expression over items; a lambda names the item (pql:X5)."""
    slot = compiler.slot()
    inner = scope.with_item(slot)
    if isinstance(node, nodes.Lambda):
        if len(node.names) != 1:
            raise compiler.refuse("a lambda over items has one parameter", node.at)
        inner, node = inner.with_variable(node.names[0], slot), node.body
    build = compiler.condition if condition else compiler.code
    return compiler.item(slot, lambda: build(node, inner))


def refuse_date(compiler: Compiler, node: nodes.Call) -> None:
    """Refuse a date that does not exist, where it is written in numbers."""
    parts = [argument.value for argument in node.arguments if isinstance(argument, nodes.Literal)]
    if len(parts) < len(node.arguments) or None in parts:
        return
    numbers = [number for part in parts if (number := whole(part)) is not None]
    if len(numbers) < len(parts):
        raise compiler.refuse("`date` takes three whole numbers: year, month, day", node.at)
    try:
        date_span(*numbers)
    except (ValueError, OverflowError):
        raise compiler.refuse("there is no such date", node.at) from None


def code_if(compiler: Compiler, row: Function, node: nodes.Call, scope: Scope) -> Code:
    """Compile `if`, of which only the chosen branch is evaluated."""
    test = compiler.condition(node.arguments[0], scope)
    yes, no = (compiler.later(partial(compiler.code, branch, scope)) for branch in node.arguments[1:])
    choose = row.apply
    return lambda facts: choose(facts, test(facts), yes, no)(facts)


def standing(row: Function, arguments: list[Code], at: int) -> Code:
    """Make the call of a function that stands alone."""
    apply = row.apply

    def run(facts: Facts) -> Any:
        try:
            return apply(facts, *[argument(facts) for argument in arguments])
        except EvaluationError as error:
            error.at = at if error.at < 0 else error.at
            raise

    return run


def called(row: Function, receiver: Code, arguments: list[Code], at: int) -> Code:
    """Make the call of a function on a receiver."""
    apply = row.apply

    fixed = [argument.value for argument in arguments if isinstance(argument, Fixed)]
    first = fixed[0] if fixed else None

    def one(facts: Facts) -> Any:
        try:
            return apply(facts, receiver(facts), first)
        except EvaluationError as error:
            error.at = at if error.at < 0 else error.at
            raise

    def several(facts: Facts) -> Any:
        try:
            return apply(facts, receiver(facts), *[argument(facts) for argument in arguments])
        except EvaluationError as error:
            error.at = at if error.at < 0 else error.at
            raise

    return one if len(arguments) == len(fixed) == 1 else several
