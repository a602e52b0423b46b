"""A selection as the claim script takes it, and the script's replies as verdicts (`lua/claim_caps.lua`)."""

from collections.abc import Sequence

from msgspec import Struct

from gateway.errors import StoreError
from gateway.offers.capping import Claim, Counter, Granted, Refused, Selection

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


def write_claims(selection: Selection) -> list[str | int]:
    """Give the arguments of the script for all claims, then all probes; a probe's amount says nothing."""
    args: list[str | int] = []
    for (offer, scope), amount, cap in (*selection.claims, *selection.probes):
        args += (scope[0], offer, amount, "" if cap is None else min(cap, MOST))
    return args


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
