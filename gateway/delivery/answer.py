"""Results of local and remote items to one answer in the order of the request (gw:F5; spec get-offers §15 point 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.delivery.model import DeliveryRequest, ExecuteRequest, JsonObject, PrefetchRequest
from gateway.delivery.plan import Item
from gateway.errors import UpstreamGarbled

Place = tuple[str, str, int]
Results = list[JsonObject]


class Remote(Struct, frozen=True):
    """What Target answered: results by place, and the members that belong to the answer as a whole."""

    results: Mapping[Place, Results]
    prefetch_metrics: list[JsonObject]
    id: object
    members: JsonObject


NOTHING = Remote({}, [], None, {})
ITEM_KINDS: Mapping[str, type] = {"mboxes": list, "views": list, "pageLoad": dict}
PASSED_ON: Mapping[str, type] = {"edgeHost": str, "notifications": list, "telemetryServerToken": str}


def place_of(item: Item) -> Place:
    """Give the key under which the results of `item` are kept."""
    return (item.part, item.kind, item.position)


def make_remote_body(body: JsonObject, remote: Sequence[Item], local: Sequence[Item]) -> JsonObject:
    """Give the body for Target: everything the caller said, but only the items that are remote.

    Mboxes are numbered anew where their own numbers are missing or not unique, so that answers find their way back.
    """
    sent = dict(body)
    for part in ("execute", "prefetch"):
        ours = [item for item in remote if item.part == part]
        if not ours:
            sent.pop(part, None)
            continue
        mboxes = [item for item in ours if item.kind == "mboxes"]
        numbers = number_mboxes(mboxes)
        if local or numbers != [item.index for item in mboxes]:
            sent[part] = _pick_items(body[part], ours, numbers)
    return sent


def _pick_items(asked: JsonObject, items: Sequence[Item], numbers: Sequence[int]) -> JsonObject:
    picked = {name: value for name, value in asked.items() if name not in ("mboxes", "views", "pageLoad")}
    mboxes = [item for item in items if item.kind == "mboxes"]
    views = [item.raw for item in items if item.kind == "views"]
    if mboxes:
        picked["mboxes"] = [item.raw | {"index": number} for item, number in zip(mboxes, numbers, strict=True)]
    if views:
        picked["views"] = views
    for item in items:
        if item.kind == "pageLoad":
            picked["pageLoad"] = item.raw
    return picked


def number_mboxes(mboxes: Sequence[Item]) -> list[int]:
    """Give the numbers under which Target is asked for `mboxes`: their own where all have one and no two share it."""
    own = [item.index for item in mboxes if item.index is not None]
    if len(own) == len(mboxes) == len(set(own)):
        return own
    return list(range(len(mboxes)))


def read_remote(reply: JsonObject, remote: Sequence[Item]) -> Remote:
    """Give what `reply` says of each remote item; what fits no item is left out.

    Raises UpstreamGarbled where a member that was asked for is there, but is not of its kind.
    """
    results: dict[Place, Results] = {}
    for part in ("execute", "prefetch"):
        items = [item for item in remote if item.part == part]
        answered = take_member(reply, part, dict) if items else None
        if answered is not None:
            _read_part(answered, items, results)
    prefetch = reply.get("prefetch")
    metrics = prefetch.get("metrics") if isinstance(prefetch, dict) else None
    members = {name: found for name, kind in PASSED_ON.items() if (found := take_member(reply, name, kind)) is not None}
    return Remote(results, metrics if isinstance(metrics, list) else [], reply.get("id"), members)


def _read_part(answered: JsonObject, items: Sequence[Item], results: dict[Place, Results]) -> None:
    found = [take_member(answered, name, kind) for name, kind in ITEM_KINDS.items()]
    mboxes, views, page = found
    if mboxes:
        _read_mboxes(mboxes, [item for item in items if item.kind == "mboxes"], results)
    if views:
        _read_views(views, [item for item in items if item.kind == "views"], results)
    if page is not None:
        results |= {place_of(item): [page] for item in items if item.kind == "pageLoad"}


def take_member(holder: JsonObject, name: str, kind: type) -> Any:
    """Give a member of an answer, None where it is missing; raises UpstreamGarbled when it is not of its kind."""
    value = holder.get(name)
    if value is not None and not isinstance(value, kind):
        raise UpstreamGarbled(f"Target's answer has a member {name} of the wrong kind")
    return value


def check_reply(reply: JsonObject, asked: JsonObject) -> None:
    """Raise UpstreamGarbled where `read_remote` would do so for the items of the body `asked`."""
    for part in ("execute", "prefetch"):
        wanted = asked.get(part)
        answered = take_member(reply, part, dict) if wanted is not None else None
        if wanted is not None and answered is not None:
            for name, kind in ITEM_KINDS.items():
                if wanted.get(name) is not None:
                    take_member(answered, name, kind)
    for name, kind in PASSED_ON.items():
        take_member(reply, name, kind)


def _read_mboxes(answered: list[Any], items: Sequence[Item], results: dict[Place, Results]) -> None:
    by_number = dict(zip(number_mboxes(items), items, strict=True))
    for element in answered:
        if not isinstance(element, dict):
            continue
        index = element.get("index")
        number = index if index.__class__ is int else read_number(index)  # as nearly all are
        item = None if number is None else by_number.get(number)
        if item is not None and element.get("name", item.name) == item.name:
            own = element if number == item.index else _number_back(element, item)
            results.setdefault(place_of(item), []).append(own)


def read_number(index: Any) -> int | None:
    """Give the number of an mbox, None where it has none that is whole."""
    whole = isinstance(index, int | float) and not isinstance(index, bool) and index == index // 1
    return int(index) if whole else None


def _number_back(element: JsonObject, item: Item) -> JsonObject:
    """Give `element` with the caller's own number, or without one where the caller gave none."""
    if item.index is not None:
        return element | {"index": item.index}
    return {name: value for name, value in element.items() if name != "index"}


def _read_views(answered: list[Any], items: Sequence[Item], results: dict[Place, Results]) -> None:
    for element in answered:
        if isinstance(element, dict):
            name = str(element.get("name", ""))
            named = [item for item in items if item.name == name]
            for item in named or [item for item in items if not item.name]:
                results.setdefault(place_of(item), []).append(element)


def find_missing(remote: Sequence[Item], results: Mapping[Place, Results], *, views: bool = False) -> list[Item]:
    """Give the remote items that have no answer.

    A view may have none, for it is only answered when something fits: one counts only where `views` says so. `results`
    are those of `read_remote` for the same items.
    """
    if len(results) == len(remote):
        return []  # as mostly: each result has the place of an item
    return [item for item in remote if place_of(item) not in results and (views or item.kind != "views")]


def join(request: DeliveryRequest, items: Sequence[Item], results: Mapping[Place, Results]) -> JsonObject:
    """Give the `execute` and `prefetch` members of the answer: every requested item, in the order of the request."""
    joined: JsonObject = {}
    for part, asked in (("execute", request.execute), ("prefetch", request.prefetch)):
        if asked is not None:
            joined[part] = _join_part(asked, [item for item in items if item.part == part], results)
    return joined


def _join_part(
    asked: ExecuteRequest | PrefetchRequest, items: Sequence[Item], results: Mapping[Place, Results]
) -> JsonObject:
    answered: JsonObject = {}
    if asked.mboxes is not None:
        answered["mboxes"] = []
    if isinstance(asked, PrefetchRequest) and asked.views is not None:
        answered["views"] = []
    for item in items:
        found = results.get(place_of(item))
        if item.kind == "pageLoad":
            answered["pageLoad"] = found[0] if found else {"options": []}
        else:
            answered[item.kind] += found if found is not None else _default_content(item)
    return answered


def _default_content(item: Item) -> Results:
    """Give the answer of an item that nobody decided: it names the mbox and has no options (gw:F5)."""
    if item.kind == "views":
        return []
    return [{"name": item.name} | ({} if item.index is None else {"index": item.index})]
