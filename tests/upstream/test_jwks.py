"""Published keys: read when needed, from a file or a real server, bounded (RFC 7517)."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.config import Jwt
from gateway.errors import UpstreamGarbled
from gateway.upstream.download import open_session
from gateway.upstream.jwks import KeySet, read_keys

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
EC = ec.generate_private_key(ec.SECP256R1()).public_key()


def entry(key: Any, kid: str | None = None, **more: Any) -> dict[str, Any]:
    algorithm = RSAAlgorithm if key is RSA else ECAlgorithm
    made = algorithm.to_jwk(key, as_dict=True) | more
    return made | ({"kid": kid} if kid else {})


def read(*entries: Any) -> list[tuple[str, str | None]]:
    return [(algorithm, kid) for algorithm, kid, _ in read_keys(json.dumps({"keys": entries}).encode())]


def test_keys_for_signatures_are_read_and_others_passed_over():
    assert read(entry(RSA, "r"), entry(EC, "e"), entry(RSA)) == [("RS256", "r"), ("ES256", "e"), ("RS256", None)]
    assert read(entry(RSA, "r", use="enc"), entry(RSA, "r", alg="RS512"), entry(EC, "e", crv="P-384")) == []
    assert read({"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, {"kty": "RSA"}, {}, 5, entry(RSA, "x", key_ops=[])) == [
        ("RS256", "x")
    ]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"keys":5}', b'{"keys":{}}', b"\xff"])
def test_what_is_no_key_set_is_refused(raw):
    with pytest.raises(UpstreamGarbled):
        read_keys(raw)


async def test_an_unknown_kid_has_the_keys_read_again_but_not_too_often():
    served, asked, now, said = [entry(RSA, "old")], [], [0.0], []

    async def give(request):
        asked.append(request.path)
        return web.json_response({"keys": served}) if served else web.Response(status=503)

    app = web.Application()
    app.router.add_get("/keys", give)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with open_session() as session:
        settings = Jwt(jwks=f"http://127.0.0.1:{port}/keys", refetch_s=60)
        keys = KeySet(settings, session, lambda event, _: said.append(event), lambda: now[0])
        assert len(await keys.find("RS256", "old")) == 1
        assert await keys.find("RS256", "new") == []
        assert await keys.find("ES256", "old") == []
        assert len(asked) == 1
        now[0] = 60.0
        served.append(entry(EC, "new"))
        assert len(await keys.find("ES256", "new")) == 1
        assert len(asked) == 2
        now[0] = 120.0
        served.clear()
        assert await keys.find("RS256", "newest") == []
        assert said == ["access.keys_failed"]
        assert len(await keys.find("RS256", "old")) == 1
    await runner.cleanup()


async def test_a_key_that_was_withdrawn_is_good_no_longer_than_recheck_s(tmp_path: Path):
    path, now, said = tmp_path / "keys.json", [0.0], []
    path.write_text(json.dumps({"keys": [entry(RSA, "r")]}))
    async with open_session() as session:
        settings = Jwt(jwks=str(path), refetch_s=10, recheck_s=300)
        keys = KeySet(settings, session, lambda event, _: said.append(event), lambda: now[0])
        assert len(await keys.find("RS256", "r")) == 1
        path.write_text(json.dumps({"keys": [entry(EC, "e")]}))
        now[0] = 299.0
        assert len(await keys.find("RS256", "r")) == 1
        now[0] = 300.0
        assert await keys.find("RS256", "r") == []
        path.unlink()
        now[0] = 600.0
        assert len(await keys.find("ES256", "e")) == 1, "where they cannot be read those in use stay in use"
        assert said == ["access.keys_failed"]


async def test_keys_come_from_a_file_too(tmp_path: Path):
    path = tmp_path / "keys.json"
    async with open_session() as session:
        said: list[str] = []
        now = [0.0]
        keys = KeySet(Jwt(jwks=str(path)), session, lambda event, _: said.append(event), lambda: now[0])
        assert await keys.find("RS256", "k") == []
        assert said == ["access.keys_failed"]
        path.write_text(json.dumps({"keys": [entry(RSA, "k"), entry(RSA, "l")]}))
        now[0] = 60.0
        assert len(await keys.find("RS256", "k")) == 1
        assert await keys.find("RS256", None) == [], "of two keys none is meant"
