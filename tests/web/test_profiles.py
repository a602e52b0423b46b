"""Profiles over HTTP (spec profiles-api)."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.stage import Stage, run_stage
from tests.store.faults import FaultProxy
from tests.store.servers import connected
from tests.web.callers import PROBLEM, SIGNED_IN
from tests.web.people import MERGE, Person
from tests.web.processes import run_process

ANN = {"tier": "gold", "segmentMembership": {"ups": {"vip": {"status": "realized"}}}}


@pytest.fixture
def ann(bundled_stage: Stage) -> Person:
    return Person(bundled_stage)


def other(person: Person, namespace: str, id_: str) -> Person:
    return Person(person.stage, namespace, id_, person.token)


async def test_put_makes_a_profile_then_replaces_its_attributes_only(ann):
    """prof:U1, prof:U3, prof:P3: events and identities stay."""
    made = await ann.put(ANN)
    assert (made.status, made.body) == (201, {"attributes": ANN})
    await ann.add({"_id": "e"})
    await ann.link(ECID="e-1")
    replaced = await ann.put({"tier": "silver"})
    assert (replaced.status, replaced.body) == (200, {"attributes": {"tier": "silver"}})
    read = await ann.read()
    assert read.status == 200
    assert read.headers["Content-Type"].startswith("application/json")
    assert read.body == {
        "attributes": {"tier": "silver"},
        "identityMap": {"CRM": [{"xdm:id": "c-1001"}], "ECID": [{"xdm:id": "e-1"}]},
        "eventCount": 1,
    }
    assert read.headers["ETag"] == replaced.headers["ETag"]


async def test_patch_merges_into_a_profile_that_exists(ann):
    """prof:U2."""
    assert (await ann.patch({"a": 1})).status == 404
    await ann.put({"a": {"b": 1, "c": 2}, "d": 3})
    patched = await ann.patch({"a": {"b": None, "e": 4}, "d": None})
    assert (patched.status, patched.body) == (200, {"attributes": {"a": {"c": 2, "e": 4}}})
    assert (await ann.patch({"x": 1}, Content_Type="application/json")).body["attributes"] == {
        "a": {"c": 2, "e": 4},
        "x": 1,
    }
    assert (await ann.patch([1])).status == 400
    assert (await ann.patch({"x": 1}, Content_Type="application/json-patch+json")).status == 415
    assert (await ann.put({}, Content_Type=MERGE)).status == 415
    assert (await ann.put({}, Accept="text/html")).status == 406


async def test_concurrent_patches_all_count(ann):
    """prof:U2, prof:P9: whoever names no tag is never told of a conflict; events come in between."""
    await ann.put({})
    await asyncio.gather(*(ann.patch({f"n{n}": n}) for n in range(12)), *(ann.add({}) for _ in range(12)))
    read = (await ann.read()).body
    assert read["attributes"] == {f"n{n}": n for n in range(12)}
    assert read["eventCount"] == 12


async def test_an_unknown_profile_is_404_to_read_and_204_to_erase(ann):
    """prof:U3, prof:U4, prof:U6."""
    for answer in (await ann.read(), await ann.ask("GET", "/events")):
        assert (answer.status, answer.body["type"]) == (404, "/problems/profile-not-found")
        assert answer.headers["Content-Type"] == PROBLEM
    answer = await ann.ask("DELETE")
    assert (answer.status, answer.raw) == (204, b"")


async def test_an_erased_profile_is_gone_with_its_identities_and_counters(ann, monkeypatch):
    """prof:U4: by any of its identities; the counters are those of every canonical id."""
    forgotten = []

    async def forget(space, canonical_id):
        forgotten.append((space.organization, space.sandbox, canonical_id))

    monkeypatch.setattr(ann.stage.running.services.business.counting.caps, "forget_profile", forget)
    await ann.put(ANN)
    await ann.add([{"_id": "a"}, {"_id": "b"}])
    await ann.link(ECID="e-1")
    ecid = other(ann, "ECID", "e-1")
    assert (await ecid.ask("DELETE")).status == 204
    assert (await ann.read()).status == (await ecid.read()).status == 404
    assert set(forgotten) == {("DEMO@AdobeOrg", "prod", each) for each in ("CRM|c-1001", "ECID|e-1")}
    assert (await ann.add({"_id": "a"})).body == {"accepted": 1}
    assert (await ann.read()).body["attributes"] == {}


async def test_events_are_taken_once_and_listed_newest_first(ann):
    """prof:U5, prof:U6, prof:P4, prof:P5, prof:P7."""
    times = [f"2026-01-0{day}T00:00:00Z" for day in (2, 3, 1)]
    batch = [{"_id": str(n), "timestamp": time} for n, time in enumerate(times)]
    first = await ann.add(batch)
    assert (first.status, first.body) == (202, {"accepted": 3})
    assert (await ann.add([*batch, {"@id": "9", "xdm:timestamp": "2026-01-02T12:00:00Z"}])).body == {"accepted": 1}
    assert (await ann.add([])).body == {"accepted": 0}
    assert [event.get("timestamp", event.get("xdm:timestamp")) for event in await ann.events()] == [
        "2026-01-03T00:00:00Z",
        "2026-01-02T12:00:00Z",
        "2026-01-02T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ]
    assert len(await ann.events("?limit=2")) == 2
    assert len(await ann.events("?limit=5000")) == 4
    assert (await ann.read()).body["attributes"] == {}
    for limit in ("0", "-1", "x", "", "1e3", "٣"):
        answer = await ann.ask("GET", f"/events?limit={limit}")
        assert (answer.status, answer.body["type"]) == (400, "/problems/invalid-parameter")


async def test_one_bad_event_stores_none(ann):
    """prof:P4."""
    answer = await ann.add([{"a": 1}, {"timestamp": "soon"}, 3])
    assert answer.status == 400
    assert [error["pointer"] for error in answer.body["errors"]] == ["/1/timestamp", "/2"]
    assert (await ann.read()).status == 404


async def test_as_many_events_as_configured_are_kept(clean_url):
    """prof:P5."""
    async with run_stage(clean_url, {"GATEWAY_PROFILES__MAX_EVENTS": "3"}) as stage:
        ann = Person(stage)
        await ann.add([{"n": n, "timestamp": f"2026-01-01T00:00:0{n}Z"} for n in range(6)])
        await ann.add({"n": 9, "timestamp": "2020-01-01T00:00:00Z"})
        assert [event["n"] for event in await ann.events()] == [5, 4, 3]


async def test_limits_of_size_and_depth(ann):
    """prof:P3, prof:P4."""
    deep = json.loads("".join('{"a":' for _ in range(16)) + "1" + "}" * 16)
    assert (await ann.put(deep)).status == 201
    for body in ({"a": deep}, {"a": "x" * 65_536}):
        answer = await ann.put(body)
        assert (answer.status, answer.body["type"]) == (413, "/problems/too-large")
        assert (await ann.patch(body)).status == 413
    await ann.put({"a": "x" * 40_000})
    assert (await ann.patch({"b": "x" * 40_000})).status == 413
    assert (await ann.add([{"a": "x" * 16_000}] * 100)).status == 202
    assert (await ann.add([{}] * 101)).status == 400
    assert (await ann.add([{"a": "x" * 17_000}] * 100)).status == 413
    assert (await ann.put([])).status == (await ann.put(b"{")).status == 400


async def test_identities_lead_to_one_profile_and_are_nobody_elses(ann):
    """prof:U7: 409 without a word of whose it is."""
    await ann.put(ANN)
    linked = await ann.link(ECID="e-1", Email="ann@example.com")
    assert linked.status == 200
    assert linked.body["attributes"] == ANN
    assert linked.body["identityMap"]["Email"] == [{"xdm:id": "ann@example.com"}]
    bob = other(ann, "CRM", "c-1002")
    await bob.put({"tier": "none"})
    refused = await bob.link(Email="ann@example.com", Phone="1")
    assert (refused.status, refused.body["type"]) == (409, "/problems/identity-taken")
    assert refused.body["errors"][0]["pointer"] == "/identityMap/Email"
    assert "ann@" not in refused.raw.decode()
    assert "c-100" not in refused.raw.decode()
    assert (await other(ann, "Phone", "1").read()).status == 404
    assert (await other(ann, "ECID", "e-1").patch({"new": 1})).status == 200
    assert (await ann.read()).body["attributes"]["new"] == 1
    bad = await ann.ask("PUT", "/identities", {"identityMap": {"CRM": [{"xdm:id": ""}]}})
    assert (bad.status, bad.body["errors"][0]["pointer"]) == (400, "/identityMap/CRM/0/xdm:id")


async def test_tags_guard_writes(ann):
    """prof:P9: 409 on a stale tag, as in the repository; a tag never comes again, not even over an erasure."""
    first = (await ann.put({"n": 1})).headers["ETag"]
    read = await ann.read()
    assert read.headers["ETag"] == first
    assert (await ann.read(If_None_Match=first)).status == 304
    second = await ann.put({"n": 2}, If_Match=first)
    assert second.status == 200
    for stale in (await ann.put({"n": 3}, If_Match=first), await ann.patch({"n": 3}, If_Match=first)):
        assert (stale.status, stale.body["type"]) == (409, "/problems/etag-mismatch")
        assert f'"{stale.body["currentEtag"]}"' == second.headers["ETag"]
    assert (await ann.patch({"m": 1}, If_Match=second.headers["ETag"])).status == 200
    assert (await ann.put({}, If_None_Match="*")).status == 412
    tag = (await ann.read()).headers["ETag"]
    await ann.add({})
    assert (await ann.read()).headers["ETag"] != tag
    await ann.ask("DELETE")
    assert (await ann.put({}, If_Match=tag)).status == 404
    made = await ann.put({"n": 1}, If_None_Match="*")
    assert made.status == 201
    assert int(made.headers["ETag"].strip('"')) > int(tag.strip('"'))
    assert (await ann.put({}, If_Match=tag)).status == 409
    assert (await ann.put({}, If_Match="*")).status == 200


async def test_of_concurrent_guarded_writes_one_wins(ann):
    """prof:P9."""
    tag = (await ann.put({})).headers["ETag"]
    answers = await asyncio.gather(*(ann.put({"n": n}, If_Match=tag) for n in range(8)))
    assert sorted(answer.status for answer in answers) == [200, *[409] * 7]


@pytest.mark.parametrize(
    "id_", ["a/b", "a b+c", "%2F", "ünï/日本🛍", "..x", "?q#f", "é" * 256, "a|b", "\u200d"], ids=range(9)
)
async def test_any_id_without_control_characters_is_one(ann, id_):
    """prof:P2: percent-encoded in the path; ids that differ are different people."""
    person = other(ann, "Az09._-", id_)
    assert (await person.put({"id": id_})).status == 201
    assert (await person.read()).body["identityMap"] == {"Az09._-": [{"xdm:id": id_}]}
    assert (await other(ann, "Az09._-", id_[:-1] + "z").read()).status == 404


async def test_what_is_no_identity_is_400_that_names_the_part(ann):
    """prof:P2."""
    bad = [("C R", "x", "namespace"), ("N" * 65, "x", "namespace"), ("é", "x", "namespace"), ("", "x", "namespace")]
    bad += [("CRM", id_, "id") for id_ in ("", "x" * 257, "a\nb", "\0", "\x85")]
    for namespace, id_, part in bad:
        answer = await other(ann, namespace, id_).read()
        assert (answer.status, answer.body["type"]) == (400, "/problems/invalid-identity"), (namespace, id_)
        assert f"The {part} in the path" in answer.body["detail"]
    answer = await ann.stage.ask("GET", "/v1/profiles/CRM/%FF", headers=SIGNED_IN)
    assert answer.status == 400


async def test_reading_and_writing_need_their_grants(ann, clean_url):
    """prof:P1."""
    await ann.put(ANN)
    reader = Person(ann.stage, token="demo-reader")
    assert (await reader.read()).status == 200
    assert await reader.events() == []
    writes = [reader.put({}), reader.patch({}), reader.add({}), reader.link(E="1"), reader.ask("DELETE")]
    for answer in await asyncio.gather(*writes):
        assert (answer.status, answer.body["type"]) == (403, "/problems/write-forbidden")
    assert (await ann.read(Authorization="Bearer nobody")).status == 401
    assert (await ann.read(x_sandbox_name="other")).status == 403
    assert (await ann.read(x_gw_ims_org_id=None)).status == 400
    assert (await ann.ask("POST")).status == 405
    changes = {"GATEWAY_ACCESS__PROFILE__EDITORS__PEOPLE": "read", "GATEWAY_ACCESS__PROFILE__READERS__PEOPLE": "none"}
    async with run_stage(clean_url, changes) as stage:
        assert (await Person(stage).read()).status == 200
        assert (await Person(stage).put({})).status == 403
        answer = await Person(stage, token="demo-reader").read()
        assert (answer.status, answer.body["type"]) == (403, "/problems/read-forbidden")


async def test_another_sandbox_sees_nothing(clean_url):
    """prof:P1."""
    changes = {
        "GATEWAY_ACCESS__ORGANIZATION__DEMO@ADOBEORG__SANDBOXES": '["prod","dev"]',
        "GATEWAY_ACCESS__PROFILE__EDITORS__SANDBOXES": '["*"]',
    }
    async with run_stage(clean_url, changes) as stage:
        ann = Person(stage)
        await ann.put(ANN)
        assert (await ann.read(x_sandbox_name="dev")).status == 404
        assert (await ann.put({}, x_sandbox_name="dev")).status == 201
        assert (await ann.ask("DELETE", x_sandbox_name="dev")).status == 204
        assert (await ann.read()).body["attributes"] == ANN


async def test_another_worker_sees_a_write_at_once(ann, clean_url):
    """prof:P8."""
    async with run_stage(clean_url) as stage:
        elsewhere = Person(stage)
        for n in range(3):
            await ann.put({"n": n})
            assert (await elsewhere.read()).body["attributes"] == {"n": n}


async def test_a_profile_lives_as_long_as_configured(clean_url):
    """prof:P6."""
    async with run_stage(clean_url, {"GATEWAY_PROFILES__TTL_DAYS": "2"}) as stage, connected(clean_url) as store:
        await Person(stage).put(ANN)
        (home,) = await store.call("KEYS", "profile:*:home")
        assert 172_700 < await store.call("TTL", home) <= 172_800


async def test_without_redis_profiles_are_unavailable(clean_url, tmp_path):
    """prof:P1: 503 with a time to try again, nothing lost or invented."""
    async with FaultProxy(clean_url, tmp_path) as proxy:
        changes = {"GATEWAY_PROFILES__PATIENCE_MS": "50", "GATEWAY_PROFILES__TIMEOUT_MS": "100"}
        async with run_stage(proxy.url, changes) as stage:
            ann = Person(stage)
            await ann.put(ANN)
            proxy.black_hole = True
            asked = [ann.read(), ann.put({}), ann.patch({}), ann.add({}), ann.link(E="1"), ann.ask("DELETE")]
            for answer in await asyncio.gather(*asked):
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            proxy.black_hole = False


async def test_nothing_said_of_people_reaches_a_key_a_log_a_metric_or_an_error(clean_url: str, tmp_path: Path):
    """prof:P10, gw:S6, gw:Q3."""
    changes = {"GATEWAY_LOG__LEVEL": "debug", "GATEWAY_LOG__ACCESS": "true", "PYTHONASYNCIODEBUG": "1"}
    async with run_process(clean_url, tmp_path, changes) as gateway, connected(clean_url) as store:
        ann = Person(Stage(gateway, gateway.stand_in, gateway.http), "CnryNs", "Cnry-Ünï/x@example.com")
        answers = [
            await ann.put({"a": "CnryAttr"}),
            await ann.add({"_id": "CnryEvent"}),
            await ann.link(Two="CnryTwo"),
            await ann.read(),
            await ann.ask("GET", "/events?limit=CnryLimit"),
            await ann.put(b"CnryBody"),
            await ann.patch({"a": 1}, If_Match='"CnryTag"'),
            await ann.ask("POST", "/CnryPath"),
            await other(ann, "CnryNs!", "CnryOther").read(),
            await other(ann, "CnryNs", "CnryOther").link(Two="CnryTwo"),
            await other(ann, "CnryNs", "CnryGone").read(),
        ]
        taken = await store.call("KEYS", "*")
        answers.append(await ann.ask("DELETE"))
        taken += await store.call("KEYS", "*")
        metrics = (await gateway.get(f"{gateway.admin}/metrics")).raw
        await gateway.stop()
        log = gateway.log.read_bytes()
    statuses = [answer.status for answer in answers]
    assert statuses == [201, 202, 200, 200, 400, 400, 409, 404, 400, 409, 404, 204]
    refused = [answer.raw for answer in answers if answer.status >= 400]
    assert sum(b"profile:" in key for key in taken) > 8
    assert log.count(b"/v1/profiles/{namespace}/{id}") >= 11
    for said in (*refused, *taken, metrics, log):
        assert b"cnry" not in said.lower()
        assert b"%40example" not in said.lower()
