"""Which items of a request are decided here and which go to Target (spec get-offers §15, on-device §5; gw:F1).

An item is one mbox, one view or one page load. `split` sorts the items of a request into local and remote ones;
`join` (in `answer.py`) puts the results of both back into the order of the request.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gateway.delivery.artifact import Artifact
from gateway.delivery.model import DeliveryRequest, ExecuteRequest, JsonObject, PrefetchRequest, RequestDetails

Part = Literal["execute", "prefetch"]
Kind = Literal["mboxes", "views", "pageLoad"]
Method = Literal["hybrid", "on-device", "server-side"]
ReadBody = Callable[[], JsonObject]


class Item(Struct, frozen=True):
    """One thing to decide: its place in the request, what is checked of it, and the way to all the caller said.

    `index` is the caller's own number of an mbox; `read_body` gives the decoded body, which few decisions look at.
    """

    part: Part
    kind: Kind
    position: int
    name: str
    details: RequestDetails
    index: int | None
    read_body: ReadBody

    @property
    def raw(self) -> JsonObject:
        """All that the caller said of this item."""
        found = self.read_body()[self.part][self.kind]
        item: JsonObject = found if self.kind == "pageLoad" else found[self.position]
        return item


class Needs(Struct, frozen=True):
    """What only Target can decide, by name (on-device §5)."""

    mboxes: tuple[str, ...]
    views: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether Target is needed at all."""
        return bool(self.mboxes or self.views)


class Plan(Struct, frozen=True):
    """Who decides what; `ask_target` is also true when only notifications or telemetry have to be passed on."""

    local: Sequence[Item]
    remote: Sequence[Item]
    needs: Needs
    ask_target: bool
    undecided: bool = False  # on-device only: Target would have a say, but is not asked
    offer: Sequence[Item] = ()  # decided by offer activities (gw:O1)

    @property
    def ours(self) -> Sequence[Item]:
        """What is not for Target."""
        return self.local if not self.offer else [*self.local, *self.offer]


class Policy(Struct, frozen=True):
    """How a client is decided for."""

    method: Method = "hybrid"
    all_or_nothing: bool = False


NO_NEEDS = Needs((), ())


def list_items(request: DeliveryRequest, body: JsonObject) -> list[Item]:
    """Give every item in the order of evaluation: execute before prefetch; mboxes, views, then the page load (§10)."""
    return list_lazily(request, lambda: body)


def list_lazily(request: DeliveryRequest, read_body: ReadBody) -> list[Item]:
    """Do what `list_items` does with a body that is only decoded when somebody asks for it."""
    items: list[Item] = []
    if request.execute is not None:
        _add_mboxes(items, "execute", request.execute, read_body)
        if request.execute.page_load is not None:
            items.append(Item("execute", "pageLoad", 0, "", request.execute.page_load, None, read_body))
    if request.prefetch is not None:
        _add_mboxes(items, "prefetch", request.prefetch, read_body)
        for at, view in enumerate(request.prefetch.views or ()):
            items.append(Item("prefetch", "views", at, view.name or "", view, None, read_body))
        if request.prefetch.page_load is not None:
            items.append(Item("prefetch", "pageLoad", 0, "", request.prefetch.page_load, None, read_body))
    return items


def _add_mboxes(items: list[Item], part: Part, asked: ExecuteRequest | PrefetchRequest, read_body: ReadBody) -> None:
    for at, mbox in enumerate(asked.mboxes or ()):
        index = None if mbox.index is None else int(mbox.index)
        items.append(Item(part, "mboxes", at, mbox.name, mbox, index, read_body))


def find_needs(artifact: Artifact, request: DeliveryRequest, items: Sequence[Item]) -> Needs:
    """Give the names that need Target, in the order of on-device §5."""
    all_views = request.prefetch is not None and request.prefetch.views is not None
    if not all_views and all(item.kind == "mboxes" and item.name in artifact.only_local for item in items):
        return NO_NEEDS  # as most requests are
    names: dict[str, dict[str, None]] = {"prefetch": {}, "execute": {}, "pageLoad": {}, "views": {}}
    for item in items:
        if item.kind == "mboxes":
            names[item.part][item.name] = None
        elif item.kind == "pageLoad":
            names["pageLoad"][artifact.global_mbox] = None
        elif item.name:
            names["views"][item.name] = None
    mboxes = names["prefetch"] | names["execute"] | names["pageLoad"]
    found = _remote_of(mboxes, artifact.remote_mboxes, artifact.local_mboxes)
    if names["views"]:
        return Needs(found, _remote_of(names["views"], artifact.remote_views, artifact.local_views))
    views = tuple(artifact.remote_views) if all_views else ()
    return Needs(found, views) if found or views else NO_NEEDS


def _remote_of(asked: Iterable[str], remote: Mapping[str, int], local: frozenset[str]) -> tuple[str, ...]:
    """Give those that are `remote`, by their place there, then those that the artifact does not know."""
    named = [name for name in asked if name in remote]
    if len(named) > 1:
        named.sort(key=remote.__getitem__)
    return (*named, *[name for name in asked if name not in local and name not in remote])


def split(request: DeliveryRequest, items: Sequence[Item], artifact: Artifact | None, policy: Policy) -> Plan:
    """Give the plan of a request: previews go to Target whole (delivery-api §11), the rest by the client's policy."""
    passing = bool(request.notifications) or (request.telemetry is not None and bool(request.telemetry.entries))
    preview = request.qa_mode is not None or request.preview is not None
    needs = find_needs(artifact, request, items) if artifact is not None else NO_NEEDS
    if preview or policy.method == "server-side" or (artifact is None and policy.method == "hybrid"):
        return Plan((), items, needs, ask_target=bool(items) or passing)
    if policy.method == "on-device" or artifact is None:
        return Plan(items, (), needs, ask_target=passing, undecided=bool(needs) or artifact is None)
    if policy.all_or_nothing:
        return Plan((), items, needs, ask_target=True) if needs else Plan(items, (), needs, ask_target=passing)
    if needs is NO_NEEDS:
        return Plan(items, (), needs, ask_target=passing)
    local: list[Item] = []
    remote: list[Item] = []
    for item in items:
        (remote if _is_remote(item, artifact, needs) else local).append(item)
    return Plan(local, remote, needs, ask_target=True) if remote else Plan(items, (), needs, ask_target=passing)


def _is_remote(item: Item, artifact: Artifact, needs: Needs) -> bool:
    if item.kind == "views":
        return item.name in needs.views if item.name else bool(artifact.remote_views)
    return (item.name if item.kind == "mboxes" else artifact.global_mbox) in needs.mboxes
