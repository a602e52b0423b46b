"""Why a rule could not be evaluated: inside this room an exception, outside a value (spec pql:V3)."""

from msgspec import Struct


class EvaluationError(Exception):
    """Ends one evaluation; it never leaves this room. `at` is the position of the operation, -1 when not known."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.at = -1


class Fault(Struct, frozen=True):
    """Why a rule was not true; says what kind of value was met, never the value. Line and column count from 1."""

    message: str
    line: int = 0
    column: int = 0
    code: str = "rule-error"

    def __str__(self) -> str:
        """Give the message with its place, where there is one."""
        return f"{self.message} (line {self.line}, column {self.column})" if self.line else self.message
