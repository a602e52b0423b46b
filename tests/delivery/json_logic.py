"""A plain tree walk over JSON logic (odd 9), written apart from the compiler to judge it by."""

import math
from decimal import Decimal

UNDEFINED = object()


class Fault(Exception):
    pass


def is_list(value):
    return isinstance(value, list)


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def truth(value):
    if is_list(value):
        return len(value) > 0
    return plain_truth(value)


def plain_truth(value):
    if value is None or value is UNDEFINED or value is False or value == "":
        return False
    return not (is_number(value) and (value == 0 or math.isnan(value)))


def number_text(value):
    value = float(value)
    if math.isnan(value) or math.isinf(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        plain = format(Decimal(repr(value)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    mantissa, exponent = format(Decimal(repr(value)).normalize(), "E").split("E")
    return f"{mantissa}e{'+' if int(exponent) > 0 else '-'}{abs(int(exponent))}"


def text(value):
    if value is None or value is UNDEFINED:
        return "null" if value is None else "undefined"
    if value is True or value is False:
        return str(value).lower()
    if is_number(value):
        return number_text(value)
    if is_list(value):
        return ",".join("" if v is None or v is UNDEFINED else text(v) for v in value)
    return value if isinstance(value, str) else "[object Object]"


def number(value):
    if value is None or value is UNDEFINED:
        return 0.0 if value is None else math.nan
    if is_number(value) or isinstance(value, bool):
        return float(value)
    written = text(value).strip(" \t\n\r\u00a0\ufeff")
    if written == "":
        return 0.0
    if written[:2].lower() in ("0x", "0o", "0b"):
        try:
            return float(int(written, 0)) if "_" not in written else math.nan
        except ValueError:
            return math.nan
    return float(written.replace("Infinity", "inf")) if numeric(written) else math.nan


def numeric(written):
    if written in ("Infinity", "+Infinity", "-Infinity"):
        return True
    if any(c not in "0123456789+-.eE" for c in written):
        return False
    try:
        float(written)
    except ValueError:
        return False
    return True


def leading(value):
    written = text(value).lstrip(" \t\n\r\u00a0\ufeff")
    for end in range(len(written), 0, -1):
        if numeric(written[:end]):
            return float(written[:end].replace("Infinity", "inf"))
    return math.nan


def primitive(value):
    return text(value) if isinstance(value, list | dict) else value


def loose(a, b):
    nothing = [x is None or x is UNDEFINED for x in (a, b)]
    if any(nothing):
        return all(nothing)
    if isinstance(a, list | dict) and isinstance(b, list | dict):
        return a is b
    a, b = primitive(a), primitive(b)
    return a == b if isinstance(a, str) and isinstance(b, str) else number(a) == number(b)


def strict(a, b):
    for kind in (is_number, lambda x: isinstance(x, bool), lambda x: isinstance(x, str)):
        if kind(a) or kind(b):
            return kind(a) and kind(b) and a == b
    return a is b


def before(a, b, *, equal):
    a, b = primitive(a), primitive(b)
    if isinstance(a, str) and isinstance(b, str):
        a, b = (list(x.encode("utf-16-be", "surrogatepass")) for x in (a, b))
    else:
        a, b = number(a), number(b)
    return a <= b if equal else a < b


def look(data, path, default):
    if path is None or path is UNDEFINED or path == "":
        return data
    for piece in text(path).split("."):
        if isinstance(data, dict) and piece in data:
            data = data[piece]
        elif is_list(data) and piece in [str(i) for i in range(len(data))]:
            data = data[int(piece)]
        else:
            return default
        if data is UNDEFINED:
            return default
    return data


def whole(value):
    value = number(value)
    return 0.0 if math.isnan(value) else value


def substr(source, start, size):
    data = text(source).encode("utf-16-le", "surrogatepass")
    pairs = [data[i : i + 2] for i in range(0, len(data), 2)]
    start = max(min(math.trunc(max(min(whole(start), 1e9), -1e9)), len(pairs)), -len(pairs))
    pairs = pairs[start:] if start else pairs
    if size is not UNDEFINED:
        size = max(min(whole(size), 1e9), -1e9)
        pairs = pairs[: max(math.trunc(len(pairs) + size if size < 0 else size), 0)]
    return b"".join(pairs).decode("utf-16-le", "surrogatepass")


def divide(a, b):
    a, b = number(a), number(b)
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(1, a) * math.copysign(1, b) * math.inf
    return a / b


def remainder(a, b):
    a, b = number(a), number(b)
    return math.nan if b == 0 or math.isinf(a) else math.fmod(a, b)


def extreme(pick, args, nothing):
    numbers = [number(a) for a in args]
    return math.nan if any(map(math.isnan, numbers)) else pick(numbers, default=nothing)


def product(args):
    if not args:
        raise Fault
    result = leading(args[0]) if len(args) > 1 else args[0]
    for a in args[1:]:
        result *= leading(a)
    return result


def total(args):
    result = 0.0
    for a in args:
        result += leading(a)
    return result


def contains(a, b):
    if isinstance(b, str):
        return b != "" and text(a) in b
    return is_list(b) and any(strict(a, x) for x in b)


def missing(data, names):
    found = [look(data, name, None) for name in names]
    return [n for n, v in zip(names, found, strict=True) if v is None or v == ""]


def missing_some(data, need, names):
    names = names if is_list(names) else [names]
    absent = missing(data, names)
    return [] if before(need, len(names) - len(absent), equal=True) else absent


def walk(rule, data):
    if is_list(rule):
        return [walk(r, data) for r in rule]
    if not isinstance(rule, dict) or len(rule) != 1:
        return rule
    ((name, args),) = rule.items()
    args = args if is_list(args) else [args]
    nodes = [*args, UNDEFINED, UNDEFINED, UNDEFINED]
    if name in ("and", "or"):
        result = UNDEFINED
        for node in args:
            result = walk(node, data)
            if truth(result) is (name == "or"):
                break
        return result
    if name in ("if", "?:"):
        while len(args) > 1:
            if truth(walk(args[0], data)):
                return walk(args[1], data)
            args = args[2:]
        return walk(args[0], data) if args else None
    if name in ("filter", "map", "all", "none", "some", "reduce"):
        return loop(name, walk(nodes[0], data), nodes[1], lambda: walk(args[2], data) if len(args) > 2 else None)
    return eager(name, [walk(a, data) for a in args], data)


def eager(name, args, data):  # noqa: C901, PLR0911, PLR0912 - one branch an operator
    a, b, c = [*args, UNDEFINED, UNDEFINED, UNDEFINED][:3]
    match name:
        case "var":
            return look(data, a, None if b is UNDEFINED else b)
        case "missing":
            return missing(data, a if is_list(a) else args)
        case "missing_some":
            return missing_some(data, a, b)
        case "==" | "!=":
            return loose(a, b) is (name == "==")
        case "===" | "!==":
            return strict(a, b) is (name == "===")
        case "<" | "<=":
            equal = name == "<="
            return before(a, b, equal=equal) and (c is UNDEFINED or before(b, c, equal=equal))
        case ">" | ">=":
            return before(b, a, equal=name == ">=")
        case "!" | "!!":
            return truth(a) is (name == "!!")
        case "in":
            return contains(a, b)
        case "cat":
            return "".join("" if x is None or x is UNDEFINED else text(x) for x in args)
        case "substr":
            return substr(a, b, c)
        case "merge":
            return [x for arg in args for x in (arg if is_list(arg) else [arg])]
        case "log":
            return a
    return arithmetic(name, args, a, b)


def arithmetic(name, args, a, b):
    match name:
        case "+":
            return total(args)
        case "*":
            return product(args)
        case "-":
            return -number(a) if b is UNDEFINED else number(a) - number(b)
        case "/":
            return divide(a, b)
        case "%":
            return remainder(a, b)
        case "min":
            return extreme(min, args, math.inf)
        case "max":
            return extreme(max, args, -math.inf)
    raise AssertionError(name)


def loop(name, items, body, initial):
    found = items if is_list(items) else []
    match name:
        case "filter":
            return [x for x in found if truth(walk(body, x))]
        case "map":
            return [walk(body, x) for x in found]
        case "all":
            return bool(found) and all(truth(walk(body, x)) for x in found)
        case "some":
            return any(truth(walk(body, x)) for x in found)
        case "none":
            return not any(truth(walk(body, x)) for x in found)
    result = initial()
    for x in found:
        result = walk(body, {"current": x, "accumulator": result})
    return result
