"""The options of a client (spec get-offers §1)."""

from typing import Any

import pytest

from gateway.client.options import make_settings, read_client_options
from gateway.errors import ConfigError

LEAST: dict[str, Any] = {"client": "demo", "organization_id": "O@AdobeOrg"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (None, "Options are required"),
        ({}, "Options are required"),
        ({"client": None}, "Options are required"),
        ("demo", "Options are required"),
        ({"organization_id": "O"}, "Client is required"),
        ({"client": "", "organization_id": ""}, "Client is required"),
        ({"client": 5, "organization_id": "O"}, "Client is required"),
        ({"client": "demo"}, "Organization Id is required"),
        ({"client": "demo", "organization_id": "", "decisioning_method": "x"}, "Organization Id is required"),
        (LEAST | {"decisioning_method": "remote"}, "on-device, server-side, hybrid"),
        (LEAST | {"timeout": "soon"}, "timeout"),
        (LEAST | {"timeout": 0}, "timeout"),
        (LEAST | {"polling_interval": 1.5}, "polling_interval"),
        (LEAST | {"artifact_payload": []}, "artifact_payload"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_the_order_of_the_specification(options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_client_options(options)


def test_the_defaults_are_those_of_the_specification() -> None:
    options = read_client_options(LEAST | {"cdn_environment": "x", "maximum_wait_ready": 1, "unknown": object()})
    settings = make_settings(options)
    client = settings.client["demo"]
    assert (options.timeout, options.secure, options.decisioning_method) == (3000, True, None)
    assert (client.method, client.poll_s, client.telemetry, client.environment) == (
        "server-side",
        300,
        True,
        "production",
    )
    assert settings.upstream.target.url == "https://{client}.tt.omtrdc.net"
    assert settings.upstream.target.edge_url == "https://mboxedge{cluster}.tt.omtrdc.net"
    assert settings.web.keep_clients is False


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"server_domain": "t.example:81"}, "https://t.example:81"),
        ({"server_domain": "t.example", "secure": False}, "http://t.example"),
        ({"secure": 0}, "https://{client}.tt.omtrdc.net"),
    ],
    ids=str,
)
def test_only_the_literal_false_is_not_secure(changes: Any, url: str) -> None:
    assert make_settings(read_client_options(LEAST | changes)).upstream.target.url == url


@pytest.mark.parametrize(("given", "seconds"), [(0, 0), (-5, 0), (1, 1), (300_000, 300), (300_001, 301)])
def test_the_polling_interval_is_taken_in_ms(given: int, seconds: int) -> None:
    assert make_settings(read_client_options(LEAST | {"polling_interval": given})).client["demo"].poll_s == seconds


def test_any_key_of_the_gateway_can_be_laid_over() -> None:
    changes = {"settings": {"client": {"demo": {"split": "all-or-nothing"}}, "artifact": {"max-mb": 5}}}
    settings = make_settings(read_client_options(LEAST | changes))
    assert settings.client["demo"].split == "all-or-nothing"
    assert settings.artifact.max_mb == 5
    assert settings.artifact.cache_dir == ""
    with pytest.raises(ConfigError, match="no-such-key"):
        make_settings(read_client_options(LEAST | {"settings": {"web": {"no-such-key": 1}}}))


@pytest.mark.parametrize("domain", ["a b", "user@host", "http://x", "x/y", "x?y", ":x"])
def test_a_server_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(ConfigError):
        make_settings(read_client_options(LEAST | {"server_domain": domain}))


def test_an_empty_server_domain_is_none() -> None:
    """§6: the second rule needs a domain that is not empty."""
    assert "{client}" in make_settings(read_client_options(LEAST | {"server_domain": ""})).upstream.target.url
