"""Rule text to tokens with positions (spec pql §2)."""

import re

from msgspec import Struct

from gateway.errors import RuleSyntaxError, RuleTooLarge
from gateway.pql.limits import MAX_SOURCE_BYTES, MAX_TOKENS
from gateway.pql.source import Source, quoted

TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
      (?P<name>(?:[a-zA-Z_]|[^\W\d]|@(?=\w))\w*(?::\w+)*)
    | (?P<symbol>[.,()]|=>|==|!=|<>|<=|>=|\|\||&&|[-=<>+*/%!\[\]:^])
    | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<context>@\{)
    | (?P<parameter>\$[1-9][0-9]{0,3}(?![0-9]))
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
ESCAPED = {'"': '"', "'": "'", "\\": "\\", "/": "/", "n": "\n", "r": "\r", "t": "\t"}


class Token(Struct, gc=False):
    """One token: `word` is the symbol itself or the name in lower case, and empty for anything else."""

    kind: str
    text: str
    at: int
    word: str = ""

    def shown(self) -> str:
        """Describe the token in a message."""
        if self.kind == "end":
            return "the end of the rule"
        if self.kind == "string":
            return f"the text {quoted(self.text)}"
        return quoted(f"@{{{self.text}}}" if self.kind == "context" else self.text)


def tokenize(source: Source) -> list[Token]:
    """Split a rule into tokens; the last one is of kind `end`. Raises RuleSyntaxError and RuleTooLarge."""
    refuse_long(source)
    text, match = source.text, TOKEN.match
    tokens: list[Token] = []
    at, kind = 0, ""
    while kind != "end":
        found = match(text, at)
        if found is None:
            raise unreadable(source, at)
        kind = found.lastgroup or "end"
        start, at = found.span(found.lastindex or 0)
        part = text[start:at]
        if kind == "symbol":
            tokens.append(Token(kind, part, start, part))
        elif kind == "name":
            tokens.append(Token(kind, part, start, part.lower()))
        elif kind == "string":
            tokens.append(Token(kind, unescape(source, part[1:-1], start + 1), start))
        elif kind == "context":
            token, at = read_context(source, start)
            tokens.append(token)
        else:
            tokens.append(Token(kind, part, start))
        if len(tokens) > MAX_TOKENS:
            raise source.refuse(RuleTooLarge, f"a rule has at most {MAX_TOKENS} words and signs", start)
    return tokens


def refuse_long(source: Source) -> None:
    """Refuse what is too long, or is not Unicode text."""
    try:
        size = len(source.text.encode())
    except UnicodeEncodeError as error:
        raise source.refuse(RuleSyntaxError, "half of a surrogate pair is not a character", error.start) from None
    if size > MAX_SOURCE_BYTES:
        raise source.refuse(RuleTooLarge, f"a rule is at most {MAX_SOURCE_BYTES} bytes long, this has {size}", 0)


def unescape(source: Source, text: str, at: int) -> str:
    r"""Resolve the escapes of a string; an unknown `\x` keeps its backslash, so that regular expressions survive."""
    if "\\" not in text:
        return text
    decoded = ESCAPE.sub(unescape_one, text)
    try:
        return decoded.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise source.refuse(RuleSyntaxError, "half of a surrogate pair is not a character", at) from None


def unescape_one(match: re.Match[str]) -> str:
    """Resolve one escape."""
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else ESCAPED.get(code, match[0])


def read_context(source: Source, at: int) -> tuple[Token, int]:
    """Read `@{…}`: braces balance, blanks around the id and one extra pair of braces are ignored."""
    text, depth = source.text, 0
    for brace in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            name = text[at + 2 : brace.start()].strip()
            name = name[1:-1].strip() if is_wrapped(name) else name
            if not name:
                raise source.refuse(RuleSyntaxError, "a context reference needs the id of a schema: `@{id}`", at)
            return Token("context", name, at), brace.end()
    raise source.refuse(RuleSyntaxError, "this context reference is never closed, expected `}`", at)


def is_wrapped(text: str) -> bool:
    """Say whether the first brace of a balanced text is closed by its last character."""
    depth = 0
    for character in text[:-1]:
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return False
    return text.startswith("{")


def unreadable(source: Source, at: int) -> RuleSyntaxError:
    """Say why no token starts here."""
    text = source.text
    at += len(text) - at - len(text[at:].lstrip(" \t\r\n"))
    if text[at] in "\"'":
        return source.refuse(RuleSyntaxError, f"this text is never closed, expected `{text[at]}`", at)
    if text[at] == "$":
        return source.refuse(RuleSyntaxError, "a parameter is `$1`, `$2` and so on", at)
    named = quoted(text[at]) if text[at].isprintable() else f"U+{ord(text[at]):04X}"
    return source.refuse(RuleSyntaxError, f"the character {named} means nothing here", at)
