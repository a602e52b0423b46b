"""Ids (spec get-offers §5)."""

import os
import re
import uuid

from gateway.ids import new_id


def test_an_id_is_a_random_uuid_without_dashes() -> None:
    for _ in range(600):  # more than are drawn at once
        made = new_id()
        assert re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", made)
        assert uuid.UUID(made).version == 4
        assert uuid.UUID(made).variant == uuid.RFC_4122


def test_no_two_are_the_same() -> None:
    assert len({new_id() for _ in range(20_000)}) == 20_000


def test_every_digit_varies() -> None:
    made = [new_id() for _ in range(2000)]
    kinds = [len({one[place] for one in made}) for place in range(32)]
    assert kinds == [16] * 12 + [1] + [16] * 3 + [4] + [16] * 15


def test_a_forked_process_has_ids_of_its_own() -> None:
    new_id()  # many have been drawn
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, new_id().encode())
        os._exit(0)
    own = new_id()
    os.waitpid(child, 0)
    assert os.read(read, 32).decode() != own
    os.close(read)
    os.close(write)
