"""Who was found once is found again by the same headers, with the same answer to everything else (repository §2)."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.access import entitlement as room
from gateway.access.entitlement import Entitlement
from gateway.config import Access, Organization, Profile, Settings, StaticToken
from gateway.errors import Problem
from gateway.web.callers import Caller, find_caller, find_known_caller


def token(text: str, **more: Any) -> StaticToken:
    return StaticToken(sha256=hashlib.sha256(text.encode()).hexdigest(), account=text, profiles=["p"], **more)


def enter(**more: Any) -> Entitlement:
    access = Access(
        organization={"O": Organization(sandboxes=["prod"], api_keys=["key"])},
        token={"a": token("a", organizations=["O"]), "b": token("b", organizations=["Other"])},
        profile={"p": Profile(organization="O", sandboxes=["prod"], read=["*"])},
        **more,
    )
    return Entitlement(Settings(access=access), {}, None)


GOOD = {"Authorization": "Bearer a", "x-api-key": "key", "x-gw-ims-org-id": "O", "x-sandbox-name": "prod"}
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "authorization": st.sampled_from(["Bearer a", "bearer  a", "Bearer b", "Bearer c", ""]),
        "x-api-key": st.sampled_from(["key", "other", ""]),
        "X-GW-IMS-Org-Id": st.sampled_from(["O", "Other", ""]),
        "x-sandbox-name": st.sampled_from(["prod", "dev", ""]),
        "x-request-id": st.sampled_from(["one", "not one", ""]),
    },
)


async def find_anew(entitlement: Entitlement, headers: CIMultiDict[str]) -> Caller | tuple[int, str]:
    try:
        return await find_caller(entitlement, headers)
    except Problem as problem:
        return problem.status, problem.code


async def find_again(entitlement: Entitlement, headers: CIMultiDict[str]) -> Caller | tuple[int, str]:
    try:
        return find_known_caller(entitlement, headers) or await find_caller(entitlement, headers)
    except Problem as problem:
        return problem.status, problem.code


@given(st.lists(HEADERS | st.just(GOOD), min_size=1, max_size=6))
async def test_what_is_remembered_changes_no_answer(asked: list[dict[str, str]]) -> None:
    """Repository §9.7, steps 2 to 4."""
    remembering, forgetful = enter(), enter()
    for headers in asked:
        found = await find_again(remembering, CIMultiDict(headers))
        assert found == await find_anew(forgetful, CIMultiDict(headers))


async def test_a_known_caller_is_found_with_one_look_until_its_token_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Repository H1: a token may have expired, or its key have been withdrawn."""
    entitlement, headers = enter(), CIMultiDict(GOOD)
    now = [1000.0]
    monkeypatch.setattr(room.time, "time", lambda: now[0])
    assert find_known_caller(entitlement, headers) is None
    caller = await find_caller(entitlement, headers)
    assert find_known_caller(entitlement, headers) == caller
    entitlement.remember(tuple(GOOD.values()), caller, 1100.0)
    now[0] = 1099.0
    assert find_known_caller(entitlement, headers) == caller
    now[0] = 1100.0
    assert find_known_caller(entitlement, headers) is None


async def test_a_known_caller_makes_no_more_requests_than_it_may() -> None:
    """Repository §9.7 step 3."""
    entitlement, headers = enter(requests_per_s=3), CIMultiDict(GOOD)
    answers = [await find_again(entitlement, headers) for _ in range(5)]
    assert [isinstance(each, Caller) for each in answers] == [True, True, True, False, False]
    assert answers[3:] == [(429, "too-many-requests")] * 2
