r"""The order of values, and positions in it as text (spec repository L8, L10-L13, X5).

A value's sort key is a byte string: keys compare as the values do, and equal values have equal keys. Its first byte
is the class: missing, boolean, number, instant, string. Numbers are compared as the decimals they are written as,
however large or exact; instants to the microsecond.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.errors import Problem
from gateway.offers.dates import read_instant

Path = tuple[str, ...]

MISSING = b"\x00"
BOOLEAN = b"\x01"
NUMBER = b"\x02"
INSTANT = b"\x03"
STRING = b"\x04"
FALSE, TRUE = BOOLEAN + b"\x00", BOOLEAN + b"\x01"
ZERO = NUMBER + b"\x01"

DECIMAL = re.compile(r"([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?", re.ASCII)
LARGEST_EXPONENT = 1 << 31
COMPLEMENT = bytes(255 - byte for byte in range(256))
NAMES = {False: "false", True: "true"}
BOOLEANS = {"false": FALSE, "true": TRUE}
MARKS = ("\\-", "\\s")
COMPONENT = re.compile(r"((?:[^\\,]|\\.|\\\Z)*)(,|\Z)", re.DOTALL)
ESCAPED = re.compile(r"\\([\\,])")


def make_key(value: object, kind: str = "") -> bytes:
    """Give the sort key of a JSON value; null, arrays and objects count as missing (L8)."""
    if isinstance(value, str):
        return make_string_key(value, kind)
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, int | float):
        return make_number_key(repr(value)) or MISSING
    return MISSING


def make_string_key(text: str, kind: str = "") -> bytes:
    """Give the key of a string: an instant where it is declared and reads as one."""
    instant = read_instant(text) if kind == "date-time" else None
    return STRING + text.encode(errors="surrogatepass") if instant is None else make_instant_key(instant)


def make_instant_key(microseconds: int) -> bytes:
    """Give the key of a moment; what is out of all bounds sorts at the bound."""
    bounded = max(0, min(microseconds + (1 << 63), (1 << 64) - 1))
    return INSTANT + bounded.to_bytes(8, "big")


def make_number_key(text: str) -> bytes | None:
    """Give the key of a decimal number, None for any other text."""
    found = DECIMAL.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        return None
    sign, whole, fraction, power = found.groups()
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return ZERO
    exponent = len(whole) - (len(whole + fraction) - len(digits)) + read_power(power)
    bounded = max(0, min(exponent + LARGEST_EXPONENT, 2 * LARGEST_EXPONENT - 1))
    payload = bounded.to_bytes(4, "big") + digits.rstrip("0").encode()
    return NUMBER + (b"\x00" + payload.translate(COMPLEMENT) + b"\xff" if sign == "-" else b"\x02" + payload)


def read_power(text: str | None) -> int:
    """Give an exponent; one of very many digits is as good as infinite."""
    if not text:
        return 0
    digits = text.lstrip("+-").lstrip("0")
    size = int(digits or "0") if len(digits) <= 10 else 10**10
    return -size if text.startswith("-") else size


def find_value(document: Any, path: Path) -> Any:
    """Give what is at a path of an envelope, None where there is nothing; arrays have no names to follow (L7)."""
    for name in path:
        if not isinstance(document, dict):
            return None
        document = document.get(name)
    return document


def find_all(value: Any, path: Path) -> Iterator[Any]:
    """Give every non-null value at a path, visiting all elements of the arrays on the way (F3)."""
    if path and isinstance(value, list):
        for element in value:
            yield from find_all(element, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        yield from find_all(value.get(path[0]), path[1:])


def flatten(value: Any) -> Iterator[Any]:
    """Give a value, or every element of an array and of those inside it (F7)."""
    if isinstance(value, list):
        for element in value:
            yield from flatten(element)
    else:
        yield value


def write_component(value: object, kind: str) -> tuple[str, str]:
    r"""Give a value as its mark and its text: what is missing is `\-`, what would be read as another type has `\s`."""
    if isinstance(value, bool):
        return "", NAMES[value]
    if isinstance(value, int | float):
        return "", repr(value)
    if not isinstance(value, str):
        return "\\-", ""
    instant = read_instant(value) is not None
    if kind == "date-time" and instant:
        return "", value
    clear = not instant and make_number_key(value) is None and value not in BOOLEANS and not value.startswith(MARKS)
    return "" if clear and kind in ("", "string", "uri") else "\\s", value


def write_start(values: Sequence[object], kinds: Sequence[str]) -> str:
    """Write the position after an item with these sort values, as `start` takes it (L12, X5)."""
    parts = [write_component(value, kind) for value, kind in zip(values, kinds, strict=True)]
    if len(parts) == 1:
        return "".join(parts[0])
    return ",".join(mark + text.replace("\\", "\\\\").replace(",", "\\,") for mark, text in parts)


def read_start(text: str, kinds: Sequence[str]) -> tuple[bytes, ...]:
    """Read `start` for sort properties of these kinds. Raises Problem 400 when it has more components than those."""
    if len(kinds) == 1:
        return (read_component(text[:2] if text[:2] in MARKS else "", text, kinds[0]),)
    parts = split_components(text)
    if len(parts) > len(kinds):
        raise refuse(f"start has {len(parts)} components, orderBy only {len(kinds)}: write a comma inside one as `\\,`")
    return tuple(
        read_component(part[:2] if part[:2] in MARKS else "", ESCAPED.sub(r"\1", part), kind)
        for part, kind in zip(parts, kinds, strict=False)
    )


def split_components(text: str) -> list[str]:
    """Split at commas that no backslash stands before; the parts keep their backslashes."""
    parts = []
    for found in COMPONENT.finditer(text):
        parts.append(found[1])
        if not found[2]:
            break
    return parts


def read_component(mark: str, text: str, kind: str) -> bytes:
    """Give the sort key one component stands for (L13)."""
    if mark == "\\s":
        return make_string_key(text[2:])
    if mark and text == mark:
        return MISSING
    return READERS[kind](text)


def read_any(text: str) -> bytes:
    """Read by the looks, where nothing is declared."""
    return BOOLEANS.get(text) or make_number_key(text) or make_string_key(text)


def read_moment(text: str) -> bytes:
    """Read RFC 3339 or milliseconds since 1970."""
    instant = read_instant(text)
    if instant is not None:
        return make_instant_key(instant)
    if not re.fullmatch(r"-?\d{1,16}", text, re.ASCII):
        raise refuse(
            f"start must be a date-time like 2024-05-01T00:00:00Z or milliseconds since 1970, not {text!r:.60}"
        )
    return make_instant_key(int(text) * 1000)


def read_number(text: str) -> bytes:
    """Read a decimal number."""
    key = make_number_key(text)
    if key is None:
        raise refuse(f"start must be a number for this property, not {text!r:.60}")
    return key


def read_boolean(text: str) -> bytes:
    """Read `true` or `false`."""
    if text not in BOOLEANS:
        raise refuse(f"start must be true or false for this property, not {text!r:.60}")
    return BOOLEANS[text]


def refuse(message: str) -> Problem:
    """Make the answer to a position that cannot be read."""
    return Problem(400, "invalid-parameter", message)


READERS = {
    "": read_any,
    "string": make_string_key,
    "uri": make_string_key,
    "date-time": read_moment,
    "number": read_number,
    "boolean": read_boolean,
}
