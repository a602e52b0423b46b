"""Browser and platform: on-device-decisioning 7.2 and the rows of 16."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.browser import Browser, read_browser

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "user_agents.toml").read_text())["browser"]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['name']} {n}" for n, case in enumerate(CASES)])
def test_the_first_rule_that_matches_names_the_browser(case):
    browser = read_browser(case["user-agent"], case.get("platform-hint"), case.get("brands-hint"))
    assert browser == Browser(case["name"], case["version"], case["platform"])


@pytest.mark.parametrize(
    ("platform", "known_as"),
    [
        ("Windows", "windows"),
        ("Macintosh", "mac"),
        ("Mac OS", "mac"),
        ("macOS", "mac"),
        ("Linux", "linux"),
        ("Android", "Android"),
        ("iOS", "iOS"),
        ("WINDOWS", "WINDOWS"),
        ("", ""),
    ],
)
def test_a_platform_hint_wins_and_is_mapped(platform, known_as):
    assert read_browser("Mozilla/5.0 (X11; Linux x86_64) Chrome/1", platform) == Browser("chrome", 1, known_as)


@pytest.mark.parametrize(
    "piece",
    [
        "edg/",
        "version/",
        "version/1 ",
        "version/a",
        "mobile/",
        "mobile/a ",
        "safari",
        "chrome/v",
        "firefox/",
        "firefox/a",
        "msie ",
        "(ie ",
        "trident",
        "trident rv:1 ",
        "rv:1 like gecko",
        "Android 1",
        " Linux",
        '";v="',
        "a",
        "9",
        "\n",
    ],
)
def test_a_hostile_user_agent_is_read_in_part(piece):
    """Only the first 2,048 characters count, so that neither time nor the cache grows with the text."""
    text = piece * (10_000 // len(piece))
    assert read_browser(text, text, text) == read_browser(text[:2048], text[:2048], text[:2048])
    assert read_browser(text).version <= 10**15


@given(st.text(), st.none() | st.text(), st.none() | st.text())
def test_no_text_raises(user_agent, platform, brands):
    browser = read_browser(user_agent, platform, brands)
    assert browser.name in {"edge", "mobile safari", "safari", "chrome", "firefox", "ie", "unknown"}
    assert browser.version >= -1
