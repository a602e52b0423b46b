"""Decoded body in, checked `DeliveryRequest` out, or the first failure in the order of spec delivery-api §17.

The whole request is checked in one pass of a compiled decoder. Only when that fails are the parts looked at one by
one, in the specification's order, so that the message names the exact member.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.delivery import model
from gateway.delivery.blanks import find_blank, has_blanks
from gateway.delivery.model import (
    DeliveryRequest,
    ExecuteRequest,
    JsonObject,
    MboxRequest,
    Notification,
    PrefetchRequest,
    RequestDetails,
)
from gateway.errors import InvalidBody

CHANNELS = ("web", "mobile")
RESERVED_PARAMETERS = frozenset({"orderId", "orderTotal", "productPurchasedId"})
MOST_MBOXES = 50
MOST_NOTIFICATIONS = 500  # Target recommends 50


class Leniency(Struct, frozen=True):
    """How invalid items and unknown channels are met: refused, or repaired as Adobe's SDKs do (§17 points 3, 5, 6)."""

    invalid_items: Literal["refuse", "drop"] = "refuse"
    unknown_channel: Literal["web", "refuse"] = "web"


def check_request(body: JsonObject, leniency: Leniency) -> DeliveryRequest:
    """Give the typed request of `body`, which is repaired in place where `leniency` says so.

    Raises InvalidBody with the path of the first member at fault (`$.execute.mboxes[3].name`).
    """
    _check_context(body, leniency)
    if leniency.invalid_items == "drop":
        _drop_invalid_items(body)
    try:
        request = msgspec.convert(body, DeliveryRequest)
    except msgspec.ValidationError as error:
        _explain(body)
        raise blame(error, "$") from error  # the parts are fine: the top level is not
    if has_blanks(request):
        _explain(body)
    for part, asked in (("execute", request.execute), ("prefetch", request.prefetch)):
        if asked is not None:
            _check_names(asked, part)
    return request


def _check_context(body: JsonObject, leniency: Leniency) -> None:
    context = body.get("context")
    if not isinstance(context, dict):
        what = "is required" if context is None else "must be an object"
        raise InvalidBody(f'Invalid request: context {what}, for example {{"channel": "web"}}', path="$.context")
    if context.get("channel") not in CHANNELS:
        if leniency.unknown_channel == "refuse":
            raise InvalidBody("Invalid request: channel must be web or mobile", path="$.context.channel")
        context["channel"] = "web"


def _check_names(asked: ExecuteRequest | PrefetchRequest, part: str) -> None:
    for at, mbox in enumerate(asked.mboxes or ()):
        if not has_plain_names(mbox):
            _check_item(mbox, f"$.{part}.mboxes[{at}]")
    if isinstance(asked, PrefetchRequest):
        for at, view in enumerate(asked.views or ()):
            _check_item(view, f"$.{part}.views[{at}]")
    if asked.page_load is not None:
        _check_item(asked.page_load, f"$.{part}.pageLoad")


def has_plain_names(item: RequestDetails) -> bool:
    """Whether no parameter of `item` can have a name that is blank or reserved, found in one go: nearly none has."""
    names, profile_names = item.parameters, item.profile_parameters
    if not names and not profile_names:
        return True
    joined = "|".join(("", *(names or ()), *(profile_names or ())))
    is_plain = joined.isprintable() and " " not in joined and "||" not in joined and "|profile." not in joined
    return is_plain and (not names or RESERVED_PARAMETERS.isdisjoint(names))


def _check_item(item: RequestDetails, path: str) -> None:
    for kind, names in (("parameters", item.parameters), ("profileParameters", item.profile_parameters)):
        if names and "" in map(str.strip, names):
            raise InvalidBody("Invalid request: the name of a parameter must not be blank", path=f"{path}.{kind}")
    for name in item.parameters or ():
        if name in RESERVED_PARAMETERS or name.startswith("profile."):
            where = "order" if name in RESERVED_PARAMETERS else "profileParameters"
            raise InvalidBody(
                f"Invalid request: this name is reserved, use {where}", path=f"{path}.parameters.{name[:128]}"
            )


def _drop_invalid_items(body: JsonObject) -> None:
    for part, kind, item_type in (
        ("execute", "mboxes", MboxRequest),
        ("prefetch", "mboxes", MboxRequest),
        ("", "notifications", Notification),
    ):
        holder = body.get(part) if part else body
        items = holder.get(kind) if isinstance(holder, dict) else None
        if isinstance(items, list) and isinstance(holder, dict):
            holder[kind] = [item for item in items if _is_valid(item, item_type)]


def _is_valid(item: Any, item_type: type) -> bool:
    try:
        checked: Any = msgspec.convert(item, item_type)
        if isinstance(checked, MboxRequest):
            _check_item(checked, "")
        if find_blank(checked):
            return False
    except (msgspec.ValidationError, InvalidBody):
        return False
    return True


def count_items(body: JsonObject) -> int:
    """Give how many mboxes and notifications a decoded body lists, valid or not."""
    parts = (body.get("execute"), body.get("prefetch"))
    lists = [part.get("mboxes") for part in parts if isinstance(part, dict)]
    return sum(len(items) for items in [*lists, body.get("notifications")] if isinstance(items, list))


def _explain(body: JsonObject) -> None:
    """Raise for the first part that is wrong, in the order of §17."""
    for name, look in _ORDER:
        if body.get(name) is not None:
            look(body[name], f"$.{name}")


def _look(kind: Any) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        try:
            checked = msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise blame(error, path) from error
        if blank := find_blank(checked):
            raise InvalidBody("Invalid request: this must not be blank", path=path + blank)

    return check


def _look_at_parts(fields: dict[str, Callable[[Any, str], None]]) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        _look(JsonObject)(value, path)
        for name, look in fields.items():
            if value.get(name) is not None:
                look(value[name], f"{path}.{name}")

    return check


def _look_at_each(item_type: Any, most: int | None = None) -> Callable[[Any, str], None]:
    def check(value: Any, path: str) -> None:
        _look(list[Any])(value, path)
        if most is not None and len(value) > most:
            raise InvalidBody(f"Invalid request: size must be between 0 and {most}", path=path)
        for index, item in enumerate(value):
            _look(item_type)(item, f"{path}[{index}]")

    return check


def blame(error: msgspec.ValidationError, path: str) -> InvalidBody:
    """Give the error for what the decoder found wrong below `path`."""
    what, _, where = str(error).partition(" - at `")
    inner = where.rstrip("`")
    if inner.startswith("key` in `"):
        inner = inner.removeprefix("key` in `")
        what += " as the name of a member"
    what = what[:1].lower() + what[1:].replace("`", "")
    return InvalidBody(f"Invalid request: {what}", path=path + inner.removeprefix("$"))


_MBOXES = _look_at_each(MboxRequest, MOST_MBOXES)
_ID = {"customerIds": _look_at_each(model.CustomerId)}
_ORDER: tuple[tuple[str, Callable[[Any, str], None]], ...] = (
    ("id", _look_at_parts(_ID)),
    ("id", _look(model.VisitorId)),
    ("execute", _look_at_parts({"mboxes": _MBOXES, "pageLoad": _look(RequestDetails)})),
    ("execute", _look(model.ExecuteRequest)),
    (
        "prefetch",
        _look_at_parts(
            {"mboxes": _MBOXES, "pageLoad": _look(RequestDetails), "views": _look_at_each(model.ViewRequest, 200)}
        ),
    ),
    ("prefetch", _look(model.PrefetchRequest)),
    ("notifications", _look_at_each(Notification, MOST_NOTIFICATIONS)),
    ("context", _look(model.Context)),
    ("property", _look(model.Property)),
    ("trace", _look(model.Trace)),
    ("experienceCloud", _look(model.ExperienceCloud)),
    ("telemetry", _look(model.Telemetry)),
)
