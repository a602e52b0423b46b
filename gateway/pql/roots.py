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

STEP_COST = 3


def path_cost(names: int) -> int:
    """Give the steps of a path; only a single name has a short way."""
    return STEP_COST if names < 2 else 2 * STEP_COST * names


def code_name(compiler: Compiler, node: nodes.Name, scope: Scope) -> Code:
    """Compile a name on its own."""
    return code_path(compiler, node.name, (), scope)


def code_step(compiler: Compiler, node: nodes.Step, scope: Scope) -> Code:
    """Compile a path."""
    if isinstance(node.target, nodes.Name):
        return code_path(compiler, node.target.name, node.names, scope)
    target = compiler.code(node.target, scope)
    compiler.cost += path_cost(len(node.names))
    if isinstance(node.target, nodes.Context):
        return compiler.once(after(target, tuple(map(key, node.names))))
    return straight(compiler, node, scope, after(target, tuple(map(key, node.names))))


def after(target: Code, keys: tuple[Key, ...]) -> Code:
    """Make the code that takes steps from any value."""
    if len(keys) > 1:
        return lambda facts: follow(facts, target(facts), keys)
    first = keys[0]

    def one(facts: Facts) -> Any:
        value = target(facts)
        if type(value) is dict and (found := value.get(first.exact)) is not None:
            return found
        return step(facts, value, first)

    return one


def code_path(compiler: Compiler, name: str, names: tuple[str, ...], scope: Scope) -> Code:
    """Compile a name and the steps after it: a variable, a property of the item or profile, or a root (pql:PA1)."""
    compiler.cost += path_cost(len(names))
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
    if len(keys) > 2:
        return lambda facts: follow(facts, facts.profile, keys)
    first, last = keys[0].exact, keys[-1].exact
    if len(keys) == 1:

        def one(facts: Facts) -> Any:
            value = facts.profile.get(first)
            return step(facts, facts.profile, keys[0]) if value is None else value

        return one

    def two(facts: Facts) -> Any:
        value = facts.profile.get(first)
        if type(value) is dict and (found := value.get(last)) is not None:
            return found
        return follow(facts, facts.profile, keys)

    return two


def straight(compiler: Compiler, node: nodes.Step | nodes.Call, scope: Scope, slow: Code) -> Code:
    """Shorten a path of the profile that goes through `get` with constant keys, such as a segment test.

    Each step finds exactly its name in an object, or the slow way decides.
    """
    names: list[str] = []
    target: nodes.Node | None = node
    while isinstance(target, nodes.Step | nodes.Call):
        if isinstance(target, nodes.Step):
            names[:0] = target.names
        elif (name := constant_key(target)) is not None:
            names.insert(0, name)
        else:
            return slow
        target = target.target
    if not isinstance(target, nodes.Name) or scope.items or target.name in {*scope.variables, *ROOTS, "xEvent"}:
        return slow
    path = (target.name, *names)

    def run(facts: Facts) -> Any:
        value: Any = facts.profile
        for name in path:
            if type(value) is not dict:
                return slow(facts)
            value = value.get(name)
        return slow(facts) if value is None else value

    return compiler.once(run)


def constant_key(call: nodes.Call) -> str | None:
    """Give the key of `get` with a literal text."""
    key_node = call.arguments[0] if call.function.lower() == "get" and len(call.arguments) == 1 else None
    return key_node.value if isinstance(key_node, nodes.Literal) and isinstance(key_node.value, str) else None


def from_slot(slot: int, keys: tuple[Key, ...]) -> Code:
    """Make the code that reads a path of a variable or an item; plain data take the short way."""
    if not keys:
        return lambda facts: facts.bound[slot]
    return after(lambda facts: facts.bound[slot], keys) if len(keys) > 1 else item_member(slot, keys[0])


def item_member(slot: int, sought: Key) -> Code:
    """Make the code that reads one property of a variable or an item."""
    exact = sought.exact

    def run(facts: Facts) -> Any:
        item = facts.bound[slot]
        if type(item) is dict and (found := item.get(exact)) is not None:
            return found
        return step(facts, item, sought)

    return run


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
        message = (
            f"`{'^' * node.levels}` looks further out than the profile: items around this place: {len(scope.items)}"
        )
        raise compiler.refuse(message, node.at)
    if index >= 0:
        return from_slot(scope.items[index], (key(node.name),))
    compiler.roots.add("profile")
    return compiler.once(from_profile((key(node.name),)))
