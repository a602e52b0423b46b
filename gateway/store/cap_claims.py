"""A selection as the claim script takes it, and the script's replies as verdicts (`lua/claim_caps.lua`)."""

from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from gateway.errors import StoreError
from gateway.offers.capping import Granted, Refused, Selection
from gateway.offers.counters import Claim, Counter
from gateway.store.cap_keys import Shard
from gateway.store.packing import pack, pack_script
from gateway.store.scripts import SCRIPTS

CLAIM = SCRIPTS["claim_caps"]
_KEYS, _ARGS, _EACH = 5, 4, 4

MOST = 2**53 - 1
"""Caps and counts beyond are cut to this: Lua counts exactly up to it."""

BAD_EPOCH = "BADEPOCH"
"""The error of scripts that meet a shard without the epoch that is known."""

FROZEN, LOWER, DRY = 1, 2, 3
"""Why a shard cannot say: it is being opened, its level is above the claim's cap, or its share is used up."""


class Move(Struct, frozen=True):
    """A claim that has to wait for shares of its global cap to be moved, and why."""

    claim: Claim
    reason: int


class Moves(Struct, frozen=True):
    """Nothing was counted: shares have to be moved first."""

    moves: tuple[Move, ...]


class Lost(Struct, frozen=True):
    """Nothing was counted: this shard is not of the epoch that is known (gw:C6)."""


_GRANTED = Granted()
Outcome = Granted | Refused | Moves | Lost


class Form(Struct, frozen=True):
    """What is the same in all claims of a shard and an epoch, packed; `token` is that of the epoch."""

    token: str
    epoch_key: bytes
    epoch: bytes
    claim: bytes
    """begin of the key of a claim's verdict"""
    counts: bytes
    profile: bytes
    """begin of the key of a profile's counts"""
    rest: bytes

    def fill(self, claim_id: str, profile: str, selection: Selection) -> bytes:
        """Give the command that claims `selection` for the profile with this digest: all claims, then all probes."""
        claims = selection.claims + selection.probes
        head, number = _pack_counts(len(claims), len(selection.claims))
        verdict, counts = _pack_key(self.claim, claim_id), _pack_key(self.profile, profile)
        parts = (head, self.epoch, verdict, self.counts, counts, self.rest, number)
        return b"".join((*parts, *map(_pack_claim, claims)))


def make_form(shard: Shard, token: str, *, is_sharded: bool, life_s: int) -> Form:
    """Give the form of a shard's claims; a verdict is kept for `life_s` seconds."""
    rest = pack(shard.shares, token.encode(), b"%d" % life_s, b"%d" % is_sharded)
    begins = shard.claim(""), pack(shard.counts), shard.profile("")
    return Form(token, shard.epoch, pack(shard.epoch), *begins, rest)


def _pack_key(begin: bytes, end: str) -> bytes:
    last = end.encode()
    return b"$%d\r\n%b%b\r\n" % (len(begin) + len(last), begin, last)


@lru_cache(maxsize=64)
def _pack_counts(listed: int, claimed: int) -> tuple[bytes, bytes]:
    """Give how a command of so many claims and probes begins, and the argument that says how many are claims."""
    return pack_script(CLAIM, _KEYS, _KEYS + _ARGS + _EACH * listed), pack(b"%d" % claimed)


@lru_cache(maxsize=4096)
def _pack_claim(claim: Claim) -> bytes:
    """Give the arguments of one claim or probe; a probe's amount says nothing."""
    (offer, scope), amount, cap = claim
    written = b"" if cap is None else b"%d" % min(cap, MOST)
    return pack(scope[0].encode(), offer.encode(), b"%d" % amount, written)


def read_outcome(reply: bytes, selection: Selection) -> Outcome:
    """Read a reply of the script; raises StoreError for one that cannot be."""
    if reply == b"1" and not selection.probes:
        return _GRANTED
    try:
        kind, *numbers = map(int, reply.split())
        if kind == -1:
            return Lost()
        if kind == 2:
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            return Moves(tuple(Move(selection.claims[index], reason) for index, reason in pairs))
        return _read_verdict(kind, numbers, selection)
    except (ValueError, IndexError, AttributeError) as error:
        raise StoreError("A verdict on caps in Redis cannot be read") from error


def _read_verdict(kind: int, numbers: Sequence[int], selection: Selection) -> Granted | Refused:
    probed = [probe.counter for probe in selection.probes if probe.cap is not None]
    room: dict[Counter, int] = dict(zip(probed, numbers, strict=False))
    rest = numbers[len(probed) :]
    if len(room) != len(set(probed)) or kind not in (0, 1):
        raise ValueError(kind)
    if kind == 1:
        return Granted(room)
    for index, left in zip(rest[::2], rest[1::2], strict=True):
        room[selection.claims[index].counter] = left
    return Refused(room)
