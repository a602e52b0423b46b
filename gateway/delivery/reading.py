"""A request read straight from its bytes, where nothing about it is in doubt: as most requests are.

The careful way (`validation.check_request`) decodes the body into plain objects, checks them, and says exactly what is
wrong. This one takes half the time, and when it is not sure it leaves the request to the other.
"""

import msgspec

from gateway.delivery.blanks import find_blank, find_blank_detail
from gateway.delivery.model import DeliveryRequest, ExecuteRequest, PrefetchRequest
from gateway.delivery.validation import CHANNELS, has_plain_names

LONGEST = 60_000
_decode = msgspec.json.Decoder(DeliveryRequest).decode
_encode_into = msgspec.json.Encoder().encode_into
_written = bytearray(LONGEST)


def read_request(raw: bytes) -> DeliveryRequest | None:
    """Give the request in `raw` if it is valid and has no member that is unknown, null or there twice; else None.

    A member that was not taken over leaves fewer quotes when the request is written again: nothing else removes
    quotes, and only quotes that are escaped by number, which are refused here, could add some. Nested members that
    may hold anything are left to the careful way, so nothing here is nested deeper than the model.
    """
    if len(raw) > LONGEST or b"\\u0022" in raw:
        return None
    try:
        request = _decode(raw)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, not valid: the other way knows the words
        return None
    if request.context.channel not in CHANNELS or not _is_plain(request):
        return None
    _encode_into(request, _written)
    return request if _written.count(b'"') == raw.count(b'"') else None


def _is_plain(request: DeliveryRequest) -> bool:
    if (
        request.notifications is not None
        or request.telemetry is not None
        or request.trace is not None
        or request.qa_mode is not None
        or request.preview is not None
    ):
        return False
    cloud = request.experience_cloud
    if (request.property is not None and find_blank(request.property)) or (cloud is not None and find_blank(cloud)):
        return False
    execute, prefetch = request.execute, request.prefetch
    return (execute is None or _has_plain_items(execute)) and (
        prefetch is None or (not prefetch.views and _has_plain_items(prefetch))
    )


def _has_plain_items(asked: ExecuteRequest | PrefetchRequest) -> bool:
    for mbox in asked.mboxes or ():
        if not has_plain_names(mbox) or not mbox.name.strip() or find_blank_detail(mbox):
            return False
    page = asked.page_load
    return page is None or (has_plain_names(page) and not find_blank_detail(page))
