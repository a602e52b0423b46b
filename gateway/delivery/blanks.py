"""Texts that must hold more than blanks (spec delivery-api §16).

Checked here and not by patterns in the model: one pattern costs a request as much as ten members.
"""

from collections.abc import Callable, Iterator
from typing import Any

from gateway.delivery.model import (
    DeliveryRequest,
    ExperienceCloud,
    MboxRequest,
    Notification,
    Property,
    RequestDetails,
    ViewRequest,
)


def find_blank(part: Any) -> str:
    """Give the path, from `part` on, of the first text of blanks only; "" where there is none."""
    look = _LOOKS.get(part.__class__)
    return look(part) if look is not None else ""


def has_blanks(request: DeliveryRequest) -> bool:
    """Whether any part of `request` has a text of blanks only."""
    return any(map(find_blank, _list_parts(request)))


def find_blank_detail(item: RequestDetails) -> str:
    """Give the path of the first blank text that an item of any kind has, or ""."""
    product, order = item.product, item.order
    if product is not None:
        if product.id is not None and not product.id.strip():
            return ".product.id"
        if product.category_id is not None and not product.category_id.strip():
            return ".product.categoryId"
    if order is not None and order.purchased_product_ids:
        for at, product_id in enumerate(order.purchased_product_ids):
            if product_id is not None and not product_id.strip():
                return f".order.purchasedProductIds[{at}]"
    return ""


def _list_parts(request: DeliveryRequest) -> Iterator[Any]:
    for asked in (request.execute, request.prefetch):
        if asked is not None:
            yield asked.page_load
            yield from asked.mboxes or ()
    if request.prefetch is not None:
        yield from request.prefetch.views or ()
    yield from request.notifications or ()
    yield from (request.property, request.experience_cloud)


def _look_at_mbox(mbox: MboxRequest) -> str:
    return find_blank_detail(mbox) if mbox.name.strip() else ".name"


def _look_at_notification(notification: Notification) -> str:
    if notification.mbox is not None and not notification.mbox.name.strip():
        return ".mbox.name"
    return find_blank_detail(notification)


def _look_at_experience_cloud(cloud: ExperienceCloud) -> str:
    audience = cloud.audience_manager
    is_blank = audience is not None and audience.blob is not None and not audience.blob.strip()
    return ".audienceManager.blob" if is_blank else ""


_LOOKS: dict[type, Callable[[Any], str]] = {
    RequestDetails: find_blank_detail,
    ViewRequest: find_blank_detail,
    MboxRequest: _look_at_mbox,
    Notification: _look_at_notification,
    Property: lambda named: "" if named.token.strip() else ".token",
    ExperienceCloud: _look_at_experience_cloud,
}
