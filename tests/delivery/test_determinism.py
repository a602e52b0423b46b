"""A known visitor is always decided alike: by the same artifact, loaded again, in one request or in several (§8)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.artifact import read_artifact
from gateway.demo.assets import read_artifact as read_shop
from tests.delivery.decisions import decide_body

RAW = read_shop()
ONE, OTHER = read_artifact(RAW), read_artifact(RAW)
NAMES = sorted(name for name in ONE.mboxes if name != ONE.global_mbox)


def ask(names: list[str], tier: str) -> dict[str, Any]:
    mboxes = [{"index": at, "name": name, "parameters": {"tier": tier}} for at, name in enumerate(names)]
    return {"prefetch": {"mboxes": mboxes, "views": [{}], "pageLoad": {}}}


@given(st.text(min_size=1), st.lists(st.sampled_from(NAMES), min_size=1, max_size=5), st.sampled_from(["gold", "none"]))
def test_a_known_visitor_is_always_decided_alike(visitor: str, names: list[str], tier: str) -> None:
    whole = decide_body(ONE, ask(names, tier), bucketing_id=visitor)
    assert decide_body(OTHER, ask(names, tier), bucketing_id=visitor) == whole
    alone = [
        decide_body(ONE, ask([name], tier), bucketing_id=visitor).response["prefetch"]["mboxes"][0] for name in names
    ]
    together = whole.response["prefetch"]["mboxes"]
    assert [mbox | {"index": 0} for mbox in together] == [mbox | {"index": 0} for mbox in alone]
