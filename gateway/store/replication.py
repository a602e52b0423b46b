"""Whether replicas have what a primary acknowledged: `caps.safety = "strict"` (gw:C5).

All who ask in one turn of the loop share one WAIT. Redis answers with how many replicas have everything this connection
had written, also when its time is up, so the number is what counts. An answer from another connection than the one that
was written to would tell of another server, perhaps one that was promoted without the write: it is not believed.
"""

import asyncio

from gateway.errors import StoreError, StoreTimeout
from gateway.store.connection import Store


class Replication:
    """The replicas that have to confirm, and how long they are waited for."""

    def __init__(self, replicas: int, patience_ms: int) -> None:
        """Ask for `replicas`, 0 for none; `patience_ms` has to be less than the timeout of a command."""
        self.replicas = replicas
        self._patience_ms = max(1, patience_ms)  # 0 would wait for ever
        self._asked: dict[int, asyncio.Task[int]] = {}

    async def confirm(self, store: Store, connection: int) -> None:
        """Return when enough replicas have what was written before.

        `connection` is `store.counts.reconnected` from before the write. Raises StoreError when it is not confirmed.
        """
        if not self.replicas:
            return
        asked = self._asked.get(id(store))
        if asked is None:
            asked = self._asked[id(store)] = asyncio.create_task(self._ask(store), name="store.wait")
        confirmed = await asyncio.shield(asked)
        if store.counts.reconnected != connection:
            raise StoreTimeout("The connection to Redis was lost before its replicas confirmed a write")
        if confirmed < self.replicas:
            raise StoreTimeout(f"{confirmed} of {self.replicas} replicas of Redis confirmed a write in time")

    async def _ask(self, store: Store) -> int:
        del self._asked[id(store)]  # whoever comes from now on has written later
        try:
            return int(await store.call("WAIT", self.replicas, self._patience_ms))
        except StoreError:
            return 0
