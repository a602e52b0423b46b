"""Decides deletes in the background: those asked for here at once, those of a gateway that died within a second.

What is pending is kept in Redis (repo:D11), and every worker looks at all of it; deciding twice is deciding once.
"""

import asyncio
import contextlib
from collections.abc import Callable

from gateway.errors import StoreError, StoreUnreachable
from gateway.store.entities import Entities

_LOOK_S = 1.0


class DeleteWorker:
    """One gateway's part in deciding deletes."""

    def __init__(self, entities: Entities, report: Callable[[str], None]) -> None:
        """Tell `report` in a sentence, once per trouble, why deletes cannot be decided."""
        self._entities = entities
        self._report = report
        self._trouble = ""

    async def run(self) -> None:
        """Decide until cancelled."""
        while True:
            await self.step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):  # wait_for of Python 3.11 may swallow a cancellation
                    await self._entities.asked.wait()

    async def step(self) -> None:
        """Decide what is pending now; trouble is reported, and the next step tries again."""
        self._entities.asked.clear()
        trouble = ""
        try:
            await self._entities.decide_pending()
        except StoreUnreachable:  # the store has said so, and says when it is back
            return
        except StoreError as error:
            trouble = error.message
        if trouble and trouble != self._trouble:
            self._report(trouble)
        self._trouble = trouble
