"""The envelope of get_offers (spec get-offers §4.3, §4.4, §12)."""

from typing import Any

from gateway.delivery.offers_response import Outcome, collect, make_envelope
from gateway.delivery.plan import Needs


def item(name: str, *tokens: dict[str, Any]) -> dict[str, Any]:
    options = [{"type": "html", "content": name, "responseTokens": token} for token in tokens]
    return {"name": name, "options": [*options, {}], "analytics": {"payload": name}, "trace": {"of": name}}


RESPONSE: dict[str, Any] = {
    "status": 200,
    "id": {"tntId": "tntId"},
    "prefetch": {"mboxes": [item("5", {"t": 5})], "views": [item("4", {"t": 4})], "pageLoad": item("3", {"t": 3})},
    "execute": {"mboxes": [item("2", {"t": 2}, {"t": 2.5}), {"name": "none"}], "pageLoad": item("1", {"t": 1}, {})},
}


def test_details_are_collected_in_the_order_of_the_specification() -> None:
    """§12: one entry per item, of the response tokens one per option that has any."""
    found = collect(RESPONSE)
    assert [entry["payload"] for entry in found["analytics_details"]] == ["1", "2", "3", "4", "5"]
    assert [entry["of"] for entry in found["trace"]] == ["1", "2", "3", "4", "5"]
    assert [entry["t"] for entry in found["response_tokens"]] == [1, 2, 2.5, 3, 4, 5]


def wrap(response: dict[str, Any], **more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {"request": {}, "session_id": "sessionId", "visitor_state": {}, "method": "server-side"}
    return make_envelope(Outcome(response=response, **(known | more)), 1_570_320_000_000)


def test_the_cookie_of_the_specification() -> None:
    """§4.3: the clock frozen at 1570320000000 ms."""
    assert wrap(RESPONSE)["target_cookie"] == {
        "name": "mbox",
        "value": "session#sessionId#1570321860|PC#tntId#1633564800",
        "max_age": 63_244_800,
    }


def test_without_a_device_the_cookie_has_only_the_session() -> None:
    """§4.3."""
    cookie = wrap({"status": 200})["target_cookie"]
    assert (cookie["value"], cookie["max_age"]) == ("session#sessionId#1570321860", 1860)


def test_the_location_hint_cookie_is_absent_where_no_cluster_is_known() -> None:
    """§4.4."""
    assert "target_location_hint_cookie" not in wrap(RESPONSE)
    hint = wrap(RESPONSE, cluster="35")["target_location_hint_cookie"]
    assert hint == {"name": "mboxEdgeCluster", "value": "35", "max_age": 1860}


def test_members_without_a_value_are_left_out() -> None:
    """§12."""
    members = {"visitor_state", "request", "response", "target_cookie", "meta"}
    assert set(wrap({"status": 200, "execute": {"mboxes": [{"name": "a"}]}})) == members
    assert set(wrap(RESPONSE)) == members | {"analytics_details", "trace", "response_tokens"}


def test_meta_tells_who_decided_and_what_needed_target() -> None:
    """§10.2, §10.3; what is missing is named as in x-gateway-degraded (gw:F5)."""
    assert wrap(RESPONSE, needs=Needs(("a",), ("v",)))["meta"] == {
        "decisioning_method": "server-side",
        "remote_mboxes": ["a"],
        "remote_views": ["v"],
    }
    assert wrap(RESPONSE, lost=["geo", "geo", "budget"])["meta"]["degraded"] == ["geo", "budget"]
