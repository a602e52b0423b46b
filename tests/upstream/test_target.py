"""Where Target is and what its answers mean: no text from a request ever becomes part of a host (gw:S9, design T1)."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from gateway.config import Target
from gateway.delivery.cookies import cluster_of, cluster_of_edge_host
from gateway.delivery.session import read_visitor
from gateway.errors import UpstreamError, UpstreamGarbled, UpstreamRefused
from gateway.upstream.target import find_origin, make_address, make_headers, read_reply

_FILE = Path(__file__).parent.parent / "cases" / "host_injection" / "hosts.toml"
HOSTS = tomllib.loads(_FILE.read_text(encoding="utf-8"))
TARGET = Target()
EDGE = re.compile(r"mboxedge[0-9]{1,3}\.tt\.omtrdc\.net", re.ASCII)
IDS = {"imsOrgId": "ORG@AdobeOrg", "sessionId": "s1"}
HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="@#/\\?:.%_-[]{}0123456789a\u0663\uff13\r\n\t \0", max_size=20),
    st.sampled_from(HOSTS["clusters"] + HOSTS["devices"]),
)


def make_url(target: Target, client: str, cluster: str, query: dict[str, str]) -> URL:
    return URL(str(make_address(target, client, cluster, query)), encoded=True)


def assert_configured(host: str | None, cluster: str) -> None:
    """See to it that the host is the configured one, or that of an edge of one to three digits."""
    if re.fullmatch(r"[0-9]{1,3}", cluster, re.ASCII):
        assert host == f"mboxedge{cluster}.tt.omtrdc.net"
    else:
        assert host == "acme.tt.omtrdc.net"


@settings(deadline=None)
@given(cluster=HOSTILE)
def test_the_host_is_the_configured_one_or_an_edge_of_digits(cluster: str) -> None:
    url = make_url(TARGET, "acme", cluster, IDS)
    assert_configured(url.raw_host, cluster)
    assert (url.scheme, url.port, url.user, url.path) == ("https", 443, None, "/rest/v1/delivery")


@settings(deadline=None)
@given(device=HOSTILE, cluster=HOSTILE)
def test_no_device_id_leads_to_another_host(device: str, cluster: str) -> None:
    for tnt_id in (device, f"a.{cluster}_0", f"{device}.{cluster}_0", f"a.{cluster}-0"):
        in_body = read_visitor({"tntId": tnt_id}, "s1", "")
        in_cookie = read_visitor({}, "s1", tnt_id)
        for visitor in (in_body, in_cookie):
            host = make_url(TARGET, "acme", visitor.cluster, IDS).raw_host
            assert host == "acme.tt.omtrdc.net" or (host and EDGE.fullmatch(host))


@settings(deadline=None)
@given(host=HOSTILE | HOSTILE.map(lambda text: f"mboxedge{text}.tt.omtrdc.net"))
def test_no_edge_host_of_an_answer_leads_to_another_host(host: str) -> None:
    """What Target says is a location hint of digits, or nothing."""
    assert re.fullmatch(r"([0-9]{1,3})?", cluster_of_edge_host(host), re.ASCII)


@settings(deadline=None)
@given(values=st.dictionaries(st.sampled_from(["imsOrgId", "sessionId", "version"]), HOSTILE, min_size=1))
def test_a_query_value_stays_one_value(values: dict[str, str]) -> None:
    """delivery-api §2 point 2: as encodeURIComponent does."""
    url = make_url(TARGET, "acme", "", {name: text.encode("utf-8", "ignore").decode() for name, text in values.items()})
    assert set(url.query) == set(values)
    assert url.fragment == ""
    assert re.fullmatch(r"[A-Za-z0-9_.!~*'()%&=-]+", url.raw_query_string)


@pytest.mark.parametrize("cluster", HOSTS["clusters"])
def test_a_known_trick_finds_no_other_origin(cluster: str) -> None:
    text = cluster.replace("{port}", "9")
    found = find_origin("http://127.0.0.1:1/", "http://edge{cluster}.example:1", "acme", text)
    is_edge = EDGE.fullmatch(f"mboxedge{text}.tt.omtrdc.net")
    assert str(found) == (f"http://edge{text}.example:1" if is_edge else "http://127.0.0.1:1")
    assert cluster_of(f"a.{text}_0") in ("", text)


def test_without_an_edge_url_everything_goes_to_the_configured_host() -> None:
    """get-offers §6: for tests and self-hosted upstreams the host is pinned."""
    assert str(find_origin("http://127.0.0.1:1/", "", "acme", "35")) == "http://127.0.0.1:1"


def test_the_product_is_not_an_adobe_sdk() -> None:
    """delivery-api §3.1."""
    headers = make_headers("r1", "0.1.0")
    assert headers["X-Request-Id"] == "r1"
    assert "Adobe" not in headers["X-EXC-SDK"]


@settings(deadline=None)
@given(
    status=st.integers(200, 599),
    raw=st.binary(max_size=60) | st.sampled_from([b"[" * 100_000, b'{"a":1e999}', b"null"]),
)
def test_any_answer_is_an_object_or_an_upstream_error(status: int, raw: bytes) -> None:
    try:
        outcome: object = read_reply(status, raw)
    except UpstreamError as error:
        outcome = error
    assert isinstance(outcome, dict | UpstreamError)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(reply=VALUES)
def test_only_an_object_is_an_answer(reply: Any) -> None:
    raw = msgspec.json.encode(reply)
    if isinstance(reply, dict):
        assert read_reply(200, raw) == reply
        return
    with pytest.raises(UpstreamGarbled):
        read_reply(200, raw)


@pytest.mark.parametrize("status", [300, 302, 304, 400, 403, 413, 420, 429, 500, 503])
@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"message":7}', b'{"message":"why"}'])
def test_a_refusal_keeps_targets_own_words_if_it_has_any(status: int, raw: bytes) -> None:
    """delivery-api §9.1."""
    with pytest.raises(UpstreamRefused) as caught:
        read_reply(status, raw)
    assert caught.value.upstream_status == status
    assert caught.value.upstream_message == ("why" if b"why" in raw else "")


def test_204_is_an_empty_answer() -> None:
    """delivery-api §8: beacons."""
    assert read_reply(204, b"") == {}
