"""docs/operate.md is true: every name an operator may meet is in it, and it names nothing that is not there."""

import re
from typing import get_args

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.config import Settings
from gateway.errors import UpstreamError
from gateway.offers.capping import Unavailable
from gateway.store.notifications import STREAM
from tests.deploy.places import DEPLOY, OPERATE, ROOT
from tests.stage import run_stage

_TEXT = OPERATE.read_text(encoding="utf-8")
_SOURCES = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "gateway").rglob("*.py")) if "demo" not in path.parts
)
_EVENT = (
    r"(?:get_log\(\)\.\w+|log\.\w+|report|count_event)\(\s*\"([a-z]+\.[a-z_]+)\""
    r"|_Fact, tag=\"([a-z.]+)\""
)


def column(heading: str, number: int = 0) -> set[str]:
    """Give what stands in backticks in a column of the first table below a heading."""
    rows = re.search(rf"^## {heading}$.*?^((?:\|[^\n]*\n)+)", _TEXT, re.DOTALL | re.MULTILINE)
    assert rows is not None, heading
    return {name for row in rows[1].splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[number + 1])}


def reasons() -> set[str]:
    """Give every reason found in the sources: words noted as lost, and the codes of upstream errors."""
    found = set(re.findall(r"(?:lost\.append|\.lose|_note_unsent\(walk,|count_degraded)[( ]\"([^\"]+)\"", _SOURCES))
    found |= {f"caps-{mode}" for mode in get_args(msgspec.structs.fields(Unavailable)[0].type)}
    kinds = [UpstreamError]
    for kind in kinds:
        found.add(kind.code)
        kinds.extend(kind.__subclasses__())
    return found


def events() -> set[str]:
    """Give every event found in the sources."""
    return {name for match in re.findall(_EVENT, _SOURCES) for name in match if name}


def test_the_sources_are_read_as_meant():
    assert {"session-store", "artifact", "upstream-timeout"} <= reasons()
    assert {"server.started", "artifact.failed", "delivery.answered", "web.failed"} <= events()
    noted = r"(?:lost\.append|\.lose)\("
    assert len(re.findall(noted, _SOURCES)) == len(re.findall(noted + r"(?:\"|error\.code|reason)", _SOURCES)), (
        "a reason is noted in a way this test does not see"
    )


def test_every_degraded_reason_is_explained_and_no_other():
    assert column("Reasons for degraded answers") == reasons()


def test_every_log_event_is_explained_and_no_other():
    assert column("Log events") == events()


async def test_every_metric_is_explained_and_no_other(redis_url):
    async with run_stage(redis_url) as stage:
        await stage.post(
            {"context": {"channel": "web"}, "execute": {"mboxes": [{"index": 1, "name": "homepage-hero"}]}}
        )
        text = (await stage.admin("/metrics")).raw.decode()
    exposed = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text)
        if not family.name.endswith("_created")
    }
    assert "gateway_answers_total" in exposed
    assert column("Metrics") == exposed
    told = {re.sub("_bucket$", "", name) for name in re.findall(r"\bgateway_[a-z_]+", _TEXT)}
    assert told <= exposed


async def test_readiness_tells_what_the_page_says(redis_url):
    async with run_stage(redis_url) as stage:
        for page in column("Health"):
            assert (await stage.admin(page)).status == 200, page
        assert {"store_connected", "artifacts"} <= set((await stage.admin("/health/ready")).body)
        stage.running.services.draining = True
        assert (await stage.admin("/health/ready")).status == 503


def test_every_setting_the_page_names_exists():
    named = set(re.findall(r"`(web|redis|outbox|log|upstream\.target)\.([a-z-]+)[ `]", _TEXT))
    assert ("web", "drain-ms") in named
    for table, key in {pair for pair in named if ".".join(pair) not in events()}:
        place = Settings()
        for part in [*table.split("."), key]:
            place = getattr(place, part.replace("-", "_"))


def test_the_stream_has_the_name_the_page_gives():
    assert STREAM.decode() in _TEXT


@pytest.mark.parametrize("path", sorted(column("More than one gateway")))
def test_every_shipped_file_the_page_names_exists(path):
    assert (DEPLOY / path).exists()
