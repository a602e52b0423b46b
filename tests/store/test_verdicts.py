"""What a script answers to a write, as a verdict."""

import pytest

from gateway.errors import StoreError
from gateway.offers.instances import Conflict, Deleting, Missing, Refused, Saved, Stale
from gateway.store.verdicts import read_verdict


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ([b"saved", b"1700000000000001"], Saved(1_700_000_000_000_001)),
        ([b"conflict", b"3"], Conflict(3)),
        ([b"missing"], Missing()),
        ([b"deleting", b"op"], Deleting("op")),
        ([b"stale"], Stale()),
        ([b"refused", b"a", b"/x", b"b", b"/y"], Refused((("a", "/x"), ("b", "/y")))),
    ],
)
def test_a_reply_is_its_name_and_what_belongs_to_it(reply, verdict):
    assert read_verdict(reply) == verdict


@pytest.mark.parametrize("reply", [None, [], [b"unknown"], [b"saved"], [b"saved", b"x"], 7, [b"refused", b"a"]])
def test_a_reply_of_another_shape_is_an_error(reply):
    with pytest.raises(StoreError):
        read_verdict(reply)
