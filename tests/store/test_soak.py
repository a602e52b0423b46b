"""The soak of `make soak`, small: eight processes against one cap, none granted too much (gw:C1, C3)."""

import pytest

from tests.load.soak import Load, soak


@pytest.mark.parametrize("kind", ["single", "cluster"])
def test_eight_processes_never_exceed_a_cap(kind):
    """Grants are min(attempts, cap)."""
    load = Load(attempts=20_000, cap=2_000)
    outcome = soak(kind, load)
    assert (outcome.granted, outcome.counted, outcome.unavailable) == (2_000, 2_000, 0)


@pytest.mark.parametrize("kind", ["single", "cluster"])
def test_killed_workers_leave_nothing_above_a_cap(kind):
    load = Load(attempts=4_000, cap=1_000, processes=4, tasks=50, kills=3, pause_s=0.3)
    outcome = soak(kind, load)
    assert outcome.granted <= outcome.counted <= 1_000
