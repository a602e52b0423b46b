"""The OpenAPI document, the page that shows it, and schemathesis against it."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest

from tests.fuzz import fuzz
from tests.stage import Stage, run_stage
from tests.web.callers import Caller, make_activity, schema_id


async def test_the_document_describes_delivery_and_repository(bundled_stage: Stage):
    answer = await bundled_stage.admin("/openapi.json")
    document = answer.body
    assert answer.headers["Content-Type"].startswith("application/json")
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": bundled_stage.running.public}]
    assert {"/rest/v1/delivery", "/data/core/xcore/", "/data/core/xcore/{container}/instances"} <= set(
        document["paths"]
    )
    named = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(named) == len(set(named)) == 28
    for pointer in set(re.findall(r'"\$ref":"#([^"]+)"', json.dumps(document, separators=(",", ":")))):
        place = document
        for step in pointer.strip("/").split("/"):
            place = place[step]


async def test_every_entity_type_is_in_the_document_and_a_read_keeps_to_it(editor: Caller):
    document = (await editor.stage.admin("/openapi.json")).body
    schemas = document["components"]["schemas"]
    envelope = jsonschema_rs.validator_for(
        {"$ref": "#/components/schemas/Envelope", "components": document["components"]}
    )
    for name, receipt in (await make_activity(editor)).items():
        body = document["paths"]["/data/core/xcore/{container}/instances"]["post"]["requestBody"]["content"]
        assert any(schema_id(name) + ";" in media_type for media_type in body)
        read = (await editor.read(receipt["instanceId"])).body
        envelope.validate(read)
        jsonschema_rs.validator_for(schemas[f"entity.{name}"]).validate(read["_instance"])


async def test_a_further_schema_is_described_and_served(clean_url: str, tmp_path: Path):
    """repo:S1: a JSON Schema document at start is all that a new type takes."""
    schema = {
        "$id": "https://example.com/schemas/coupon;version=2.0",
        "type": "object",
        "required": ["code", "offer"],
        "properties": {
            "code": {"type": "string", "xcore:unique": True, "meta:immutable": True},
            "offer": {"type": "string", "xcore:reference": [schema_id("personalized-offer")]},
            "issued": {"type": "string", "format": "date-time"},
        },
    }
    (tmp_path / "coupon.json").write_text(json.dumps(schema))
    async with run_stage(clean_url, {"GATEWAY_REPOSITORY__SCHEMAS": f'["{tmp_path}"]'}) as stage:
        editor = Caller(stage)
        await editor.make_container()
        offer = await editor.make("personalized-offer", {"xdm:name": "o"})
        kind = "https://example.com/schemas/coupon"
        made = await editor.make(kind, {"code": "A", "offer": offer["@id"]})
        assert (await editor.post(kind, {"code": "A", "offer": offer["@id"]})).body[
            "type"
        ] == "/problems/name-not-unique"
        assert (await editor.post(kind, {"code": "B", "offer": "x"})).body["type"] == "/problems/reference-not-found"
        read = await editor.read(made["instanceId"])
        assert read.body["schemas"] == ["https://example.com/schemas/coupon;version=2.0"]
        assert (await editor.list(kind)).body["_embedded"]["total"] == 1
        change = {"op": "replace", "path": "/_instance/code", "value": "C"}
        assert (await editor.patch(made["instanceId"], change)).body["type"] == "/problems/immutable"
        assert (await editor.delete_and_wait(offer["instanceId"])).body["outcome"] == "rejected"
        assert "entity.coupon" in (await stage.admin("/openapi.json")).body["components"]["schemas"]


async def test_the_page_loads_nothing_from_elsewhere(bundled_stage: Stage):
    page = await bundled_stage.admin("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.raw.decode())
    assert len(named) == 4
    for path in named:
        assert path.startswith("/docs/")
        answer = await bundled_stage.admin(path)
        assert (answer.status, bool(answer.raw)) == (200, True), path
    assert "/openapi.json" in (await bundled_stage.admin("/docs/start.js")).raw.decode()


@pytest.mark.parametrize("path", ["/docs/none.js", "/docs/..%2Fcore.py", "/docs/swagger-ui.js.map", "/docs/"])
async def test_no_other_file_is_served(bundled_stage: Stage, path: str):
    assert (await bundled_stage.admin(path)).status == 404


async def test_the_public_listener_has_no_page(bundled_stage: Stage):
    """The interface is for those who operate the gateway and write against it, on the admin listener."""
    assert (await bundled_stage.ask("GET", "/docs")).status == 404
    assert (await bundled_stage.ask("GET", "/openapi.json")).status == 404


async def test_schemathesis_finds_no_server_error(bundled_stage: Stage, tmp_path: Path):
    """No request that the document allows, and few others, are answered with 5xx or otherwise than described."""
    status, said = await fuzz(
        bundled_stage, tmp_path, "--phases", "examples,fuzzing", "--max-examples", "8", "--seed", "1"
    )
    assert status == 0, said
    assert "No issues found" in said
    answered = (await bundled_stage.admin("/metrics")).raw.decode()
    for kind in ('method="POST",status="201"', 'method="PATCH",status="200"', 'method="GET",status="200"'):
        assert f"gateway_calls_total{{{kind}}}" in answered, "the generated requests do not get anywhere"
