"""Telemetry entries (spec get-offers §11, delivery-api §14)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.telemetry import (
    TelemetryStore,
    Timing,
    attach_entries,
    count_features,
    make_decision_entry,
    make_download_entry,
)

FEATURES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "empty lists": ({"execute": {"mboxes": []}, "prefetch": {"mboxes": [], "views": []}}, {}),
    "mboxes": (
        {"execute": {"mboxes": [{}, {}]}, "prefetch": {"mboxes": [{}]}},
        {"executeMboxCount": 2, "prefetchMboxCount": 1},
    ),
    "views": ({"prefetch": {"views": [{}, {}, {}]}}, {"prefetchViewCount": 3}),
    "page loads": (
        {"execute": {"pageLoad": {"options": []}}, "prefetch": {"pageLoad": {"options": []}}},
        {"executePageLoad": True, "prefetchPageLoad": True},
    ),
}


@pytest.mark.parametrize(("response", "expected"), FEATURES.values(), ids=FEATURES)
def test_features_count_only_what_there_is(response: dict[str, Any], expected: dict[str, Any]) -> None:
    assert count_features(response) == expected


def test_an_entry_of_a_local_decision() -> None:
    response = {"status": 200, "execute": {"mboxes": [{"name": "a"}]}}
    assert make_decision_entry("r1", response, "on-device", Timing(1_585_180_800_000, 1.2345)) == {
        "requestId": "r1",
        "timestamp": 1_585_180_800_000,
        "execution": 1.23,
        "mode": "local",
        "features": {"executeMboxCount": 1, "decisioningMethod": "on-device"},
    }


def test_an_entry_of_an_answer_from_an_edge_has_its_token() -> None:
    response = {"edgeHost": "mboxedge35.tt.omtrdc.net", "telemetryServerToken": "opaque"}
    entry = make_decision_entry("r1", response, "server-side", Timing(1, 2.0, 0.256))
    assert (entry["mode"], entry["telemetryServerToken"], entry["parsing"]) == ("edge", "opaque", 0.26)


def test_an_entry_of_a_download_has_no_mode() -> None:
    assert make_download_entry(Timing(1, 20.0, 4.0)) == {
        "requestId": "ArtifactDownload",
        "timestamp": 1,
        "execution": 20.0,
        "parsing": 4.0,
    }
    assert "parsing" not in make_download_entry(Timing(1, 20.0)), "304: there was nothing to parse"


@given(st.lists(st.integers(0, 9)), st.integers(1, 5), st.integers(1, 5))
def test_the_store_keeps_the_newest_and_gives_each_once_oldest_first(added: list[int], most: int, at_once: int) -> None:
    store = TelemetryStore(most)
    for number in added:
        store.add({"requestId": str(number)})
    taken = []
    while entries := store.take(at_once):
        assert len(entries) <= at_once
        taken += [int(entry["requestId"]) for entry in entries]
    assert taken == added[-most:]
    assert len(store) == 0


def test_entries_of_the_caller_come_first_and_are_kept() -> None:
    """delivery-api §14 GATEWAY."""
    body = {"context": {}, "telemetry": {"entries": [{"requestId": "theirs"}], "other": 1}}
    sent = attach_entries(body, [{"requestId": "ours"}])
    assert sent["telemetry"] == {"entries": [{"requestId": "theirs"}, {"requestId": "ours"}], "other": 1}
    assert body["telemetry"]["entries"] == [{"requestId": "theirs"}], "the caller's own body is not changed"
    assert attach_entries(body, []) is body
