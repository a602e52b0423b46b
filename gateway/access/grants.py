"""What an account may see and change in one sandbox (spec repository C1, C2, §0 X1).

Grants are made to product profiles in the configuration; a container also keeps the profiles of whoever created it.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from gateway.access.accounts import Account
from gateway.config import Profile
from gateway.offers.instances import Space

_ALL = "*"


class Grants(Struct, frozen=True):
    """The sum of an account's grants in a sandbox; `profiles` are those that count here.

    `people` are whom the profile endpoints know (prof:P1); product profiles are something else.
    """

    read: frozenset[str]
    write: frozenset[str]
    may_create: bool
    profiles: tuple[str, ...]
    may_read_people: bool = False
    may_write_people: bool = False

    def may_read(self, container: str, owners: Collection[str] = ()) -> bool:
        """Whether a container is visible; `owners` are the profiles of its creator."""
        return _covers(self.read, container) or self.may_write(container, owners)

    def may_write(self, container: str, owners: Collection[str] = ()) -> bool:
        """Whether a container and what is in it may be changed."""
        return _covers(self.write, container) or not set(self.profiles).isdisjoint(owners)


def make_grants(profiles: Mapping[str, Profile], account: Account, space: Space) -> Grants:
    """Give what `account` may do in `space`."""
    names = tuple(name for name in account.profiles if name in profiles and _is_in(profiles[name], space))
    counted = [profiles[name] for name in names]
    return Grants(
        read=frozenset(container for profile in counted for container in profile.read),
        write=frozenset(container for profile in counted for container in profile.write),
        may_create=any(profile.create for profile in counted),
        profiles=names,
        may_read_people=any(profile.people != "none" for profile in counted),
        may_write_people=any(profile.people == "write" for profile in counted),
    )


def _is_in(profile: Profile, space: Space) -> bool:
    return profile.organization == space.organization and _covers(profile.sandboxes, space.sandbox)


def _covers(names: Collection[str], name: str) -> bool:
    return _ALL in names or name in names
