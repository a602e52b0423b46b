"""A rule's text, and errors that point into it."""

from typing import NamedTuple, TypeVar

from gateway.errors import RuleSyntaxError

WINDOW = 90

Refusal = TypeVar("Refusal", bound=RuleSyntaxError)


class Source(NamedTuple):
    """The text of one rule; positions are 0-based code points."""

    text: str

    def place(self, at: int) -> tuple[int, int]:
        """Give line and column of a position, both counted from 1."""
        before = self.text[:at]
        return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1

    def excerpt(self, at: int) -> str:
        """Give the line around a position, cut to `WINDOW` characters, with a caret under it."""
        start = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        line = self.text[start : end if end >= 0 else len(self.text)]
        column = at - start
        cut = max(0, column - WINDOW * 2 // 3)
        shown = "".join(c if c.isprintable() else " " for c in line[cut : cut + WINDOW])
        return f"{shown}\n{' ' * (column - cut)}^"

    def refuse(self, error: type[Refusal], message: str, at: int) -> Refusal:
        """Make, not raise, an error of the given kind that points at a position."""
        line, column = self.place(at)
        return error(
            f"{message} (line {line}, column {column})",
            line=line,
            column=column,
            excerpt=self.excerpt(at),
            position=at,
        )


def quoted(text: str, longest: int = 40) -> str:
    """Show a piece of a rule in a message, cut when it is long."""
    return f"`{text if len(text) <= longest else text[:longest] + '…'}`"
