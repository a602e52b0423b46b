"""The visitor of one page, who stitches its calls together (get-offers §7, §8)."""

import threading
from typing import Any

from gateway.delivery.experience_cloud import name_organization
from gateway.delivery.model import JsonObject
from gateway.delivery.stitching import DEFAULT_CONSUMER, make_sdid, take_sdid
from gateway.delivery.visitor_state import VisitorState, read_visitor_state, write_visitor_state
from gateway.ids import new_id


class Visitor:
    """Give the same visitor to every call of a page, each call with a `consumer_id` of its own: they share an SDID.

    Lives for one page request; may be used by several threads and tasks at once.
    """

    def __init__(self, organization_id: str, visitor_cookie: str = "", state: JsonObject | None = None) -> None:
        """Begin with the value of the `AMCV_…` cookie and, where the page goes on elsewhere, the `visitor_state`."""
        self.organization_id = organization_id
        self.visitor_cookie = visitor_cookie
        self._state = read_visitor_state(state or {}, organization_id, "$.visitor_state")
        self._lock = threading.Lock()

    def get_supplemental_data_id(self, consumer: str = "") -> str:
        """Give the SDID that `consumer` (an mbox name, say) is to use."""
        with self._lock:
            state = self._state
            sdid, after = take_sdid(state.sdid, consumer or DEFAULT_CONSUMER, make_sdid(new_id))
            self._state = VisitorState(state.customer_ids, after)
            return sdid

    def set_customer_ids(self, customer_ids: Any) -> None:
        """Keep the customer ids, for the page's further calls and for its state."""
        with self._lock:
            self._state = VisitorState(customer_ids, self._state.sdid)

    @property
    def customer_ids(self) -> Any:
        """The customer ids as they were given, or None."""
        return self._state.customer_ids

    def get_state(self) -> JsonObject:
        """Give the object to embed in the page as `serverState`."""
        return write_visitor_state(self.organization_id, self._state)

    @property
    def cookie_name(self) -> str:
        """The name of the cookie that `visitor_cookie` is the value of."""
        return f"AMCV_{name_organization(self.organization_id)}"
