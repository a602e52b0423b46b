"""Names, parameters, context references and the paths that begin with them (spec pql §5, §10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.pql import nodes
from gateway.pql.paths import Key, follow, key, step

if TYPE_CHECKING:
    from gateway.pql.compiler import Compiler
    from gateway.pql.facts import Facts
    from gateway.pql.items import Code
    from gateway.pql.scopes import Scope

STEP_COST = 6


def code_name(compiler: Compiler, node: nodes.Name, scope: Scope) -> Code:
    """Compile a name on its own."""
    return code_path(compiler, node.name, (), scope)


def code_step(compiler: Compiler, node: nodes.Step, scope: Scope) -> Code:
    """Compile a path."""
    if isinstance(node.target, nodes.Name):
        return code_path(compiler, node.target.name, node.names, scope)
    target = compiler.code(node.target, scope)
    compiler.cost += STEP_COST * len(node.names)
    keys = tuple(map(key, node.names))
    path: Code = lambda facts: follow(facts, target(facts), keys)  # noqa: E731 - a closure like its neighbours
    return compiler.once(path) if isinstance(node.target, nodes.Context) else path


def code_path(compiler: Compiler, name: str, names: tuple[str, ...], scope: Scope) -> Code:
    """Compile a name and the steps after it: a variable, a property of the item or profile, or a root (pql:PA1)."""
    compiler.cost += STEP_COST * (1 + len(names))
    steps = tuple(map(key, names))
    if name == "xEvent":
        compiler.roots.add(name)
        return compiler.once(lambda facts: follow(facts, facts.events, steps)) if steps else lambda facts: facts.events
    if name in scope.variables:
        return from_slot(scope.variables[name], steps)
    if name in ROOTS:
        return code_root(compiler, name, steps, scope)
    if scope.items:
        return from_slot(scope.items[-1], (key(name), *steps))
    compiler.roots.add("profile")
    return compiler.once(from_profile((key(name), *steps)))


def code_root(compiler: Compiler, name: str, steps: tuple[Key, ...], scope: Scope) -> Code:
    """Compile `profile` or `offer`, which a property of that name hides."""
    compiler.roots.update({name} if scope.items else {name, "profile"})
    hiding = from_slot(scope.items[-1], (key(name),)) if scope.items else from_profile((key(name),))

    def run(facts: Facts) -> Any:
        value = hiding(facts)
        if value is None:
            value = getattr(facts, name)
        return follow(facts, value, steps)

    return run if scope.items else compiler.once(run)


ROOTS = ("profile", "offer")


def from_profile(keys: tuple[Key, ...]) -> Code:
    """Make the code that reads a path of the profile; plain data take the short way."""
    first = keys[0].exact
    second = keys[1].exact if len(keys) == 2 else None

    def one(facts: Facts) -> Any:
        value = facts.profile.get(first)
        return step(facts, facts.profile, keys[0]) if value is None else value

    def two(facts: Facts) -> Any:
        value = facts.profile.get(first)
        if type(value) is dict:
            value = value.get(second)
            if value is not None:
                return value
        return follow(facts, facts.profile, keys)

    def several(facts: Facts) -> Any:
        return follow(facts, facts.profile, keys)

    return {1: one, 2: two}.get(len(keys), several)


def from_slot(slot: int, keys: tuple[Key, ...]) -> Code:
    """Make the code that reads a path of a variable or an item; plain data take the short way."""
    first = keys[0] if keys else key("")

    def none(facts: Facts) -> Any:
        return facts.bound[slot]

    def one(facts: Facts) -> Any:
        item = facts.bound[slot]
        if type(item) is dict:
            value = item.get(first.exact)
            if value is not None:
                return value
        return step(facts, item, first)

    def several(facts: Facts) -> Any:
        return follow(facts, facts.bound[slot], keys)

    return {0: none, 1: one}.get(len(keys), several)


def code_parameter(compiler: Compiler, node: nodes.Parameter, scope: Scope) -> Code:
    """Compile `$1`: the innermost item, outside of all the profile; later parameters are null (pql:PA8)."""
    compiler.cost += STEP_COST
    if node.number != 1:
        return lambda _: None
    if scope.items:
        return from_slot(scope.items[-1], ())
    compiler.roots.add("profile")
    return lambda facts: facts.profile


def code_context(compiler: Compiler, node: nodes.Context, _scope: Scope) -> Code:
    """Compile `@{…}`."""
    compiler.cost += STEP_COST
    compiler.roots.add("context")
    compiler.schemas.add(node.schema)
    schema = node.schema
    return compiler.once(lambda facts: facts.schema(schema))


def code_outer(compiler: Compiler, node: nodes.Outer, scope: Scope) -> Code:
    """Compile `^name` (pql:PA7)."""
    compiler.cost += STEP_COST
    index = len(scope.items) - 1 - node.levels
    if index < -1:
        message = f"`{'^' * node.levels}` looks {node.levels} scopes further out, and there are only {len(scope.items)}"
        raise compiler.refuse(message, node.at)
    if index >= 0:
        return from_slot(scope.items[index], (key(node.name),))
    compiler.roots.add("profile")
    return compiler.once(from_profile((key(node.name),)))
