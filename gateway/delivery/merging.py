"""Which calls of a session may travel to Target as one, and how the answer is parted again (gw:M1, M2, M4, M5).

A `Share` is the call one caller would make alone. Shares may join when everything that could influence an answer is
equal: where they go, and all members of the body but those that name the caller or list items. Each item of the
joined call belongs to one share, and so does each item of the answer; what cannot be told apart does not join.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.delivery.answer import read_number
from gateway.delivery.chunking import PARTS, count_mboxes
from gateway.delivery.model import JsonObject
from gateway.delivery.stitching import DEFAULT_CONSUMER

PARTED = frozenset({"requestId", "execute", "prefetch", "notifications"})
"""What is taken apart by share; every other member of a body must be equal."""
ITEM_LISTS = frozenset({"mboxes", "views", "pageLoad"})
MOST_NOTIFICATIONS = 50  # Target recommends no more (delivery-api §16)
_canonical = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(JsonObject).decode


class Share:
    """One caller's call: its body, its scope (where it goes and by what method), its consumer and its SDID.

    An `sdid` of "" takes that of the group. `impression_id` is one that was made for a body that had none. Instead of
    the body its bytes may be given: most calls travel alone, and what they say is never looked at.
    """

    __slots__ = ("_body", "_digest", "consumer", "impression_id", "raw", "scope", "sdid")

    def __init__(
        self,
        *,
        scope: object,
        body: JsonObject | None = None,
        raw: bytes | None = None,
        consumer: str = DEFAULT_CONSUMER,
        sdid: str = "",
        impression_id: str = "",
    ) -> None:
        """Take a body, or the bytes of one."""
        self.scope = scope
        self.raw = raw
        self.consumer = consumer
        self.sdid = sdid
        self.impression_id = impression_id
        self._body = body
        self._digest = b""

    @property
    def body(self) -> JsonObject:
        """The decoded body."""
        if self._body is None:
            self._body = _decode(self.raw or b"{}")
        return self._body

    @property
    def digest(self) -> bytes:
        """What must be equal for two shares to join (gw:M1)."""
        if not self._digest:
            self._digest = digest_of(self.body, self.scope)
        return self._digest


def digest_of(body: JsonObject, scope: object) -> bytes:
    """Give a digest of the canonical form of all that decides an answer beside the items themselves.

    A member nobody has heard of counts too, also one within `execute` or `prefetch`: it can only keep calls apart.
    """
    members = {name: value for name, value in body.items() if name not in PARTED}
    rests = [_rest_of(body.get(part)) for part in PARTS]
    return hashlib.blake2b(_canonical([str(scope), _without_sdid(members), rests]), digest_size=32).digest()


def _rest_of(part: JsonObject | None) -> JsonObject:
    return {name: value for name, value in (part or {}).items() if name not in ITEM_LISTS}


def _without_sdid(members: JsonObject) -> JsonObject:
    """Give `members` without the SDID, and without what is empty for the lack of it."""
    cloud = members.get("experienceCloud") or {}
    analytics = cloud.get("analytics")
    if not analytics or "supplementalDataId" not in analytics:
        return members
    others = {name: value for name, value in analytics.items() if name != "supplementalDataId"}
    kept = {name: value for name, value in cloud.items() if name != "analytics"} | (
        {"analytics": others} if others else {}
    )
    rest = {name: value for name, value in members.items() if name != "experienceCloud"}
    return rest | ({"experienceCloud": kept} if kept else {})


def is_repetition(share: Share, other: Share) -> bool:
    """Whether two calls say the same in every member: a caller who repeats one that is under way (gw:M6)."""
    return share.scope == other.scope and _canonical(share.body) == _canonical(other.body)


class Group(Struct):
    """Shares that travel as one call, and what they have in common; it is never without a share."""

    shares: list[Share]
    sdid: str
    impression_id: str = ""
    mboxes: int = 0
    has_page: bool = False
    consumers: set[str] = field(default_factory=set)
    notifications: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Count what is in it."""
        self._count(self.shares)

    def has_room(self, share: Share, most: int) -> bool:
        """Whether `share` may join, with at most `most` mboxes in the joined call."""
        return (
            share.consumer not in self.consumers
            and share.sdid in ("", self.sdid)
            and self.mboxes + count_mboxes(share.body) <= most
            and not (self.has_page and _has_page(share.body))
            and self._has_room_for(_notification_ids(share.body))
            and self.shares[0].digest == share.digest
        )

    def _has_room_for(self, told: Sequence[str]) -> bool:
        return len(self.notifications) + len(told) <= MOST_NOTIFICATIONS and self.notifications.isdisjoint(told)

    def add(self, share: Share) -> None:
        """Take `share` in."""
        self.shares.append(share)
        self._count([share])

    def leave(self, share: Share) -> None:
        """Go on without `share`."""
        self.shares = [one for one in self.shares if one is not share]
        self.mboxes, self.has_page, self.consumers, self.notifications = 0, False, set(), set()
        self._count(self.shares)

    def _count(self, shares: Sequence[Share]) -> None:
        for share in shares:
            self.impression_id = self.impression_id or share.impression_id
            self.mboxes += count_mboxes(share.body)
            self.has_page = self.has_page or _has_page(share.body)
            self.consumers.add(share.consumer)
            self.notifications.update(_notification_ids(share.body))


def _has_page(body: JsonObject) -> bool:
    """Whether a page load or views are asked for.

    Click metrics that belong to no item come with both of them, and say of no caller whose they are: only one of a
    group may have either (gw:M4, M5).
    """
    for part in PARTS:
        asked = body.get(part)
        if asked and (asked.get("pageLoad") is not None or asked.get("views") is not None):
            return True
    return False


def _notification_ids(body: JsonObject) -> list[str]:
    return [one["id"] for one in body.get("notifications") or ()]


def join(shares: Sequence[Share]) -> JsonObject:
    """Give the body of one call for all `shares`, mboxes numbered from 0 in each part; it has no `requestId`."""
    joined = {name: value for name, value in shares[0].body.items() if name not in PARTED}
    for part in PARTS:
        holders = [holder for share in shares if (holder := share.body.get(part)) is not None]
        if holders:
            joined[part] = _join_part(holders, [mbox for _, mbox in _number(shares, part)])
    told = [one for share in shares for one in share.body.get("notifications") or ()]
    return joined | ({"notifications": told} if told else {})


def _join_part(holders: Sequence[JsonObject], mboxes: Sequence[JsonObject]) -> JsonObject:
    joined: JsonObject = {}
    for holder in holders:
        joined |= {name: value for name, value in holder.items() if name not in ITEM_LISTS}
        joined |= {name: holder[name] for name in ("views", "pageLoad") if holder.get(name) is not None}
    if mboxes:
        joined["mboxes"] = [mbox | {"index": number} for number, mbox in enumerate(mboxes)]
    return joined


def _number(shares: Sequence[Share], part: str) -> Iterator[tuple[int, JsonObject]]:
    """Give every mbox of a part with the number of its share, in the order in which they are numbered."""
    for owner, share in enumerate(shares):
        for mbox in (share.body.get(part) or {}).get("mboxes") or ():
            yield owner, mbox


def part(reply: JsonObject, shares: Sequence[Share]) -> list[JsonObject]:
    """Give each share the answer it would have had alone; what belongs to none of them is left out.

    What is not of its kind is handed to all who asked for it, for they must know: it cannot be parted.
    """
    common = {name: value for name, value in reply.items() if name not in PARTED}
    replies = [dict(common) for _ in shares]
    for name in PARTS:
        _part_items(reply.get(name), name, shares, replies)
    _part_notifications(reply.get("notifications"), shares, replies)
    return replies


def _part_items(answered: Any, name: str, shares: Sequence[Share], replies: Sequence[JsonObject]) -> None:
    askers = [at for at, share in enumerate(shares) if share.body.get(name) is not None]
    if answered is None:
        return
    if not isinstance(answered, dict):
        for at in askers:
            replies[at][name] = answered
        return
    mboxes = _part_mboxes(answered.get("mboxes"), list(_number(shares, name)), len(shares))
    for at in askers:
        asked = shares[at].body[name]
        own: JsonObject = {"mboxes": mboxes[at]} if asked.get("mboxes") is not None else {}
        if asked.get("views") is not None or asked.get("pageLoad") is not None:
            own |= _take_page(answered, asked)
        replies[at][name] = own


def _take_page(answered: JsonObject, asked: JsonObject) -> JsonObject:
    """Give what the one share with page load or views gets of a part, with the metrics that belong to no item."""
    names = ("views", "pageLoad")
    taken = {name: answered[name] for name in names if asked.get(name) is not None and answered.get(name) is not None}
    return taken | ({"metrics": answered["metrics"]} if "metrics" in answered else {})


def _part_mboxes(answered: Any, asked: Sequence[tuple[int, JsonObject]], count: int) -> list[Any]:
    if not isinstance(answered, list | None):
        return [answered] * count
    parted: list[list[JsonObject]] = [[] for _ in range(count)]
    for element in answered or ():
        number = read_number(element.get("index")) if isinstance(element, dict) else None
        if number is None or not 0 <= number < len(asked):
            continue
        owner, mbox = asked[number]
        if element.get("name", mbox["name"]) == mbox["name"]:
            parted[owner].append(element | {"index": mbox.get("index")})
    return parted


def _part_notifications(told: Any, shares: Sequence[Share], replies: Sequence[JsonObject]) -> None:
    for share, reply in zip(shares, replies, strict=True):
        own = set(_notification_ids(share.body))
        if own and isinstance(told, list):
            reply["notifications"] = [one for one in told if isinstance(one, dict) and one.get("id") in own]
        elif own and told is not None:
            reply["notifications"] = told
