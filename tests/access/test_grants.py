"""What profiles allow (spec repository C1, C2, §0 X1), and how often accounts may call."""

from gateway.access.accounts import Account
from gateway.access.entitlement import is_loopback
from gateway.access.grants import make_grants
from gateway.access.rates import Rates
from gateway.config import Profile
from gateway.offers.instances import Space

PROFILES = {
    "all": Profile(organization="O", sandboxes=["*"], write=["*"], create=True),
    "readers": Profile(organization="O", sandboxes=["prod"], read=["*"]),
    "one": Profile(organization="O", sandboxes=["prod"], read=["a"], write=["b"]),
    "elsewhere": Profile(organization="P", sandboxes=["prod"], write=["*"], create=True),
}
PROD = Space("O", "prod")


def grants(*profiles: str, space: Space = PROD):
    return make_grants(PROFILES, Account("x", ("O",), profiles), space)


def test_access_is_read_or_write_for_each_container():
    """repo:C2: writing includes reading."""
    mine = grants("one")
    assert [mine.may_read(name) for name in "abc"] == [True, True, False]
    assert [mine.may_write(name) for name in "abc"] == [False, True, False]
    assert not mine.may_create


def test_a_profile_can_be_granted_all_containers():
    """repo:X1."""
    assert grants("all").may_write("anything")
    assert grants("all").may_create
    assert grants("readers").may_read("anything")
    assert not grants("readers").may_write("anything")


def test_an_account_has_the_sum_of_its_profiles():
    """repo:C1."""
    mine = grants("readers", "one")
    assert (mine.may_read("c"), mine.may_write("c"), mine.may_write("b")) == (True, False, True)


def test_profiles_of_other_organisations_and_sandboxes_count_for_nothing():
    """repo:H12."""
    assert grants("elsewhere", "unknown").profiles == ()
    assert not grants("elsewhere").may_read("a")
    assert grants("one", space=Space("O", "dev")).profiles == ()
    assert grants("all", space=Space("O", "dev")).may_write("a")


def test_the_creators_profiles_own_a_container():
    """repo:X1."""
    assert grants("one").may_write("z", owners=("one",))
    assert not grants("readers").may_write("z", owners=("one",))
    assert not grants("elsewhere").may_read("z", owners=("elsewhere",))


def test_an_account_makes_as_many_requests_a_second_as_it_may():
    now = [0.0]
    rates = Rates(2, lambda: now[0])
    assert [rates.take("a"), rates.take("a")] == [0.0, 0.0]
    assert rates.take("a") == 0.5
    assert rates.take("b") == 0.0
    now[0] = 0.5
    assert rates.take("a") == 0.0
    assert rates.take("a") > 0
    now[0] = 100.0
    assert [rates.take("a") for _ in range(3)][:2] == [0.0, 0.0]


def test_no_more_accounts_are_counted_than_a_bound():
    rates = Rates(1, lambda: 0.0)
    for number in range(10_100):
        rates.take(str(number))
    assert len(rates._buckets) == 10_000


def test_without_a_rate_nothing_is_counted():
    rates = Rates(0, lambda: 0.0)
    assert not any(rates.take("a") for _ in range(1000))


def test_loopback_is_only_this_machine():
    assert all(map(is_loopback, ["127.0.0.1:8080", "[::1]:1", "localhost:0", "127.1.2.3:0"]))
    assert not any(map(is_loopback, ["0.0.0.0:8080", "[::]:1", "10.0.0.1:1", "example.com:1", ":8080"]))
