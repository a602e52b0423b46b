"""What a condition looks at while it is evaluated: the request's scope, an element of a list, and the fuel left."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Protocol

from gateway.delivery.javascript import UNDEFINED, ConditionFault, text

NUMBER_ROOTS = frozenset({"current_timestamp", "current_day", "allocation"})
OBJECT_ROOTS = frozenset({"user", "page", "referring", "geo", "mbox"})
ROOTS = NUMBER_ROOTS | OBJECT_ROOTS | {"current_time"}

_HEAVIEST = 100_000

Evaluate = Callable[[Any], Any]


class Scope(Protocol):
    """The decision context of one rule and item (odd 7); members may be computed when first read."""

    @property
    def current_timestamp(self) -> int:
        """Now, in milliseconds since the epoch."""

    @property
    def current_time(self) -> str:
        """`HHmm` in UTC."""

    @property
    def current_day(self) -> int:
        """1 for Monday to 7 for Sunday, in UTC."""

    @property
    def user(self) -> dict[str, Any]:
        """The browser and its platform (odd 7.2)."""

    @property
    def page(self) -> dict[str, Any]:
        """The attributes of the page's URL (odd 7.1)."""

    @property
    def referring(self) -> dict[str, Any]:
        """The attributes of the referring URL (odd 7.1)."""

    @property
    def geo(self) -> dict[str, Any]:
        """What is known about the place; what is not known is absent."""

    @property
    def mbox(self) -> dict[str, Any]:
        """The item's parameters, expanded (odd 7.3)."""

    def parameter(self, name: str, default: object) -> Any:
        """Give one member of `mbox`; most rules ask for one or two, so it is found without expanding them all."""

    @property
    def allocation(self) -> float:
        """The visitor's place among the experiences, 0 to 99.99 (odd 8)."""

    def whole(self) -> dict[str, Any]:
        """Give all of the above as one object."""


class Fuel:
    """How many more steps an evaluation may take."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        self._left = steps

    def take(self, steps: int) -> None:
        """Use up `steps`, or raise ConditionFault when there are not so many left."""
        self._left -= steps
        if self._left < 0:
            raise ConditionFault


def weight(value: object) -> int:
    """Give the steps it takes to read `value` once: one for each 100 characters of a text, or element of a list.

    A list built in a loop can hold itself many times over, so the count ends where no fuel could pay for it.
    """
    if isinstance(value, str):
        return len(value) // 100
    count, waiting = 0, [value]
    while waiting and count < _HEAVIEST:
        item = waiting.pop()
        if isinstance(item, list):
            count += len(item)
            waiting.extend(item)
    return count


class FuelledScope:
    """A scope with the fuel of one evaluation, for conditions that loop or build values."""

    __slots__ = ("_scope", "fuel")

    def __init__(self, scope: Scope, fuel: Fuel) -> None:
        self._scope = scope
        self.fuel = fuel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scope, name)


class Element:
    """The context inside `filter`, `map` and their kin: one value instead of the scope."""

    __slots__ = ("fuel", "value")

    def __init__(self, value: object, fuel: Fuel) -> None:
        self.value = value
        self.fuel = fuel


def descend(data: object, pieces: list[str], default: object) -> Any:
    """Follow `pieces` through objects and, where a piece is an index, lists; `default` where the way ends."""
    for piece in pieces:
        if isinstance(data, dict):
            data = data.get(piece, UNDEFINED)
        elif isinstance(data, list):
            data = _item(data, piece)
        else:
            return default
        if data is UNDEFINED:
            return default
    return data


def _item(items: list[object], piece: str) -> object:
    if len(piece) > 9 or not (piece.isascii() and piece.isdecimal()) or str(int(piece)) != piece:
        return UNDEFINED
    index = int(piece)
    return items[index] if index < len(items) else UNDEFINED


def variable(path: object, default: object, *, inside: bool) -> Evaluate:
    """Make the reader of a constant path, resolved as far as it can be; `inside` when elements are the context."""
    if path is None or path is UNDEFINED or path == "":
        return _element_value if inside else _whole
    pieces = text(path).split(".")
    if inside:
        return lambda element: descend(element.value, pieces, default)
    if pieces[0] not in ROOTS:
        return lambda _: default
    return _member(pieces, default)


def _member(pieces: list[str], default: object) -> Evaluate:
    root, *rest = pieces
    read = attrgetter(root)
    if not rest:
        return read
    if len(rest) == 1 and root in OBJECT_ROOTS:
        name = rest[0]
        if root == "mbox":
            return lambda scope: scope.parameter(name, default)
        return lambda scope: read(scope).get(name, default)
    return lambda scope: descend(read(scope), rest, default)


def look_up(context: Any, path: object, default: object) -> Any:
    """Read a path that is only known now, from a scope or an element."""
    inside = isinstance(context, Element)
    if inside:
        context.fuel.take(weight(path))
    return variable(path, default, inside=inside)(context)


def absent(context: Any, names: list[object]) -> list[object]:
    """Give those of `names` whose variable is null or empty; each name takes a step of the fuel."""
    context.fuel.take(len(names))
    return [name for name in names if _is_blank(look_up(context, name, None))]


def _is_blank(value: object) -> bool:
    return value is None or value == ""


def _element_value(element: Element) -> Any:
    return element.value


def _whole(scope: Scope) -> dict[str, Any]:
    return scope.whole()
