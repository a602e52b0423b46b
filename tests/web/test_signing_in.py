"""Who may use the repository, over HTTP (spec repository §2, §5, and steps 2 to 6 of §9.7)."""

import hashlib
import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.stage import Stage, run_stage
from tests.web.callers import PROBLEM, ROOT, SIGNED_IN, Caller, media_type

SECRET = "a shared secret of at least 32 bytes"


def without(*names: str, **changed: str) -> dict[str, str]:
    return {k: v for k, v in SIGNED_IN.items() if k not in names} | {k.replace("_", "-"): v for k, v in changed.items()}


REFUSED = {
    "no token": (without("Authorization"), 401, "unauthenticated"),
    "an unknown token": (without(Authorization="Bearer nobody"), 401, "unauthenticated"),
    "another scheme": (without(Authorization="Basic ZGVtbzpkZW1v"), 401, "unauthenticated"),
    "nothing at all": ({}, 401, "unauthenticated"),
    "no API key": (without("x-api-key"), 400, "missing-header"),
    "no organisation": (without("x-gw-ims-org-id"), 400, "missing-header"),
    "no sandbox": (without("x-sandbox-name"), 400, "missing-header"),
    "an empty sandbox": (without(x_sandbox_name=""), 400, "missing-header"),
    "an unknown API key": (without(x_api_key="other"), 403, "api-key-rejected"),
    "an unknown API key of an unknown organisation": (
        without(x_api_key="other", x_gw_ims_org_id="X@AdobeOrg"),
        403,
        "api-key-rejected",
    ),
    "an unknown organisation": (without(x_gw_ims_org_id="X@AdobeOrg"), 403, "org-mismatch"),
    "an unknown sandbox": (without(x_sandbox_name="other"), 403, "sandbox-rejected"),
    "a long request id": (without(x_request_id="a" * 129), 400, "invalid-header"),
    "a request id with a blank": (without(x_request_id="a b"), 400, "invalid-header"),
}


@pytest.mark.parametrize(("headers", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_who_is_not_entitled_is_told_why(bundled_stage: Stage, headers: dict, status: int, code: str):
    """repo:H1, repo:H2, repo:H3, repo:H4, repo:H5."""
    answer = await bundled_stage.ask("GET", ROOT + "/", headers=headers)
    assert (answer.status, answer.body["type"]) == (status, f"/problems/{code}")
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.headers["X-Request-Id"] == answer.body["requestId"]
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_missing_headers_are_reported_together(bundled_stage: Stage):
    """repo:H10."""
    answer = await bundled_stage.ask("GET", ROOT + "/", headers={"Authorization": "Bearer demo-reader"})
    assert answer.status == 400
    told = " ".join(error["detail"] for error in answer.body["errors"])
    assert len(answer.body["errors"]) == 3
    assert all(name in told for name in ("x-api-key", "x-gw-ims-org-id", "x-sandbox-name"))


async def test_a_request_id_is_echoed_or_made(bundled_stage: Stage):
    """repo:H5."""
    for given in ("2f6c6f0e-4f0e-4b3e-9b0b-6a1d0b6a7c11", "a~b.c_d-E", "x" * 128):
        answer = await bundled_stage.ask("GET", ROOT + "/", headers=SIGNED_IN | {"x-request-id": given})
        assert (answer.status, answer.headers["X-Request-Id"]) == (200, given)
    made = {(await bundled_stage.ask("GET", ROOT + "/", headers=SIGNED_IN)).headers["X-Request-Id"] for _ in range(3)}
    assert len(made) == 3


async def test_a_user_token_is_ignored(bundled_stage: Stage):
    """repo:H9."""
    answer = await bundled_stage.ask("GET", ROOT + "/", headers=SIGNED_IN | {"x-user-token": "Bearer x"})
    assert answer.status == 200


async def test_the_token_names_the_account_and_the_key_the_client(editor: Caller):
    """repo:H11, repo:E5."""
    made = await editor.make("tag", {"xdm:name": "t"})
    assert (made["repo:createdBy"], made["repo:createdByClientId"]) == ("demo-editor", "demo-console")
    assert (made["repo:lastModifiedBy"], made["repo:lastModifiedByClientId"]) == ("demo-editor", "demo-console")


async def test_a_default_sandbox_stands_in_where_it_is_configured(clean_url: str):
    """repo:H4."""
    async with run_stage(clean_url, {"GATEWAY_ACCESS__DEFAULT_SANDBOX": "prod"}) as stage:
        assert (await stage.ask("GET", ROOT + "/", headers=without("x-sandbox-name"))).status == 200
        assert (await stage.ask("GET", ROOT + "/", headers=without(x_sandbox_name="x"))).status == 403


async def test_demonstration_tokens_are_honoured_on_loopback_only(clean_url: str):
    async with run_stage(clean_url, {"GATEWAY_WEB__LISTEN": "0.0.0.0:0"}) as stage:
        url = stage.running.public.replace("0.0.0.0", "127.0.0.1")
        async with stage.http.get(url + ROOT + "/", headers=SIGNED_IN) as answer:
            assert answer.status == 401


MORE = {
    "GATEWAY_ACCESS__ORGANIZATION": '{"DEMO@AdobeOrg" = {sandboxes = ["prod", "dev"], api-keys = ["demo-console"]}, '
    '"OTHER@AdobeOrg" = {sandboxes = ["prod"], api-keys = ["other-console"]}}',
    "GATEWAY_ACCESS__PROFILE": '{editors = {organization = "DEMO@AdobeOrg", sandboxes = ["*"], write = ["*"], '
    "create = true}, "
    'readers = {organization = "DEMO@AdobeOrg", sandboxes = ["prod"], read = ["*"]}, '
    'makers = {organization = "DEMO@AdobeOrg", sandboxes = ["prod"], create = true}, '
    'guests = {organization = "DEMO@AdobeOrg", sandboxes = ["prod"]}, '
    'others = {organization = "OTHER@AdobeOrg", sandboxes = ["prod"], write = ["*"], create = true}}',
    "GATEWAY_ACCESS__TOKEN": "{"
    + ", ".join(
        f'{name} = {{sha256 = "{hashlib.sha256(name.encode()).hexdigest()}", account = "{name}", '
        f'organizations = ["{organization}@AdobeOrg"], profiles = ["{name}s"]}}'
        for name, organization in (
            ("editor", "DEMO"),
            ("reader", "DEMO"),
            ("maker", "DEMO"),
            ("guest", "DEMO"),
            ("other", "OTHER"),
        )
    )
    + "}",
}


def caller(stage: Stage, name: str, sandbox: str = "prod", container: str = "") -> Caller:
    organization = "OTHER" if name == "other" else "DEMO"
    headers = {
        "Authorization": f"Bearer {name}",
        "x-api-key": "other-console" if name == "other" else "demo-console",
        "x-gw-ims-org-id": f"{organization}@AdobeOrg",
        "x-sandbox-name": sandbox,
    }
    return Caller(stage, container, headers)


async def listed(someone: Caller) -> list[str]:
    answer = await someone.ask("GET", "/")
    assert answer.status == 200
    return [one["instanceId"] for one in answer.body["_embedded"]["https://ns.adobe.com/experience/xcore/container"]]


async def test_grants_decide_who_sees_and_changes_what(clean_url: str):
    """repo:C1, repo:C2, repo:H12, repo:X1: two callers see different lists; nothing tells that more exists."""
    async with run_stage(clean_url, MORE) as stage:
        editor, maker = caller(stage, "editor"), caller(stage, "maker")
        first, second = await editor.make_container("first"), await maker.make_container("second")
        assert await listed(editor) == await listed(caller(stage, "reader")) == [first, second]
        assert await listed(maker) == [second]
        assert await listed(caller(stage, "guest")) == []
        assert await listed(caller(stage, "other")) == []
        assert await listed(caller(stage, "editor", "dev")) == []

        made = await maker.make("tag", {"xdm:name": "t"})
        for someone in (
            caller(stage, "guest", container=second),
            caller(stage, "other", container=second),
            caller(stage, "editor", "dev", container=second),
        ):
            await expect_nothing(someone, made["instanceId"])
        maker.container = first
        await expect_nothing(maker, made["instanceId"])

        reader = caller(stage, "reader", container=second)
        assert (await reader.read(made["instanceId"])).status == 200
        for answer in (
            await reader.post("tag", {"xdm:name": "u"}),
            await reader.patch(made["instanceId"]),
            await reader.put(made["instanceId"], {}),
            await reader.delete(made["instanceId"]),
            await reader.ask("DELETE", f"/containers/{second}"),
            await reader.ask("POST", "/containers", {}, Content_Type=media_type("container")),
        ):
            assert (answer.status, answer.body["type"]) == (403, "/problems/write-forbidden")


async def expect_nothing(someone: Caller, instance_id: str) -> None:
    """repo:C2: what one may not see answers as what does not exist, whatever is asked of it."""
    unknown = Caller(someone.stage, "00000000-0000-7000-8000-000000000000", someone.headers)
    for method, path, body in (
        ("GET", "/containers/{c}", None),
        ("PATCH", "/containers/{c}", []),
        ("PUT", "/containers/{c}", {}),
        ("DELETE", "/containers/{c}", None),
        ("GET", "/{c}/instances?schema=x", None),
        ("POST", "/{c}/instances", {}),
        ("GET", "/{c}/instances/{i}", None),
        ("DELETE", "/{c}/instances/{i}", None),
        ("GET", "/{c}/queries/core/search", None),
        ("GET", "/{c}/operations/{i}", None),
    ):
        answers = [
            await one.ask(method, path.format(c=one.container, i=instance_id), body) for one in (someone, unknown)
        ]
        assert [answer.status for answer in answers] == [404, 404], (method, path)
        shown = [answer.body | {"instance": "", "requestId": ""} for answer in answers]
        assert shown[0] == shown[1]
        assert shown[0]["type"] == "/problems/container-not-found"


async def test_a_forbidden_sandbox_answers_as_an_unknown_one(clean_url: str):
    """repo:H4: and an organisation of somebody else as one that does not exist."""
    async with run_stage(clean_url, MORE) as stage:
        bodies = []
        for sandbox in ("dev", "nowhere"):
            answer = await caller(stage, "reader", sandbox).ask("GET", "/")
            assert answer.status == 403
            bodies.append(answer.body | {"requestId": ""})
        assert bodies[0] == bodies[1]
        assert bodies[0]["type"] == "/problems/sandbox-rejected"
        strange = [
            (await Caller(stage, "", caller(stage, "reader").headers | {"x-gw-ims-org-id": name}).ask("GET", "/"))
            for name in ("OTHER@AdobeOrg", "NONE@AdobeOrg")
        ]
        assert [answer.status for answer in strange] == [403, 403]


async def test_a_key_of_another_organisation_is_rejected(clean_url: str):
    """repo:H2."""
    async with run_stage(clean_url, MORE) as stage:
        answer = await stage.ask(
            "GET", ROOT + "/", headers=caller(stage, "reader").headers | {"x-api-key": "other-console"}
        )
        assert answer.body["type"] == "/problems/api-key-rejected"


async def test_signed_tokens_are_taken_where_their_keys_are_configured(clean_url: str, tmp_path: Path):
    """repo:H1, repo:H11: by shared secret and by published key; expired ones, and those of strangers, are not."""
    private, stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    published = ECAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "k", "alg": "ES256"}
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [published]}))
    changes = {"GATEWAY_ACCESS__JWT__JWKS": str(keys), "GATEWAY_ACCESS__JWT__AUDIENCE": "repository"}
    async with run_stage(clean_url, changes, {"GATEWAY_JWT_SECRET": SECRET}) as stage:
        for key, algorithm, claims, status in (
            (SECRET, "HS256", {}, 201),
            (private, "ES256", {}, 201),
            (stranger, "ES256", {}, 401),
            ("x" * 32, "HS256", {}, 401),
            (private, "ES256", {"exp": time.time() - 600}, 401),
            (private, "ES256", {"aud": "another"}, 401),
            (private, "ES256", {"organizations": ["X@AdobeOrg"]}, 403),
            (private, "ES256", {"profiles": []}, 403),
            (private, "ES256", {"profiles": ["readers"]}, 403),
        ):
            made = {"sub": "acct-71", "aud": "repository", "organizations": "DEMO@AdobeOrg", "profiles": ["editors"]}
            token = jwt.encode(made | {"exp": time.time() + 60} | claims, key, algorithm, headers={"kid": "k"})
            someone = Caller(stage, "", SIGNED_IN | {"Authorization": f"Bearer {token}"})
            body = {"_instance": {"repo:name": "n"}, "_links": {}}
            answer = await someone.ask("POST", "/containers", body, Content_Type=media_type("container"))
            assert answer.status == status, (algorithm, claims, answer.raw)
            assert status != 201 or answer.body["repo:createdBy"] == "acct-71"


async def test_one_account_cannot_make_more_requests_than_it_may(clean_url: str):
    """repo:§14: 429 with Retry-After, and others are not slowed down."""
    async with run_stage(clean_url, {"GATEWAY_ACCESS__REQUESTS_PER_S": "1"}) as stage:
        statuses = [(await stage.ask("GET", ROOT + "/", headers=SIGNED_IN)) for _ in range(3)]
        assert statuses[0].status == 200
        refused = [answer for answer in statuses if answer.status == 429]
        assert refused
        assert refused[0].headers["Retry-After"] == "1"
        assert refused[0].body["type"] == "/problems/too-many-requests"
        other = SIGNED_IN | {"Authorization": "Bearer demo-reader"}
        assert (await stage.ask("GET", ROOT + "/", headers=other)).status == 200
