"""What of an `_instance` may change: editability, immutability, defaults, status, lasting parts (spec repository §9.4).

The judgement compares what is stored with the result; steps in between do not count (Y5, P7).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.errors import Violation
from gateway.offers.annotations import Guard
from gateway.offers.documents import Path, copy, equal, find, point
from gateway.offers.entities import EntityType
from gateway.offers.instances import JsonObject

MISSING = object()
STATUS = "xdm:status"


def _value(instance: JsonObject, path: Path) -> Any:
    return next((value for _, value in find(instance, path)), MISSING)


def keep_guarded(
    guards: Iterable[Guard], before: JsonObject, after: JsonObject, removed: Sequence[Path] | None
) -> list[Violation]:
    """Check guarded properties and put back those a caller is expected to leave out (W1 to W4, P3, X6).

    `removed` are the paths a patch removes; None for a POST or PUT. Changes `after`.
    """
    found = []
    for guard in guards:
        old, new = _value(before, guard.path), _value(after, guard.path)
        if new is MISSING and old is not MISSING and _may_be_absent(guard, removed):
            _put(after, guard.path, old)
        elif code := _fault(guard, old, new, is_patch=removed is not None):
            found.append(Violation(code, point("_instance", *guard.path), _details(code)))
            if old is not MISSING:
                _put(after, guard.path, old)
    return found


def _may_be_absent(guard: Guard, removed: Sequence[Path] | None) -> bool:
    """Say whether leaving a property out keeps it.

    On PUT it does when it is not editable; on PATCH when what is around it was replaced, not when it was removed.
    """
    if removed is None:
        return not guard.editable
    return not any(guard.path[: len(path)] == path for path in removed)


def _fault(guard: Guard, old: Any, new: Any, *, is_patch: bool) -> str:
    if old is MISSING:
        return "" if new is MISSING or guard.editable else "not-editable"
    if new is not MISSING and equal(old, new):
        return ""
    codes = [("immutable", guard.immutable), ("not-editable", not guard.editable)]
    return next(code for code, applies in (codes if is_patch else reversed(codes)) if applies)


def _details(code: str) -> str:
    return "cannot change once it is set" if code == "immutable" else "is set by the repository; leave it out"


def _put(instance: JsonObject, path: Path, value: Any) -> None:
    """Put a value back, with the objects around it where they are gone; nothing where another value stands there."""
    parent: Any = instance
    for step in path[:-1]:
        parent = parent.setdefault(step, {}) if isinstance(parent, dict) else None
    if isinstance(parent, dict):
        parent[path[-1]] = value


def fill_defaults(defaults: Iterable[tuple[Path, Any]], instance: JsonObject) -> None:
    """Put the declared defaults into an `_instance` where nothing is set (P4; §7): they are stored and shown."""
    for path, value in sorted(defaults, key=lambda each: len(each[0])):
        for _, parent in find(instance, path[:-1]):
            if isinstance(parent, dict):
                parent.setdefault(path[-1], copy(value))


def check_step(types: Iterable[EntityType], before: JsonObject, after: JsonObject) -> list[Violation]:
    """Check what may follow what: the status (Y2), and parts that cannot be removed again (SC3)."""
    found = []
    for row in types:
        old, new = before.get(STATUS), after.get(STATUS)
        if row.transitions and _is_refused(row, old, new):
            allowed = ", ".join(sorted(row.transitions[str(old)]))
            detail = f"cannot become {new} while it is {old}; from there only: {allowed}"
            found.append(Violation("status-transition", point("_instance", STATUS), detail))
        gone = [name for name in row.lasting if name in before and name not in after]
        detail = "cannot be removed once it is set; empty it instead"
        found += [Violation("constraint-removed", point("_instance", name), detail) for name in gone]
    return found


def _is_refused(row: EntityType, old: Any, new: Any) -> bool:
    """Say whether one known status cannot become another; unknown ones are the schema's business."""
    known = isinstance(old, str) and isinstance(new, str) and old in row.transitions and new in row.transitions
    return known and old != new and new not in row.transitions[old]
