"""Key names: no raw ids (gw:S6), one hash tag a session, no two sessions alike."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.store.keys import Keys

TEXTS = st.text(st.characters(codec=None), max_size=40)  # surrogates too: a session id is hostile text


def test_a_session_key_is_a_tag_of_client_and_hash(keys):
    assert re.fullmatch(rb"\{acme:[0-9a-f]{32}\}:session", keys.session("acme", "d359234570e04f14e1faeeba02d6ab99914e"))


@given(TEXTS)
def test_every_session_key_has_the_same_shape_whatever_the_session_id(session_id):
    """gw:S6: only a hash can do that."""
    assert re.fullmatch(rb"\{acme:[0-9a-f]{32}\}:session", Keys(b"secret").session("acme", session_id))


@given(TEXTS, TEXTS)
def test_two_sessions_have_two_keys(first, second):
    keys = Keys(b"secret")
    assert (keys.session("acme", first) == keys.session("acme", second)) == (first == second)


def test_a_letter_that_moves_from_client_to_session_makes_another_key(keys):
    assert keys.session("ab", "c").split(b":")[1] != keys.session("a", "bc").split(b":")[1]


@pytest.mark.parametrize("other", [b"b", b"a" * 64, b"a" * 65, b"a" * 66])
def test_another_secret_makes_another_key(other):
    assert Keys(b"a").session("acme", "s") != Keys(other).session("acme", "s")


def test_no_secret_is_refused():
    with pytest.raises(ConfigError, match="key-secret-env"):
        Keys(b"")
