"""Static tokens, and which signed ones are remembered (spec repository H1, H11)."""

import hashlib

import pytest

from gateway.access.accounts import LONGEST_TOKEN, Account, Accounts
from gateway.config import StaticToken
from gateway.errors import Problem

EDITOR = StaticToken(
    sha256=hashlib.sha256(b"demo-editor").hexdigest(), account="ed", organizations=["O"], profiles=["p"]
)


class Signed:
    """Signed tokens that are good until a second, and how often one was looked at."""

    def __init__(self, expires_s: float = 100.0) -> None:
        self.expires_s = expires_s
        self.verified = 0

    async def verify(self, token: str) -> Account | None:
        self.verified += 1
        return Account(token, ("O",), (), self.expires_s) if token.startswith("good") else None


async def test_a_static_token_is_known_by_its_hash() -> None:
    accounts = Accounts({"e": EDITOR}, None, lambda: 0.0)
    assert await accounts.find("Bearer demo-editor") == Account("ed", ("O",), ("p",))
    assert await accounts.find("bearer  demo-editor ") == Account("ed", ("O",), ("p",))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic demo-editor",
        "demo-editor",
        "Bearer demo-editor2",
        "Bearer DEMO-EDITOR",
        "Bearer " + "x" * (LONGEST_TOKEN + 1),
        "Bearer ü",
        f"Bearer {EDITOR.sha256}",
    ],
)
async def test_what_is_no_known_token_is_answered_401_with_a_challenge(header: str | None) -> None:
    """repo:H1."""
    with pytest.raises(Problem) as caught:
        await Accounts({"e": EDITOR}, None, lambda: 0.0).find(header)
    assert (caught.value.status, caught.value.code) == (401, "unauthenticated")
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_good_signed_token_is_looked_at_once_until_it_expires() -> None:
    signed, now = Signed(), [0.0]
    accounts = Accounts({}, signed, lambda: now[0])
    for _ in range(3):
        assert (await accounts.find("Bearer good")).name == "good"
    assert signed.verified == 1
    now[0] = 100.0
    await accounts.find("Bearer good")
    assert signed.verified == 2


async def test_a_good_signed_token_is_looked_at_again_after_a_while() -> None:
    """repo:H1: its key may have been withdrawn, long before it expires."""
    signed, now = Signed(expires_s=1e9), [0.0]
    accounts = Accounts({}, signed, lambda: now[0], recheck_s=60)
    for second, looked_at in ((0.0, 1), (59.0, 1), (60.0, 2), (119.0, 2)):
        now[0] = second
        await accounts.find("Bearer good")
        assert signed.verified == looked_at


async def test_a_bad_signed_token_is_not_remembered() -> None:
    signed = Signed()
    accounts = Accounts({}, signed, lambda: 0.0)
    for _ in range(2):
        with pytest.raises(Problem):
            await accounts.find("Bearer bad")
    assert signed.verified == 2


async def test_no_more_tokens_are_remembered_than_a_bound() -> None:
    signed = Signed()
    accounts = Accounts({}, signed, lambda: 0.0)
    for number in range(5000):
        await accounts.find(f"Bearer good{number}")
    await accounts.find("Bearer good4999")
    assert signed.verified == 5000
    await accounts.find("Bearer good0")
    assert signed.verified == 5001
    assert len(accounts._remembered) <= 4096
