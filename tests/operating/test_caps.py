"""`gateway caps` and `gateway events` on a real Redis: what is shown, reset, compared and printed (gw:C6, dec:EV1)."""

import asyncio

import msgspec
import pytest

from gateway.__main__ import main
from gateway.config import Events, Settings
from gateway.offers.capping import Granted, Unavailable
from gateway.store.cap_keys import CapKeys
from gateway.store.decision_events import DecisionEvents
from tests.store.cap_stage import SPACE, claim_one, open_caps
from tests.store.test_caps import claim

WHERE = ["--organization", SPACE.organization, "--sandbox", SPACE.sandbox, "--container", "shop"]

CLIENT = '[client.acme]\norganization-id = "0123456789ABCDEF01234567@AdobeOrg"\n'


@pytest.fixture(autouse=True)
def logs(monkeypatch):
    """Leave logs as they are: they would go to the stderr of one test for all tests that follow."""
    monkeypatch.setattr("gateway.__main__.set_up_logs", lambda _level: None)


@pytest.fixture
def gateway(redis_url, store, tmp_path, monkeypatch):
    """Run a command of `gateway` on the tests' Redis, away from this loop; give its exit status."""
    config = tmp_path / "gateway.toml"
    config.write_text(f'[caps]\nrecord = "{tmp_path}/epoch"\ntimeout-ms = 10000\n{CLIENT}')
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("GATEWAY_KEY_SECRET", "a secret of the tests")

    async def run(*arguments):
        command, action, *rest = arguments
        return await asyncio.to_thread(main, [command, "--config", str(config), action, *rest])

    return run


def decision(proposition, *offers, counted=True):
    return {
        "xdm:propositionId": proposition,
        "gw:container": "shop",
        "gw:counted": counted,
        "xdm:propositions": [{"xdm:options": [{"xdm:id": offer} for offer in offers]}, {"xdm:fallback": {}}],
    }


async def record(caps, *events):
    """Write decision events."""
    stream = DecisionEvents(caps._nodes, CapKeys(b"a secret of the tests", 1), Events())
    for event in events:
        stream.put(SPACE, event)
    await stream.flush()


async def test_show_and_reset_of_an_offer(gateway, redis_url, tmp_path, capsys):
    async with open_caps(redis_url, str(tmp_path / "epoch")) as caps:
        for offer in ("a", "a", "b"):
            await claim(caps, claim_one(offer, 9))
        assert await gateway("caps", "show", *WHERE) == 0
        assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["2", "a"], ["1", "b"]]
        assert await gateway("caps", "reset", *WHERE, "--offer", "a") == 0
        assert "2 counters of a deleted" in capsys.readouterr().out
        assert await caps.show(SPACE, "shop") == {"b": 1}


async def test_reset_of_the_epoch_opens_caps_again(gateway, redis_url, store, tmp_path, capsys):
    async with open_caps(redis_url, str(tmp_path / "epoch")) as caps:
        await claim(caps, claim_one("a", 9))
        await store.call("FLUSHALL")
        assert await claim(caps, claim_one("a", 9)) == Unavailable("closed")
        assert await gateway("caps", "reset", "--epoch") == 0
        assert "a new epoch has begun" in capsys.readouterr().out
        assert await claim(caps, claim_one("a", 9)) == Granted()


async def test_audit_agrees_where_every_decision_was_counted(gateway, redis_url, tmp_path, capsys):
    """Reliability C13; an event that was written twice is one decision."""
    async with open_caps(redis_url, str(tmp_path / "epoch")) as caps:
        for offer in ("a", "a", "b"):
            await claim(caps, claim_one(offer, 9))
        await record(caps, decision("1", "a", "b"), decision("1", "a", "b"), decision("2", "a"))
        assert await gateway("caps", "audit", *WHERE) == 0
        assert "counted by" not in capsys.readouterr().out


async def test_audit_reports_any_difference(gateway, redis_url, tmp_path, capsys):
    async with open_caps(redis_url, str(tmp_path / "epoch")) as caps:
        await claim(caps, claim_one("more", 9))
        await record(caps, decision("1", "less", "less"), decision("2", "waived", counted=False))
        assert await gateway("caps", "audit", *WHERE) == 1
        shown = capsys.readouterr().out
        assert "more  more counted by 1" in shown
        assert "less  LESS counted by 2" in shown
        assert "uncounted while Redis was away          1  waived" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show"], "name the container"),
        (["reset", *WHERE], "say what to reset"),
        (["show", "--epoch"], "belongs to"),
    ],
)
async def test_a_command_that_says_too_little_is_told_what_is_missing(gateway, capsys, arguments, said):
    assert await gateway("caps", *arguments) == 2
    assert said in capsys.readouterr().err


async def test_without_a_redis_the_command_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("REDIS_URL", raising=False)
    config = tmp_path / "gateway.toml"
    config.write_text(f'[redis]\ndata-dir = "{tmp_path}/none"\n{CLIENT}')
    assert await asyncio.to_thread(main, ["caps", "--config", str(config), "show", *WHERE]) == 2
    assert "no private server runs" in capsys.readouterr().err
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nobody")
    monkeypatch.setenv("GATEWAY_KEY_SECRET", "s")
    assert await asyncio.to_thread(main, ["caps", "--config", str(config), "show", *WHERE]) == 2
    assert "cannot be reached" in capsys.readouterr().err


async def test_tail_prints_the_newest_or_all(gateway, redis_url, tmp_path, capsys):
    async with open_caps(redis_url, str(tmp_path / "epoch")) as caps:
        await record(caps, *(decision(f"{number}", "a") for number in range(12)))
        assert await gateway("events", "tail", "--lines", "3", "--once") == 0
        lines = [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["event"]["xdm:propositionId"] for line in lines] == ["9", "10", "11"]
        assert {line["kind"] for line in lines} == {"decision"}
        assert await gateway("events", "tail", "--all", "--once") == 0
        assert len(capsys.readouterr().out.splitlines()) == 12


@pytest.mark.parametrize(("command", "taught"), [("caps", "reset --epoch"), ("events", "--once")])
def test_help_teaches(capsys, command, taught):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert taught in capsys.readouterr().out


def test_settings_have_defaults_that_are_safe():
    assert Settings().caps.when_store_fails == "closed"
    assert not Settings().caps.allow_eviction
