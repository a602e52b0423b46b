"""`/v1/get-offers` of a gateway set up in another way, or without its store (spec get-offers; gw:S5, S8, S10)."""

from pathlib import Path

from tests.stage import run_stage
from tests.store.faults import FaultProxy
from tests.web.envelopes import BOTH, FAR, HERO, call, get


async def test_the_cookie_option_is_data_whatever_becomes_of_browsers_cookies(bundled_url: str) -> None:
    """gw:S8, §5."""
    async with run_stage(bundled_url, {"GATEWAY_WEB__READ_COOKIES": "false"}) as stage:
        envelope = await get(stage, HERO | {"target_cookie": f"session#s#{FAR}|PC#abc#{FAR}"})
        assert envelope["response"]["id"]["tntId"] == "abc"


async def test_without_redis_a_stitched_call_still_has_an_sdid_and_tells_which(clean_url: str, tmp_path: Path) -> None:
    """gw:S5; §8: always one; §12: the request as it was sent. Also for what is decided here alone."""
    async with FaultProxy(clean_url, tmp_path) as proxy, run_stage(proxy.url) as stage:
        proxy.black_hole = True
        known = {"session_id": "page", "target_cookie": f"PC#abc.35_0#{FAR}"}
        for asked, at in ((BOTH, "remote"), (HERO, "local")):
            envelope = await get(stage, asked | known | {"consumer_id": at})
            assert envelope["meta"]["degraded"] == ["session-store"]
            told = envelope["request"]["experienceCloud"]["analytics"]["supplementalDataId"]
            assert envelope["visitor_state"]["DEMO@AdobeOrg"]["sdid"]["supplementalDataIDCurrent"] == told
            if at == "remote":
                assert [
                    sent.body["experienceCloud"]["analytics"]["supplementalDataId"] for sent in stage.stand_in.requests
                ] == [told]


async def test_on_device_for_a_client_without_an_engine_is_refused(bundled_url: str) -> None:
    """§10.1: the engine exists only where the client's method needs it."""
    async with run_stage(bundled_url, {"GATEWAY_CLIENT__DEMO__METHOD": "server-side"}) as stage:
        answer = await call(stage, HERO | {"decisioning_method": "on-device"})
        assert (answer.status, answer.body["message"].endswith("$.decisioning_method")) == (400, True)
        envelope = await get(stage, HERO | {"decisioning_method": "hybrid"})
        assert envelope["meta"] == {"decisioning_method": "server-side", "remote_mboxes": [], "remote_views": []}


async def test_without_keep_clients_the_edge_is_told(bundled_url: str) -> None:
    """§4.4, §6; gw:S8, S10."""
    async with run_stage(bundled_url, {"GATEWAY_WEB__KEEP_CLIENTS": "false"}) as stage:
        envelope = await get(stage, BOTH)
    assert envelope["target_location_hint_cookie"] == {"name": "mboxEdgeCluster", "value": "35", "max_age": 1860}
    assert envelope["response"]["edgeHost"] == "mboxedge35.tt.omtrdc.net"
    assert envelope["response"]["id"]["tntId"].endswith(".35_0")
