"""Commands packed in pieces are the bytes that hiredis packs whole (RESP2), for every claim and every profile."""

from collections.abc import Awaitable
from typing import Any

import hiredis
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Profiles as Settings
from gateway.offers.capping import Selection
from gateway.offers.counters import Claim, Counter
from gateway.offers.instances import Space
from gateway.store.cap_claims import CLAIM, MOST, make_form
from gateway.store.cap_keys import CapKeys
from gateway.store.digests import Digests
from gateway.store.homes import Homes, Way
from gateway.store.packing import pack, pack_script
from gateway.store.scripts import SCRIPTS, Script

CLAIMS = st.lists(
    st.builds(
        Claim,
        st.builds(Counter, st.text(st.characters(codec="utf-8"), max_size=8), st.sampled_from(["global", "profile"])),
        st.integers(0, 30),
        st.none() | st.integers(-5, 2**60),
    ),
    max_size=6,
).map(tuple)


HEX = st.text("0123456789abcdef", min_size=1, max_size=32)


@given(CLAIMS, CLAIMS, st.sampled_from([1, 4]), HEX, st.text(max_size=40))
def test_a_claim_is_packed_as_its_script_takes_it(
    claims: tuple[Claim, ...], probes: tuple[Claim, ...], shards: int, token: str, digest: str
) -> None:
    """gw:C2, gw:C3: see the header of claim_caps.lua."""
    (shard, *_) = CapKeys(b"secret", shards).all_shards(Space("acme", "prod"), "shop")
    keys = [shard.epoch, shard.claim("ä:0"), shard.counts, shard.profile(digest), shard.shares]
    args: list[str | int] = [token, 600, int(shards > 1), len(claims)]
    for counter, amount, cap in (*claims, *probes):
        args += [counter.scope[0], counter.offer, amount, "" if cap is None else min(cap, MOST)]
    form = make_form(shard, token, is_sharded=shards > 1, life_s=600)
    packed = form.fill("ä:0", digest, Selection(claims, probes))
    assert packed == hiredis.pack_command(("EVALSHA", CLAIM.sha, 5, *keys, *args))


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_parts_are_packed_as_hiredis_does(parts: list[bytes]) -> None:
    script = SCRIPTS["read_caps"]
    packed = pack_script(script, 1, len(parts)) + pack(*parts)
    assert packed == hiredis.pack_command(("EVALSHA", script.sha, 1, *parts))


async def test_a_view_of_a_profile_is_asked_for_by_its_own_keys(store, keys, monkeypatch) -> None:
    """gw:S6: nobody else's."""
    sent: list[bytes] = []
    run_packed = store.run_packed

    def watch(script: Script, command: bytes) -> Awaitable[Any]:
        sent.append(command)
        return run_packed(script, command)

    monkeypatch.setattr(store, "run_packed", watch)
    digest, script = "0" * 31 + "1", SCRIPTS["view_profile"]
    for wants_events in (False, True):
        assert await Homes(store, keys, Settings()).view(digest, wants_events=wants_events) is None
        own = Way(digest).keys("home", "alias", "events")
        assert sent.pop() == hiredis.pack_command(("EVALSHA", script.sha, 3, *own, int(wants_events)))


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_a_digest_begun_before_is_the_digest_of_the_whole(begin: list[str], texts: list[str]) -> None:
    """gw:S6."""
    digests = Digests(b"secret")
    for _ in range(2):
        assert digests.after(tuple(begin), *texts) == digests.of(*begin, *texts)
    assert digests.of(*begin, *texts) != Digests(b"another").of(*begin, *texts)
    assert digests.of("ab", "c") != digests.of("a", "bc")
