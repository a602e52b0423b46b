"""The body for Target, cut from the bytes of the request: what travels on untouched is never decoded (gw:F1).

`answer.make_remote_body` makes the same body out of the decoded one. This way takes a fraction of its time, and is
for requests that nobody has had to look into; where mboxes must be numbered anew it leaves them to the other.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from gateway.delivery.answer import number_mboxes
from gateway.delivery.model import DeliveryRequest, JsonObject
from gateway.delivery.plan import Item

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw] | None).decode
_encode = msgspec.json.Encoder().encode


def cut_body(
    raw: bytes, request: DeliveryRequest, remote: Sequence[Item], local: Sequence[Item], added: JsonObject
) -> bytes | None:
    """Give the bytes of `make_remote_body` with the members `added`; None where mboxes must be numbered anew.

    `raw` is valid JSON, `request` what it says; where nothing has to change it is given as it is.
    """
    touched: dict[str, list[Item]] = {}
    for part, asked in (("execute", request.execute), ("prefetch", request.prefetch)):
        if asked is not None:
            ours = [item for item in remote if item.part == part]
            mboxes = [item for item in ours if item.kind == "mboxes"]
            if number_mboxes(mboxes) != [item.index for item in mboxes]:
                return None
            if local or not ours:
                touched[part] = ours
    return _cut(raw, touched, added) if touched or added else raw


def _cut(raw: bytes, touched: dict[str, list[Item]], added: JsonObject) -> bytes:
    members: dict[str, Any] = _decode_members(raw)
    for part, ours in touched.items():
        whole = members.pop(part)
        if ours:
            members[part] = _cut_part(whole, ours)
    return _encode(members | added if added else members)


def _cut_part(whole: Raw, ours: Sequence[Item]) -> dict[str, Any]:
    """Give a part of the request with these items alone."""
    members: dict[str, Any] = _decode_members(whole)
    for kind in ("mboxes", "views"):
        listed = members.pop(kind, None)
        positions = [item.position for item in ours if item.kind == kind]
        if positions and listed is not None:
            each = _decode_list(listed) or ()
            members[kind] = [each[position] for position in positions]
    if not any(item.kind == "pageLoad" for item in ours):
        members.pop("pageLoad", None)
    return members
