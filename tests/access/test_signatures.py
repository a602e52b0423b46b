"""Signed tokens: every way to get one wrong is refused (spec repository H1; RFC 7519, RFC 8725)."""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.access.signatures import Signatures
from gateway.config import Jwt
from gateway.errors import ConfigError

SECRET = "a shared secret of at least 32 bytes"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
CLAIMS = {"sub": "acct-71", "organizations": ["O@AdobeOrg"], "profiles": "editors"}


class Keys:
    """Published keys that are always at hand."""

    async def find(self, algorithm: str, kid: str | None) -> Sequence[Any]:
        return {"RS256": [RSA.public_key()], "ES256": [EC.public_key()]}[algorithm] if kid in ("k", None) else []


def make(settings: Jwt | None = None, secret: str = SECRET) -> Signatures:
    return Signatures(settings or Jwt(), secret, Keys(), time.time)  # type: ignore[arg-type]


def sign(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    made = CLAIMS | {"exp": time.time() + 60} | claims
    return jwt.encode({k: v for k, v in made.items() if v is not None}, key, algorithm, headers=headers)


@pytest.mark.parametrize(("key", "algorithm"), [(SECRET, "HS256"), (RSA, "RS256"), (EC, "ES256")])
async def test_a_good_token_names_account_organisations_and_profiles(key: Any, algorithm: str) -> None:
    """repo:H11."""
    account = await make().verify(sign(key, algorithm))
    assert account is not None
    assert (account.name, account.organizations, account.profiles) == ("acct-71", ("O@AdobeOrg",), ("editors",))
    assert time.time() + 50 < account.expires_s < time.time() + 100


def forge(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def confused() -> str:
    """Make a token signed by HMAC with the public key as the secret: algorithm confusion."""
    import hashlib
    import hmac

    head = forge({"alg": "HS256", "kid": "k"}, CLAIMS | {"exp": time.time() + 60})[:-1]
    mac = hmac.new(PEM, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


NOW = time.time()
BAD = {
    "alg none": forge({"alg": "none"}, CLAIMS | {"exp": NOW + 600}),
    "alg None": forge({"alg": "None"}, CLAIMS | {"exp": NOW + 600}),
    "no alg": forge({}, CLAIMS | {"exp": NOW + 600}),
    "alg that is a list": forge({"alg": ["HS256"]}, CLAIMS | {"exp": NOW + 600}),
    "algorithm confusion": confused(),
    "another secret": sign("another secret of at least 32 bytes!"),
    "a shared secret with a longer hash": sign(SECRET * 2, "HS512"),
    "another RSA hash": sign(RSA, "RS512"),
    "an unknown kid": sign(RSA, "RS256", {"kid": "other"}),
    "a kid that is no text": forge({"alg": "RS256", "kid": 1}, CLAIMS | {"exp": NOW + 600}),
    "another RSA key": sign(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", {"kid": "k"}),
    "a signature of another kind": forge({"alg": "RS256", "kid": "k"}, CLAIMS | {"exp": NOW + 600}, b"x" * 64),
    "critical extensions": sign(headers={"crit": ["x"], "x": 1}),
    "no exp": sign(exp=None),
    "expired": sign(exp=NOW - 600),
    "not yet good": sign(nbf=NOW + 600),
    "made in the future": sign(iat=NOW + 600),
    "no account": sign(sub=None),
    "an empty account": sign(sub=""),
    "an account with a line break": sign(sub="a\nb"),
    "a long account": sign(sub="a" * 257),
    "two parts": "a.b",
    "no token": "x",
    "dots": "..",
    "not base64": "€.€.€",
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD)
async def test_a_bad_token_names_nobody(token: str) -> None:
    """repo:H1."""
    assert await make().verify(token) is None


async def test_without_a_secret_or_keys_no_token_is_good() -> None:
    assert await make(secret="").verify(sign()) is None
    assert await Signatures(Jwt(), SECRET, None, time.time).verify(sign(RSA, "RS256")) is None
    empty = forge({"alg": "HS256"}, CLAIMS | {"exp": NOW + 600})
    assert await make(secret="").verify(empty) is None


async def test_issuer_and_audience_count_where_they_are_configured() -> None:
    strict = make(Jwt(issuer="https://ims.example", audience="gateway"))
    right = {"iss": "https://ims.example", "aud": ["other", "gateway"]}
    assert await strict.verify(sign(**right)) is not None
    for wrong in ({"iss": "https://ims.example.evil"}, {"aud": "other"}, {"aud": None}, {"iss": None}):
        assert await strict.verify(sign(**(right | wrong))) is None
    assert await make().verify(sign(**right)) is not None


async def test_clocks_may_differ_as_far_as_configured() -> None:
    late = sign(exp=time.time() - 20)
    assert await make(Jwt(clock_skew_s=30)).verify(late) is not None
    assert await make(Jwt(clock_skew_s=0)).verify(late) is None


async def test_claims_have_configured_names() -> None:
    settings = Jwt(account_claim="user_id", organizations_claim="org", profiles_claim="groups")
    account = await make(settings).verify(sign(user_id="u", org="A", groups=["g", 1, "", {}]))
    assert account is not None
    assert (account.name, account.organizations, account.profiles) == ("u", ("A",), ("g",))


def test_a_short_secret_is_refused_at_start() -> None:
    with pytest.raises(ConfigError, match="GATEWAY_JWT_SECRET"):
        make(secret="short")
