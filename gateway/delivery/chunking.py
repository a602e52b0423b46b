"""A call with more mboxes than Target takes at once, as several calls, and their answers as one again (gw:F2)."""

from collections.abc import Iterator, Sequence

from gateway.delivery.answer import read_number, take_member
from gateway.delivery.model import JsonObject

PARTS = ("execute", "prefetch")
_ONCE = ("notifications", "telemetry")
_OTHER_ITEMS = ("views", "pageLoad")


def count_mboxes(body: JsonObject) -> int:
    """Give how many mboxes a call asks for, in both parts together."""
    count = 0
    for part in PARTS:
        asked = body.get(part)
        if asked:
            count += len(asked.get("mboxes") or ())
    return count


def chunk(body: JsonObject, most: int) -> list[JsonObject]:
    """Give bodies with at most `most` mboxes each; what is not an mbox travels with the first of them only."""
    if count_mboxes(body) <= most:
        return [body]
    asked = list(_list_mboxes(body))
    slices = [asked[at : at + most] for at in range(0, len(asked), most)]
    rest = {name: value for name, value in body.items() if name not in (*PARTS, *_ONCE)}
    return [_keep_first(body, slices[0]), *(rest | _pick(body, one) for one in slices[1:])]


def _list_mboxes(body: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for part in PARTS:
        for mbox in (body.get(part) or {}).get("mboxes") or ():
            yield part, mbox


def _pick(body: JsonObject, asked: Sequence[tuple[str, JsonObject]]) -> JsonObject:
    """Give the parts of `body` with these mboxes alone."""
    picked = {}
    for part in PARTS:
        if mboxes := [mbox for owner, mbox in asked if owner == part]:
            others = {name: value for name, value in body[part].items() if name not in _OTHER_ITEMS}
            picked[part] = others | {"mboxes": mboxes}
    return picked


def _keep_first(body: JsonObject, asked: Sequence[tuple[str, JsonObject]]) -> JsonObject:
    """Give `body` with these mboxes and everything that is no mbox."""
    picked = _pick(body, asked)
    kept = {name: value for name, value in body.items() if name not in PARTS} | picked
    for part in PARTS:
        holder = body.get(part) or {}
        others = {name: holder[name] for name in _OTHER_ITEMS if holder.get(name) is not None}
        if others:
            rest = {name: value for name, value in holder.items() if name != "mboxes"}
            kept[part] = rest | {name: value for name, value in picked.get(part, {}).items() if name == "mboxes"}
    return kept


def rejoin(bodies: Sequence[JsonObject], replies: Sequence[JsonObject | None]) -> JsonObject:
    """Give one answer to the calls `bodies`, in their order; None stands for a call that has no answer.

    Of the answer to a call only what that call asked for is taken. Raises UpstreamGarbled where a member is not of
    its kind.
    """
    whole: JsonObject = {}
    for at, (body, reply) in enumerate(zip(bodies, replies, strict=True)):
        if reply is None:
            continue
        for name, value in reply.items():
            if name not in PARTS and (at == 0 or name != "notifications"):
                whole.setdefault(name, value)
        for part in PARTS:
            answered = take_member(reply, part, dict) if body.get(part) is not None else None
            if answered is not None:
                place = whole.setdefault(part, {})
                if at == 0:
                    place.update({name: value for name, value in answered.items() if name != "mboxes"})
                place.setdefault("mboxes", []).extend(_take_own(answered, body[part]))
    return whole


def _take_own(answered: JsonObject, asked: JsonObject) -> list[JsonObject]:
    """Give the answered mboxes that bear the number of one that was asked for."""
    numbers = {read_number(mbox.get("index")) for mbox in asked.get("mboxes") or ()}
    found = take_member(answered, "mboxes", list) or ()
    return [one for one in found if isinstance(one, dict) and read_number(one.get("index")) in numbers - {None}]
