"""A stored document of elsewhere, made a change of here: what `gateway entities import` writes.

Revision, ids, dates and authors are kept. The document is checked like any other, because a file may have been edited;
references and unique values are checked by the store.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from gateway.errors import InvalidBody, Problem, Violation
from gateway.offers.dates import read_instant
from gateway.offers.documents import MAX_BODY_BYTES, read_json
from gateway.offers.entities import CONTAINER, EntityType
from gateway.offers.instances import Change, JsonObject
from gateway.offers.references import find_references, find_unique
from gateway.offers.registry import Registry
from gateway.offers.validation import validate

_Name = Annotated[str, Meta(min_length=1, max_length=256)]
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_MOST_SHOWN = 3


class _Envelope(Struct, kw_only=True, forbid_unknown_fields=True):
    """The stored envelope; `owners` are the profiles a container belongs to."""

    instance_id: Annotated[str, Meta(pattern=_UUID)] = field(name="instanceId")
    schemas: Annotated[list[str], Meta(min_length=1, max_length=20)]
    contexts: list[_Name] = field(name="productContexts")
    revision: Annotated[int, Meta(ge=1, le=2**53)] = field(name="repo:etag")
    created: str = field(name="repo:createdDate")
    modified: str = field(name="repo:lastModifiedDate")
    created_by: _Name = field(name="repo:createdBy")
    modified_by: _Name = field(name="repo:lastModifiedBy")
    created_by_client: _Name = field(name="repo:createdByClientId")
    modified_by_client: _Name = field(name="repo:lastModifiedByClientId")
    instance: JsonObject = field(name="_instance")
    links: dict[str, Any] = field(name="_links")
    owners: list[_Name] | msgspec.UnsetType = msgspec.UNSET


_read = msgspec.json.Decoder(_Envelope).decode


def restore(registry: Registry, document: bytes, *, is_container: bool = False) -> Change:
    """Give the change that makes an instance, or a container's own record, what `document` says.

    Raises InvalidBody with what is wrong.
    """
    if len(document) > 2 * MAX_BODY_BYTES:
        raise InvalidBody("it is too long to be an instance")
    try:
        envelope = _read(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(f"it is not a stored instance: {error}") from error
    try:
        read_json(msgspec.json.encode({"_instance": envelope.instance, "_links": envelope.links}))
        if read_instant(envelope.created) is None or read_instant(envelope.modified) is None:
            raise InvalidBody("its dates are not RFC 3339")
        return _make_change(registry, document, envelope, _find_types(registry, envelope, is_container))
    except Problem as error:
        raise InvalidBody(error.message) from error


def _find_types(registry: Registry, envelope: _Envelope, is_container: bool) -> tuple[EntityType, ...]:  # noqa: FBT001 - handed on
    found = registry.types_of({"schemas": envelope.schemas})
    if len(found) != len(envelope.schemas):
        raise InvalidBody(f"a schema of {envelope.schemas} is not loaded here (repository.schemas)")
    if (CONTAINER in found) != is_container or not all(row.instantiable for row in found):
        raise InvalidBody("it has a schema that does not belong here")
    return found


def _make_change(registry: Registry, document: bytes, envelope: _Envelope, types: tuple[EntityType, ...]) -> Change:
    violations = validate([registry.schema(row) for row in types], envelope.instance)
    violations += [each for row in types for check in row.checks for each in check(envelope.instance)]
    if violations:
        raise InvalidBody(_describe(violations))
    at_id = envelope.instance.get("@id", "")
    prefix = types[0].at_id_prefix
    if bool(prefix) != bool(at_id) or not re.fullmatch(re.escape(prefix) + "[0-9a-f]{15,16}" if prefix else "", at_id):
        raise InvalidBody("its @id is not one that the repository makes")
    return Change(
        instance_id=envelope.instance_id,
        at_id=at_id,
        schemas=registry.listed_under(*types),
        document=document,
        expected=0,
        revision=envelope.revision,
        references=find_references(registry, types, envelope.instance),
        unique=find_unique(registry, types, envelope.instance),
    )


def _describe(violations: list[Violation]) -> str:
    said = "; ".join(f"{each.pointer}: {each.detail}" for each in violations[:_MOST_SHOWN])
    return said if len(violations) <= _MOST_SHOWN else f"{said}; and {len(violations) - _MOST_SHOWN} more"
