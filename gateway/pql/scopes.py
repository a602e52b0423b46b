"""What a name can mean at one place of a rule."""

from typing import NamedTuple


class Scope(NamedTuple):
    """Slots of the variables by name, and of the current items from the outermost in; the profile is outside all."""

    variables: dict[str, int]
    items: tuple[int, ...] = ()

    def with_variable(self, name: str, slot: int) -> "Scope":
        """Give the scope in which a variable is bound."""
        return Scope({**self.variables, name: slot}, self.items)

    def with_item(self, slot: int) -> "Scope":
        """Give the scope of an expression over items."""
        return Scope(self.variables, (*self.items, slot))
