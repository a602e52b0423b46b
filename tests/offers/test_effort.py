"""Which decisions are long: the estimate grows with what there is to look at."""

from typing import Any

import pytest

from gateway.offers.decide import resolve
from gateway.offers.decision_requests import read_request
from gateway.offers.effort import estimate_effort
from gateway.offers.model import ProfileView
from tests.offers.containers import activity, body, collection, compiled, fallback, offer, placement, rule

MANY = [offer(f"x{at}", rule="r", tags="t") for at in range(500)]
BASE = [placement(), fallback(), collection("F", "t", "anyTags"), activity("A", "F"), rule("r", "true")]
FEW, FULL = compiled(offer("X", tags="t"), *BASE), compiled(*MANY, *BASE)
PER_OFFER = compiled(*MANY, *BASE, rule("r", "offer.name = 'x'", revision=2))
PLAIN, EVENTFUL = ProfileView("p"), ProfileView("p", events=({},) * 1000)


def effort(catalog: Any, view: ProfileView = PLAIN, **members: Any) -> int:
    return estimate_effort(resolve(catalog, read_request(body("A", **members))), view)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (effort(FEW), effort(FULL)),
        (effort(FULL), effort(PER_OFFER)),
        (effort(FULL), effort(FULL, EVENTFUL)),
        (effort(FULL), effort(FULL, **{"gw:trace": True})),
    ],
    ids=["candidates", "rules about the offer", "events", "trace"],
)
def test_what_takes_longer_is_estimated_longer(less: int, more: int) -> None:
    assert 0 <= less < more
