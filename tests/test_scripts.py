"""Every Lua script says in its header what it takes, and takes keys of one slot only (gw:C3)."""

import re

import pytest

from gateway.offers.instances import Space
from gateway.store.cap_keys import CapKeys
from gateway.store.decision_events import STREAM
from gateway.store.homes import Way
from gateway.store.keys import Keys
from gateway.store.places import Place
from gateway.store.scripts import SCRIPTS

WAY = Way("0123456789abcdef0123456789abcdef")
PLACE = Place("digest", "018f7a52-6c1d-7b0e-8f7e-2b0d9f3f5a10")

# The keys each script is run with: a new script needs its line here.
SHARD = CapKeys(b"secret", 4).shard(Space("acme", "prod"), "shop", 3)
WRITTEN = ("home", "alias", "identities", "events", "seen")
KEYS_OF = {
    "append_events": lambda _: WAY.keys(*WRITTEN, "write:w"),
    "claim_alias": lambda _: WAY.keys("home", "alias"),
    "decide_delete": lambda _: [*PLACE.keys(), PLACE.operation("o")],
    "delete_entity": lambda _: [*PLACE.keys(), PLACE.verdict("w")],
    "drop_alias": lambda _: WAY.keys("alias"),
    "erase_profile": lambda _: WAY.keys(*WRITTEN, "erased"),
    "list_identities": lambda _: WAY.keys(*WRITTEN, "write:w"),
    "mark_deleting": lambda _: [*(PLACE.key(name) for name in ("records", "marks", "changes")), PLACE.operation("o")],
    "add_decisions": lambda _: [STREAM],
    "add_feedback": lambda _: [STREAM, b"decisions:{events}:seen:0"],
    "claim_caps": lambda _: [SHARD.epoch, SHARD.claim("c"), SHARD.counts, SHARD.profile("p"), SHARD.shares],
    "freeze_share": lambda _: [SHARD.epoch, SHARD.counts, SHARD.shares],
    "give_share": lambda _: [SHARD.epoch, SHARD.counts, SHARD.shares, SHARD.move("m", "given")],
    "open_share": lambda _: [SHARD.epoch, SHARD.counts, SHARD.shares],
    "read_caps": lambda _: [SHARD.epoch, SHARD.counts, SHARD.profile("p")],
    "take_share": lambda _: [SHARD.epoch, SHARD.shares, SHARD.move("m", "taken")],
    "open_session": lambda keys: [keys.session("acme", "s")],
    "read_profile": lambda _: WAY.keys("home", "alias", "identities", "events"),
    "read_instances": lambda _: [PLACE.key(name) for name in ("listing", "documents", "marks")],
    "read_referrers": lambda _: [PLACE.key(name) for name in ("records", "referrers")],
    "refresh_session": lambda keys: [keys.session("acme", "s")],
    "save_entity": lambda _: [*PLACE.keys(), PLACE.verdict("w")],
    "save_profile": lambda _: WAY.keys(*WRITTEN, "write:w"),
    "settle_identities": lambda _: WAY.keys("home", "identities", "events"),
    "view_profile": lambda _: WAY.keys("home", "alias", "events"),
    "save_session": lambda keys: [keys.session("acme", "s")],
}
_LISTED = re.compile(r"^--\s+(KEYS|ARGV)\[(\d+)(?:\.\.(\w+))?\]\s+\S", re.MULTILINE)
_LOOPED = re.compile(r"= (\d+), #(KEYS|ARGV)\b")
_USED = re.compile(r"\b(KEYS|ARGV)\b(?:\[(\d+)\])?")


def split_script(name: str) -> tuple[str, str]:
    """Give the header, and the body after include resolution without its comments."""
    lines = SCRIPTS[name].text.decode().splitlines()
    length = next(index for index, line in enumerate(lines) if not line.startswith("--"))
    return "\n".join(lines[:length]), "\n".join(line.partition("--")[0] for line in lines[length:])


def listed(header: str) -> set[tuple[str, str]]:
    """Collect what the header lists; `KEYS[2..n]` lists KEYS 2 and "n"."""
    found = _LISTED.findall(header)
    return {(kind, number) for kind, number, _ in found} | {(kind, "n") for kind, _, end in found if end}


def used(body: str) -> set[tuple[str, str]]:
    """Collect what the body uses: without a number (a loop, a count, an unpack) "n", and a loop's first number."""
    looped = {(kind, number) for number, kind in _LOOPED.findall(body)}
    return {(kind, number or "n") for kind, number in _USED.findall(body)} | looped


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_header_lists_exactly_what_the_body_uses(name):
    header, body = split_script(name)
    assert used(body), f"{name} uses no key: the check has lost its grip"
    assert listed(header) == used(body)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_header_has_purpose_input_and_output(name):
    header, _ = split_script(name)
    purpose = header.splitlines()[0]
    assert purpose.startswith("-- ")
    assert purpose.endswith(".")
    assert "\n-- Input\n" in header
    assert "\n-- Output\n" in header


@pytest.mark.parametrize("name", SCRIPTS)
def test_all_keys_of_a_script_are_in_one_slot(name):
    names = KEYS_OF[name](Keys(b"secret"))
    assert len({slot(key) for key in names}) == 1
    if ("KEYS", "n") not in listed(split_script(name)[0]):
        assert len(names) == sum(kind == "KEYS" for kind, _ in listed(split_script(name)[0]))


def test_no_script_is_forgotten_here():
    assert set(KEYS_OF) == set(SCRIPTS)


def slot(key: bytes) -> int:
    """Compute Redis Cluster's slot of a key: CRC-16/XMODEM of its hash tag, modulo 16384."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    crc = 0
    for byte in key[start + 1 : end] if 0 <= start < end - 1 else key:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc % 16384


def test_a_slot_is_that_of_the_hash_tag():
    """The check value of CRC-16/XMODEM, and the cases the Redis Cluster specification names."""
    assert slot(b"123456789") == 0x31C3
    assert slot(b"{user1000}.following") == slot(b"user1000") == slot(b"{user1000}.followers")
    assert slot(b"foo{{bar}}zap") == slot(b"{bar")
    assert slot(b"foo{}{bar}") != slot(b"bar")
