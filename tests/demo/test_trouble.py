"""The stand-in goes wrong as told, and only then."""

import asyncio

import aiohttp
import msgspec
import pytest

from gateway.demo.trouble import BOMB_BYTES, HUGE_BYTES, Trouble

NOTIFIED = {"notifications": [{"id": "n1", "type": "display", "timestamp": 1_700_000_000_000, "tokens": ["t1"]}]}


async def test_a_status_is_answered_with_an_error_object_for_the_next_calls_only(caller, stand_in):
    await caller.control("PUT", {"status": 503, "times": 2})
    for _ in range(2):
        status, answer = await caller.deliver(NOTIFIED)
        assert (status, answer["status"]) == (503, 503)
    assert not stand_in.notifications
    assert (await caller.deliver(NOTIFIED))[0] == 200
    assert len(stand_in.notifications) == 1


async def test_a_redirect_points_somewhere_that_must_not_be_followed(caller, stand_in):
    stand_in.trouble = Trouble(status=302)
    assert (await caller.deliver())[0] == 302


@pytest.mark.parametrize(
    ("kind", "error"),
    [("drop", aiohttp.ServerDisconnectedError), ("truncate", aiohttp.ClientPayloadError)],
)
async def test_a_connection_that_ends_too_early_is_seen_as_such(caller, stand_in, kind, error):
    stand_in.trouble = Trouble(**{kind: True})
    with pytest.raises(error):
        await caller.deliver(NOTIFIED)
    assert len(stand_in.notifications) == (1 if kind == "truncate" else 0)


async def test_garbage_is_not_json(caller, stand_in):
    stand_in.trouble = Trouble(garbage=True)
    with pytest.raises(msgspec.DecodeError):
        await caller.deliver()


async def test_the_wrong_shape_is_json_with_wrong_types(caller, stand_in):
    stand_in.trouble = Trouble(wrong_shape=True)
    status, answer = await caller.deliver()
    assert status == 200
    assert not isinstance(answer["id"], dict)
    assert isinstance(answer["prefetch"], list)


async def test_a_huge_answer_is_valid_and_longer_than_6_mb(caller, stand_in):
    stand_in.trouble = Trouble(huge=True)
    async with caller.http.post(f"{caller.url}/rest/v1/delivery?client=demo&sessionId=s", data=CALL) as response:
        raw = await response.read()
    assert len(raw) > HUGE_BYTES
    assert msgspec.json.decode(raw)["status"] == 200


async def test_a_gzip_bomb_is_small_on_the_wire_and_large_inside(caller, stand_in):
    stand_in.trouble = Trouble(gzip_bomb=True)
    async with caller.http.post(f"{caller.url}/rest/v1/delivery?client=demo&sessionId=s", data=CALL) as response:
        assert int(response.headers["Content-Length"]) < BOMB_BYTES / 500
        read = 0
        async for chunk in response.content.iter_chunked(1 << 20):
            read += len(chunk)
    assert read > BOMB_BYTES


async def test_a_slow_drip_comes_in_pieces_and_is_complete(caller, stand_in):
    stand_in.trouble = Trouble(slow_drip=True)
    async with caller.http.post(f"{caller.url}/rest/v1/delivery?client=demo&sessionId=s", data=CALL) as response:
        pieces = [piece async for piece in response.content.iter_any()]
    assert len(pieces) > 1
    assert msgspec.json.decode(b"".join(pieces))["status"] == 200


async def test_a_hanging_call_holds_its_place_until_the_caller_leaves(caller, stand_in):
    stand_in.trouble = Trouble(hang=True, times=1)
    hanging = asyncio.create_task(caller.deliver())
    await stand_in.wait_received(1)
    assert stand_in.in_flight == 1
    hanging.cancel()
    assert (await caller.deliver())[0] == 200
    assert stand_in.in_flight == 0


async def test_a_hanging_call_ends_when_the_stand_in_stops(caller, stand_in):
    stand_in.trouble = Trouble(hang=True)
    hanging = asyncio.create_task(caller.deliver())
    await stand_in.wait_received(1)
    await stand_in.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await hanging


async def test_only_calls_that_hold_a_named_mbox_meet_it(caller, stand_in):
    stand_in.trouble = Trouble(status=500, times=1, mboxes=("hero",))
    other, hero = ({"prefetch": {"mboxes": [{"index": 1, "name": name}]}} for name in ("other", "hero"))
    assert [(await caller.deliver(body))[0] for body in (other, None, hero, hero)] == [200, 200, 500, 200]


async def test_trouble_can_be_meant_for_the_artifact_or_the_look_up(caller, stand_in):
    stand_in.trouble = Trouble(status=503, on="artifact", times=1)
    assert (await caller.get("/v1/geo"))[0] == 200
    assert (await caller.deliver())[0] == 200
    path = "/artifact/demo/production/v1/rules.json"
    assert [(await caller.get(path))[0] for _ in range(2)] == [503, 200]
    stand_in.trouble = Trouble(garbage=True, on="geo")
    assert (await caller.get("/v1/geo", {"X-Forwarded-For": "203.0.113.5"}))[1].startswith(b"<html>")


@pytest.mark.parametrize(
    "told",
    [
        {"nope": True},
        {"status": 200},
        {"delay_ms": -1},
        {"times": -1},
        {"drop": True, "hang": True},
        {"on": "moon"},
        [],
    ],
)
async def test_a_trouble_that_is_not_known_is_refused_and_changes_nothing(caller, stand_in, told):
    await caller.control("PUT", {"status": 500})
    status, answer = await caller.control("PUT", told)
    assert (status, answer["status"]) == (400, 400)
    assert stand_in.trouble == Trouble(status=500)


async def test_control_shows_what_was_seen_and_delete_ends_the_trouble(caller, stand_in):
    await caller.deliver(NOTIFIED)
    assert (await caller.control("PUT", {"status": 500, "times": 3}))[1]["trouble"] == {"status": 500, "times": 3}
    assert (await caller.control("DELETE"))[1]["trouble"] is None
    assert stand_in.trouble is None
    status, seen = await caller.control("GET")
    assert status == 200
    assert {name: seen[name] for name in ("received", "in_flight", "max_in_flight_per_session", "impressions")} == {
        "received": 1,
        "in_flight": 0,
        "max_in_flight_per_session": 1,
        "impressions": {"t1": 1},
    }
    assert seen["notifications"] == NOTIFIED["notifications"]
    assert seen["connections"] == stand_in.connections >= 1
    assert (await caller.control("POST", {}))[0] == 405


CALL = b'{"context":{"channel":"web"}}'
