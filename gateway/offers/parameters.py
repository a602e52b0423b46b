"""Query parameters: which are known, which may be repeated (spec repository U16, X9)."""

from collections.abc import Sequence

from gateway.errors import Problem

Pairs = Sequence[tuple[str, str]]
"""A query string, split on `&` only and decoded once (U17)."""

LIST = frozenset({"schema", "orderBy", "start", "limit", "name"})
SEARCH = LIST | {"q", "qop"}
CONTAINERS = frozenset({"start", "limit"})


class Parameters:
    """The parameters of one request; those this API does not know are ignored (U16, X9)."""

    def __init__(self, pairs: Pairs, single: frozenset[str], repeatable: frozenset[str]) -> None:
        """Refuse a parameter that is there twice and may not be, with Problem 400 invalid-parameter."""
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            key = "orderBy" if name == "orderby" else name
            if key in single and key in self._values:
                raise Problem(400, "invalid-parameter", f"{name} may be given only once")
            if key in single or key in repeatable:
                self._values.setdefault(key, []).append(value)

    def one(self, name: str) -> str | None:
        """Give the value of a parameter, None where it is absent."""
        return self._values.get(name, [None])[0]

    def all(self, name: str) -> list[str]:
        """Give every value of a parameter."""
        return self._values.get(name, [])
