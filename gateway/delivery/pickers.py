"""One function for all rules of an mbox: which is the first that holds (spec on-device-decisioning §10.2).

Closures call each other a few dozen times a decision. For mboxes that are asked for often, the comparisons real
artifacts are made of are written out in one function instead, which takes a third of the time. Texts of the artifact
never become code: constants are bound by name, and what has no form here is called as the closure it is.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from gateway.delivery.comparisons import MIRRORED, kinds_of
from gateway.delivery.conditions import Condition, UnknownOperator, arguments_of, compile_test, count_nodes, is_rule
from gateway.delivery.context import Scope
from gateway.delivery.javascript import NUMBERS, ConditionFault, loosely_equal, ordered, text
from gateway.delivery.operators import RELATIONS, contains
from gateway.delivery.scopes import OBJECT_ROOTS, ROOTS, variable

Picker = Callable[[Scope, str], int]

OFTEN = 16  # how often an mbox is asked for before its picker is worth the making
MOST_RULES = 12
MOST_NODES = 60  # of one condition; a picker of the largest kind is made in 4 ms


class Rule(Protocol):
    """What is read of a rule."""

    @property
    def activity_id(self) -> int:
        """Of which activity its allocation is."""

    @property
    def properties(self) -> frozenset[str] | None:
        """The property tokens it is limited to."""

    @property
    def condition(self) -> Any:
        """Its condition as the artifact says it."""

    @property
    def test(self) -> Condition:
        """Its condition, compiled."""


class Pickers:
    """The pickers of one artifact, each made when its mbox has been asked for often."""

    __slots__ = ("_asked", "_made")

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._made: dict[str, Picker | None] = {}

    def find(self, name: str, rules: Sequence[Rule]) -> Picker | None:
        """Give the picker of mbox `name`, which has `rules`; None while it has none."""
        made = self._made.get(name)
        if made is None and name not in self._made:
            self._asked[name] = asked = self._asked.get(name, 0) + 1
            if asked >= OFTEN:
                self._made[name] = made = make_picker(rules)
        return made


def make_picker(rules: Sequence[Rule]) -> Picker | None:
    """Make the function that gives the place of the first satisfied rule, or -1; None for very many rules.

    It takes the scope of the item and the property token of the request.
    """
    if len(rules) > MOST_RULES:
        return None
    writer = _Writer()
    lines = ["def pick(scope, token):"]
    for place, rule in enumerate(rules):
        margin = "    "
        if rule.properties is not None:
            lines.append(f"{margin}if token in {writer.bind(rule.properties)}:")
            margin += "    "
        lines += [
            f"{margin}scope.activity_id = {writer.bind(rule.activity_id)}",
            f"{margin}try:",
            f"{margin}    if {writer.write_rule(rule)}: return {place}",
            f"{margin}except Fault: pass",
        ]
    lines.append("    return -1")
    exec("\n".join(lines), writer.names)  # noqa: S102 - made of this module's own words only
    made: Picker = writer.names["pick"]
    return made


class _NoFormError(Exception):
    """A condition whose truth is not that of a bool: its closure is called instead."""


class _Read(NamedTuple):
    """A path read from the scope, with the default for what is not there."""

    path: str
    kind: type
    default: object


class _Form(NamedTuple):
    """A comparison of a variable: the types for which `fast` gives what `slow` gives for all; `{v}` is the value."""

    node: Any
    kinds: tuple[type, ...]
    fast: str
    slow: str


_Known = dict[_Read, str]


class _Writer:
    """Writes conditions as expressions; `names` binds all they speak of.

    A path that has certainly been read before is not read again: `known` names the variables that hold its value.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "Fault": ConditionFault,
            "NUMBERS": NUMBERS,
            "ordered": ordered,
            "loosely_equal": loosely_equal,
            "contains": contains,
        }

    def bind(self, value: object) -> str:
        """Give a name for `value`."""
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def write_rule(self, rule: Rule) -> str:
        """Give the expression of a whole rule; it may raise ConditionFault."""
        if count_nodes(rule.condition) <= MOST_NODES:
            try:
                return self._write(rule.condition, {})[0]
            except (_NoFormError, UnknownOperator):
                pass  # the closure knows what to make of it
        return f"{self.bind(rule.test)}(scope)"

    def _write(self, node: Any, known: _Known) -> tuple[str, _Known]:
        """Give the expression of `node`, and the variables that are set when it has been evaluated."""
        if is_rule(node):
            ((name, _),) = node.items()
            arguments = arguments_of(node)
            if name in {"and", "or"} and arguments:
                return self._join(name, arguments, known)
            if form := self._find_form(name, arguments):
                return self._compare(form, known)
        test = compile_test(node)
        if test is None:
            raise _NoFormError
        return f"{self.bind(test)}(scope)", {}

    def _join(self, word: str, nodes: list[Any], known: _Known) -> tuple[str, _Known]:
        texts: list[str] = []
        certain: _Known | None = None
        for node in nodes:
            written, own = self._write(node, known)
            texts.append(written)
            certain = own if certain is None else certain  # whether the others are reached is not certain
            known = known | own  # but this one has been evaluated when the next is
        return f"({f' {word} '.join(texts)})", certain or {}

    def _compare(self, form: _Form, known: _Known) -> tuple[str, _Known]:
        path, default = _read_variable(form.node)
        read = _Read(path, type(default), default)
        value = known.get(read)
        first = value
        if value is None:
            value = f"v{len(self.names)}"
            self.names[value] = None  # takes the number; the function has a local variable of this name
            first = f"({value} := {self._write_read(path, default)})"
        kinds = "is str" if form.kinds == (str,) else "in NUMBERS"
        fast, slow = form.fast.format(v=value), form.slow.format(v=value)
        return f"({fast} if {first}.__class__ {kinds} else {slow})", {read: value}

    def _write_read(self, path: str, default: object) -> str:
        root, *rest = path.split(".")
        if not rest:
            return f"scope.{root}"
        if len(rest) == 1 and root in OBJECT_ROOTS:
            place = "scope.parameter" if root == "mbox" else f"scope.{root}.get"
            return f"{place}({self.bind(rest[0])}, {self.bind(default)})"
        return f"{self.bind(variable(path, default, inside=False))}(scope)"

    def _find_form(self, name: str, arguments: list[Any]) -> _Form | None:
        if name in RELATIONS:
            return self._between(name, arguments) if len(arguments) == 3 else self._relation(name, arguments)
        if len(arguments) != 2:
            return None
        if name in {"==", "!="}:
            return self._equality(name, *arguments)
        return self._membership(*arguments) if name == "in" else None

    def _relation(self, name: str, arguments: list[Any]) -> _Form | None:
        if len(arguments) != 2:
            return None
        first, second = arguments
        if _is_variable(first) and (kinds := kinds_of(second)):
            return self._against(name, first, second, kinds)
        if _is_variable(second) and (kinds := kinds_of(first)):
            return self._against(MIRRORED[name], second, first, kinds)
        return None

    def _against(self, name: str, node: Any, limit: object, kinds: tuple[type, ...]) -> _Form:
        bound = self.bind(limit)
        return _Form(node, kinds, f"{{v}} {name} {bound}", f"ordered({self.bind(RELATIONS[name])}, {{v}}, {bound})")

    def _between(self, name: str, arguments: list[Any]) -> _Form | None:
        low, node, high = arguments
        kinds = kinds_of(low)
        if not kinds or kinds != kinds_of(high) or not _is_variable(node):
            return None
        least, most, compare = self.bind(low), self.bind(high), self.bind(RELATIONS[name])
        slow = f"(ordered({compare}, {least}, {{v}}) and ordered({compare}, {{v}}, {most}))"
        return _Form(node, kinds, f"{least} {name} {{v}} {name} {most}", slow)

    def _equality(self, name: str, first: Any, second: Any) -> _Form | None:
        for fixed, node in ((second, first), (first, second)):
            kinds = (str,) if isinstance(fixed, str) else kinds_of(fixed)
            if kinds and _is_variable(node):
                bound = self.bind(fixed)
                slow = f"loosely_equal({{v}}, {bound})"
                return _Form(node, kinds, f"{{v}} {name} {bound}", slow if name == "==" else f"(not {slow})")
        return None

    def _membership(self, needle: Any, haystack: Any) -> _Form | None:
        if isinstance(haystack, str) and haystack and _is_variable(needle):
            bound = self.bind(haystack)
            return _Form(needle, (str,), f"{{v}} in {bound}", f"contains({{v}}, {bound})")
        if isinstance(needle, str) and needle and _is_variable(haystack):
            bound = self.bind(needle)
            return _Form(haystack, (str,), f"{bound} in {{v}}", f"contains({bound}, {{v}})")
        return None


def _is_variable(node: Any) -> bool:
    """Whether `node` reads a constant path that begins at one of the scope's members."""
    if not (is_rule(node) and "var" in node):
        return False
    arguments = arguments_of(node)
    if not arguments or any(isinstance(argument, list | dict) for argument in arguments[:2]):
        return False
    return arguments[0] is not None and text(arguments[0]).split(".", maxsplit=1)[0] in ROOTS


def _read_variable(node: Any) -> tuple[str, object]:
    path, *rest = arguments_of(node)
    return text(path), rest[0] if rest else None
