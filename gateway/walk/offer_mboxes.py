"""The mboxes of a delivery request that offer activities decide, beside local and remote items (gw:O1, gw:O2)."""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from gateway.decisioning.mboxes import OfferMboxes, Question, Shown, count_all, decide_all
from gateway.delivery.answer import Place, Results, place_of
from gateway.delivery.model import JsonObject, Notification
from gateway.delivery.plan import Item
from gateway.errors import GatewayError, Problem
from gateway.offers.displays import Display
from gateway.offers.instances import Space
from gateway.offers.model import Identity
from gateway.telemetry import get_log
from gateway.walk.walk import Walk, names_of

_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_IDS = (("thirdPartyId", "THIRDPARTY"), ("marketingCloudVisitorId", "ECID"))
_DEVICE = "TNTID"


class Told(Struct, frozen=True):
    """A notification about offers of ours: its place among the others, and the displays it tells of."""

    id: str
    at: int
    displays: tuple[Display, ...]


def pick_offered(walk: Walk, items: Sequence[Item]) -> list[Item]:
    """Give the mboxes that offer activities decide; hardly any time is spent where there are none."""
    mboxes = _mboxes_of(walk)
    if mboxes is None:
        return []
    space = _space_of(walk, mboxes)
    return [item for item in items if item.kind == "mboxes" and mboxes.decides(space, item.name)]


async def decide_offered(walk: Walk) -> dict[Place, Results]:
    """Give the results of the picked mboxes by place; what cannot be decided is noted, and gets default content."""
    mboxes, items = _mboxes_of(walk), walk.plan.offer
    if mboxes is None:
        return {}
    space, identities = _space_of(walk, mboxes), name_identities(walk.visitor.id)
    questions = [
        Question(
            space=space,
            name=item.name,
            identities=identities,
            parameters={name: value for name, value in (item.details.parameters or {}).items() if value is not None},
            is_prefetch=item.part == "prefetch",
            deadline=walk.inbound.inner_deadline,
        )
        for item in items
    ]
    found: dict[Place, Results] = {}
    for item, shown in zip(items, await decide_all(mboxes, questions), strict=True):
        if isinstance(shown, Shown):
            found[place_of(item)] = [_write(item, shown.options)]
            if reason := shown.degraded:
                walk.lost.append(reason)
        else:
            _note_failure(walk, item, shown)
    return found


def name_identities(known: Mapping[str, object]) -> list[Identity]:
    """Give the identities of a visitor, those of a person before those of a device: the first one counts for caps."""
    found = [Identity(namespace, str(known[name])) for name, namespace in _IDS[:1] if known.get(name)]
    customers = known.get("customerIds")
    for one in customers if isinstance(customers, list) else ():
        code, state = str(one.get("integrationCode", "")), one.get("authenticatedState")
        if state == "authenticated" and _NAMESPACE.fullmatch(code) and one.get("id"):
            found.append(Identity(code, str(one["id"])))
    found += [Identity(namespace, str(known[name])) for name, namespace in _IDS[1:] if known.get(name)]
    device = str(known.get("tntId") or "").partition(".")[0]
    return [*found, Identity(_DEVICE, device)] if device else found


def take_displays(walk: Walk) -> list[Told]:
    """Take the notifications about offers of ours out of the request: Target knows nothing of them."""
    mboxes, inbound = _mboxes_of(walk), walk.inbound
    if mboxes is None:
        return []
    told, kept = _part(mboxes, inbound.request.notifications or ())
    if told:
        body = inbound.read_body()
        raw = body["notifications"]
        left = [{**raw[at], "tokens": tokens} if tokens is not None else raw[at] for at, tokens in kept]
        inbound.decoded = {name: value for name, value in body.items() if name != "notifications"} | (
            {"notifications": left} if left else {}
        )
        asked = inbound.request.notifications or []
        inbound.request = structs.replace(inbound.request, notifications=[asked[at] for at, _ in kept] or None)
        inbound.raw = None
    return told


async def count_displays(walk: Walk, told: Sequence[Told]) -> None:
    """Count what was displayed, each token once (gw:O2)."""
    mboxes = _mboxes_of(walk)
    if mboxes is None:
        return
    space = _space_of(walk, mboxes)
    displays = [display for each in told for display in each.displays]
    if not await count_all(mboxes, space, displays, walk.inbound.inner_deadline):
        walk.lose("displays", ())


def answer_displays(told: Sequence[Told], others: object) -> list[JsonObject]:
    """Give the `notifications` of the answer: those counted here in their places among Target's."""
    answered: list[JsonObject] = list(others) if isinstance(others, list) else []
    known = {one.get("id") for one in answered if isinstance(one, dict)}
    for each in told:
        if each.id not in known:
            answered.insert(min(each.at, len(answered)), {"id": each.id})
    return answered


def _part(
    mboxes: OfferMboxes, notifications: Sequence[Notification]
) -> tuple[list[Told], list[tuple[int, list[str] | None]]]:
    """Part what was told: of our offers, and what is for Target, with the tokens that are left (None: all)."""
    told: list[Told] = []
    kept: list[tuple[int, list[str] | None]] = []
    for at, one in enumerate(notifications):
        read = [(token, mboxes.read_token(token)) for token in one.tokens or ()]
        ours = tuple(display for _, display in read if display is not None)
        theirs = [token for token, display in read if display is None]
        if not ours:
            kept.append((at, None))
            continue
        told.append(Told(one.id, at, ours if one.type == "display" else ()))
        if theirs:
            kept.append((at, theirs))
    return told, kept


def _mboxes_of(walk: Walk) -> OfferMboxes | None:
    business = walk.services.business
    return business.decisions.mboxes if business is not None and business.decisions.mboxes.is_used else None


def _space_of(walk: Walk, mboxes: OfferMboxes) -> Space:
    return Space(walk.inbound.tenant.client.organization_id, mboxes.sandbox)


def _write(item: Item, options: list[JsonObject]) -> JsonObject:
    index = {} if item.index is None else {"index": item.index}
    return {"name": item.name, **index, "options": options}


def _note_failure(walk: Walk, item: Item, error: BaseException) -> None:
    if not isinstance(error, GatewayError):
        raise error
    if isinstance(error, Problem) and error.code == "profile-unavailable":
        walk.lose("profiles", names_of([item]))
        return
    walk.services.metrics.count_event("offers.mbox_failed")
    get_log().warning("offers.mbox_failed", mbox=item.name, code=error.code)
    walk.lose("offers", names_of([item]))
