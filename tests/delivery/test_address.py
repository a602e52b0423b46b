"""URL attributes: on-device-decisioning 7.1."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.address import url_attributes

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "addresses.toml").read_text())["address"]
NAMES = ("url", "path", "query", "fragment", "domain", "subdomain", "topLevelDomain")


@pytest.mark.parametrize("case", CASES, ids=[case["url"] for case in CASES])
def test_a_url_is_split_into_its_attributes(case):
    plain = {name: case.get(name, "") for name in NAMES}
    assert url_attributes(case["url"]) == plain | {f"{name}_lc": value.lower() for name, value in plain.items()}


@pytest.mark.parametrize("url", [None, 5, ["https://example.com"]])
def test_what_is_no_text_is_an_empty_url(url):
    assert url_attributes(url) == url_attributes("")
    assert set(url_attributes("").values()) == {""}


@pytest.mark.parametrize(
    "host",
    [
        "a" * 4096,
        "a." * 2048 + "com",
        "." * 4096,
        "-" * 4096,
        "a-" * 100 + ".com",
        "é" * 4096,
        "é." * 120 + "com",
        "ß" * 200,
        "\ud800.com",
        "[" * 4096,
        "@" * 4096,
        ":" * 4096,
        "a:" * 2048,
        "xn--" * 60 + ".com",
        "xn--é.com",
        "℀.com",
        "\u2024com",
        "\u00ad.com",
        "%41.com",
        "a b.com",
        "\x00.com",
    ],
)
def test_a_hostile_host_is_answered_as_written(host):
    assert url_attributes(f"https://{host}/x")["topLevelDomain"] in {"", "com"}
    assert url_attributes(host)["url"] == host


@given(st.text(st.characters()) | st.text("ab.:/?#@[]é-", max_size=30))
def test_no_url_raises_and_its_parts_are_parts_of_it(url):
    attributes = url_attributes(url)
    assert all(attributes[name] in url for name in ("path", "query", "fragment"))
    assert attributes["query"] == "" or "?" in url
    assert len(attributes) == 14


@given(
    st.lists(st.sampled_from(["www", "www2", "shop", "a-b", "9"]), max_size=4),
    st.sampled_from(["example", "7", "x--y"]),
    st.sampled_from(["com", "co.uk", "github.io", "any.ck"]),
)
def test_domain_is_one_label_and_a_suffix_and_subdomain_the_rest(labels, name, suffix):
    attributes = url_attributes("https://" + ".".join([*labels, name, suffix]) + ":80/")
    assert attributes["topLevelDomain"] == suffix
    assert attributes["domain"] == f"{name}.{suffix}"
    assert attributes["subdomain"] == ".".join(labels[1:] if labels[:1] == ["www"] else labels)
