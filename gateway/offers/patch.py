"""JSON Patch (RFC 6902) on `{"_instance": …, "_links": …}`, with the repository's answers (spec repository §9.2).

The library applies one operation after the other; here stands what it cannot know: which failure is answered how,
where a patch may point, and how large it may make a document.
"""

from collections.abc import Collection
from typing import Any

from jsonpatch import JsonPatch, JsonPatchException, JsonPatchTestFailed
from jsonpointer import JsonPointer, JsonPointerException

from gateway.errors import Problem, Violation
from gateway.offers.documents import MAX_BODY_BYTES, MAX_DEPTH, Path, Size, depth_of, size_of, too_deep
from gateway.offers.instances import JsonObject

MAX_OPERATIONS = 1_000
MAX_COPIED_NODES = 50_000
"""Values that all `copy` operations of a patch may add; their characters may be as many as the bytes of a body."""

_LONGEST_INDEX = 12
"""Digits: no array is as long, and Python does not read a number of thousands of them."""

WITH_FROM = ("move", "copy")
WITH_VALUE = ("add", "replace", "test")


class Operation:
    """One operation whose syntax has been checked."""

    def __init__(self, index: int, raw: Any) -> None:
        """Read an operation. Raises Problem 400 malformed-patch (P8)."""
        self.index = index
        try:
            self.patch = JsonPatch([raw])
            self.name: str = raw["op"]
            self.path = _read_pointer(raw["path"])
            self.source = _read_pointer(raw["from"]) if self.name in WITH_FROM else None
            self.value = raw["value"] if self.name in WITH_VALUE else None
        except (JsonPatchException, JsonPointerException, TypeError, ValueError, KeyError) as error:
            detail = "needs op (add, remove, replace, move, copy, test), path, and value or from as RFC 6902 has them"
            wrong = Violation("malformed-patch", f"/{index}", detail, index)
            raise Problem(400, "malformed-patch", f"Operation {index} {detail}", violations=[wrong]) from error

    @property
    def reads(self) -> tuple[Path, ...]:
        """Give every location the operation names."""
        return (self.path,) if self.source is None else (self.path, self.source)

    @property
    def changes(self) -> tuple[Path, ...]:
        """Give the locations whose values the operation changes."""
        if self.name == "test":
            return ()
        return self.reads if self.name == "move" else (self.path,)

    @property
    def removes(self) -> Path | None:
        """Give the location the operation empties, None for one that empties none."""
        return {"remove": self.path, "move": self.source}.get(self.name)

    def fail(self, code: str, detail: str) -> Violation:
        """Make the violation that names this operation."""
        at = self.source if code == "patch-target-missing" and self.name == "move" and self.source else self.path
        return Violation(code, JsonPointer.from_parts(at).path, detail, self.index)


def _read_pointer(text: Any) -> Path:
    if not isinstance(text, str):
        raise TypeError(text)
    return tuple(JsonPointer(text).parts)


def read_patch(raw: object) -> list[Operation]:
    """Read a decoded patch document. Raises Problem: 400 malformed-patch, 413 too-large."""
    if not isinstance(raw, list):
        raise Problem(400, "malformed-patch", "A patch is a JSON array of operations")
    if len(raw) > MAX_OPERATIONS:
        raise Problem(413, "too-large", f"A patch may have {MAX_OPERATIONS} operations; send several")
    return [Operation(index, each) for index, each in enumerate(raw)]


def find_trespasses(operations: list[Operation], roots: Collection[str], links: Collection[str]) -> list[Violation]:
    """Name operations outside what a patch may address (P8), and those on a link of the repository's own (E12)."""
    outside = [each for each in operations if any(not path or path[0] not in roots for path in each.reads)]
    detail = "a patch may address " + ", ".join(f"/{root}" for root in roots)
    found = [each.fail("not-editable", detail) for each in outside]
    detail = "this link is made by the repository"
    return found + [each.fail("not-editable", detail) for each in operations if _touches(each, links)]


def _touches(operation: Operation, links: Collection[str]) -> bool:
    return any(path[:1] == ("_links",) and len(path) > 1 and path[1] in links for path in operation.changes)


def apply_patch(operations: list[Operation], document: JsonObject) -> JsonObject:
    """Apply all operations in order to `document`, which is changed; the result may be invalid (P7).

    Raises Problem: 409 patch-test-failed, 422 patch-target-missing, 413 where copies or nesting grow too large.
    """
    copied = Size(0, 0)
    try:
        for operation in operations:
            copied = _count_copied(operation, document, copied)
            document = _apply(operation, document)
    except RecursionError:
        raise too_deep("The patched instance") from None
    if depth_of(document) > MAX_DEPTH:
        raise too_deep("The patched instance")
    return document


def _apply(operation: Operation, document: JsonObject) -> JsonObject:
    try:
        changed: JsonObject = operation.patch.apply(document, in_place=True)
    except JsonPatchTestFailed as error:
        if _has_bad_index(operation.path, document):
            raise _target_missing(operation) from error
        wrong = operation.fail("patch-test-failed", "the value is not the expected one")
        detail = f"The test of operation {operation.index} failed"
        raise Problem(409, "patch-test-failed", detail, violations=[wrong]) from error
    except (JsonPatchException, JsonPointerException) as error:
        raise _target_missing(operation) from error
    return changed


def _target_missing(operation: Operation) -> Problem:
    detail = f"Operation {operation.index}: its target, or what it is to be added to, does not exist"
    wrong = operation.fail("patch-target-missing", "does not exist here, or cannot hold what is added")
    return Problem(422, "patch-target-missing", detail, violations=[wrong])


def _has_bad_index(path: Path, value: Any) -> bool:
    """Say whether a path has a leading zero where it steps into an array (X7)."""
    for step in path:
        if isinstance(value, list):
            if not step.isdecimal() or len(step) > _LONGEST_INDEX or int(step) >= len(value):
                return False
            if len(step) > 1 and step.startswith("0"):
                return True
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return False
    return False


def _count_copied(operation: Operation, document: JsonObject, copied: Size) -> Size:
    """Add what a copy adds. Raises Problem 413 when that is too much for one patch."""
    if operation.name != "copy" or operation.source is None:
        return copied
    try:
        value = JsonPointer.from_parts(operation.source).resolve(document)
    except JsonPointerException:
        return copied
    more = size_of(value, MAX_COPIED_NODES)
    copied = Size(copied.nodes + more.nodes, copied.characters + more.characters)
    if copied.nodes > MAX_COPIED_NODES or copied.characters > MAX_BODY_BYTES:
        raise Problem(413, "too-large", "The copies of this patch are too large together")
    return copied
