"""What tests of stores share."""

import pytest

from gateway.config import Profiles as Settings
from gateway.store.connection import Store
from gateway.store.keys import Keys
from gateway.store.profiles import Profiles


@pytest.fixture
def profiles(store: Store, keys: Keys) -> Profiles:
    """Give the profiles of an empty Redis, acknowledged at once."""
    return Profiles(store, keys, Settings(durability="memory"))
