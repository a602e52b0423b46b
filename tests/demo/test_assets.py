"""The artifact's two forms, its ETag, and the geo look-up (spec/on-device-decisioning.md §1 to §3, §6.3)."""

import pytest

from gateway.demo.assets import locate, read_artifact, scramble
from gateway.demo.target import ORGANIZATION

PATH = "/artifact/demo/production/v1/rules"


async def test_the_artifact_is_served_once_and_then_only_when_it_changes(caller, stand_in):
    """§2: 304 with the remembered ETag."""
    status, body, etag = await caller.get(f"{PATH}.json")
    assert (status, body) == (200, read_artifact())
    assert await caller.get(f"{PATH}.json", {"If-None-Match": etag}) == (304, b"", etag)
    stand_in.artifact = b'{"version":"1.0.1"}'
    status, body, changed = await caller.get(f"{PATH}.json", {"If-None-Match": etag})
    assert (status, body) == (200, b'{"version":"1.0.1"}')
    assert changed != etag
    assert stand_in.artifact_downloads == 3


async def test_the_scrambled_form_is_the_plain_one_xor_the_organization_and_the_key(caller):
    """§3."""
    status, body, _ = await caller.get(f"{PATH}.bin")
    assert (status, body[:8]) == (200, b"ATOD:001")
    mask = ORGANIZATION.encode() + body[8:40]
    plain = bytes(byte ^ mask[position % len(mask)] for position, byte in enumerate(body[40:]))
    assert plain == read_artifact()


def test_scrambling_gives_the_specification_s_bytes():
    """§3, test vector."""
    expected = (
        "41544f443a3030316162636465666768696a6b6c6d6e6f707172737475767778797a3031323334354a1045514745"
        "5e5757127a635541524b7f501a"
    )
    key = b"abcdefghijklmnopqrstuvwxyz012345"
    assert scramble(b'{"version":"1.0.0"}', "1234567890@AdobeOrg", key).hex() == expected


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/artifact/demo/staging/v1/rules.json", 200),
        ("/artifact/demo/production/v1/7f3c1e52/rules.json", 200),
        ("/artifact/unknown/production/v1/rules.json", 403),
        ("/artifact/demo/production/v2/rules.json", 404),
        ("/artifact/demo/production/v1/rules.txt", 404),
    ],
)
async def test_an_artifact_is_found_by_client_environment_and_property(caller, path, status):
    """§1."""
    assert (await caller.get(path))[0] == status


@pytest.mark.parametrize(
    ("address", "country", "city"),
    [
        ("203.0.113.7", "CH", "ZURICH"),
        (" 198.51.100.200 ", "US", "SAN FRANCISCO"),
        ("192.0.2.1", None, None),
        ("2001:db8::1", None, None),
        ("nowhere", None, None),
        ("", None, None),
    ],
)
async def test_documentation_addresses_have_a_place_and_others_an_empty_answer(address, country, city):
    """§6.3."""
    place = locate(address)
    assert (place.get("x-geo-country-code"), place.get("x-geo-city")) == (country, city)
    assert bool(place) == (country is not None)
