"""Writing business objects: each write is one script, checked and made as a whole or not at all (gw:R1)."""

from gateway.offers.instances import Change, Space, Verdict
from gateway.offers.operations import Operation, Outcome
from gateway.store.entity_reads import EntityReader


class Entities(EntityReader):
    """The repository of one Redis.

    A write whose reply is lost is repeated with the same write id for as long as patience lasts, and Redis remembers
    for some minutes what became of an id: nothing happens twice. A StoreError means that nobody knows; asking again
    with the same `write_id` tells.
    """

    async def save(self, space: Space, container: str, change: Change, write_id: str = "") -> Verdict:
        """Make a change of an instance; `write_id` names this write (one is made where it is ""), raises StoreError."""
        raise NotImplementedError

    async def import_instance(self, space: Space, container: str, change: Change, write_id: str = "") -> Verdict:
        """Make an instance what `change` says, revision included; `change.expected` does not matter.

        An instance that has this revision and this document is Saved already; one that has another document at this or
        a higher revision is a Conflict. References are checked: import targets first, or try Refused ones again.
        """
        raise NotImplementedError

    async def delete_now(
        self, space: Space, container: str, instance_id: str, expected: int | None, write_id: str = ""
    ) -> Verdict:
        """Delete an instance of a type that nothing can refer to (D1); Saved, Missing, Deleting or Conflict."""
        raise NotImplementedError

    async def ask_delete(self, space: Space, container: str, expected: int | None, operation: Operation) -> Verdict:
        """Mark `operation.instance_id` as being deleted and keep the operation (D2, D11): Saved means 202.

        Deleting names the operation that is under way already (D5). The operation id is also the write id.
        """
        raise NotImplementedError

    async def decide(self, space: Space, container: str, operation_id: str) -> Outcome | None:
        """Decide a pending delete, or give how it was decided; None where it is unknown."""
        raise NotImplementedError

    async def save_container(self, space: Space, change: Change, write_id: str = "") -> Verdict:
        """Make a change of a container's own record: `change.instance_id` is the container's id."""
        raise NotImplementedError

    async def import_container(self, space: Space, change: Change, write_id: str = "") -> Verdict:
        """Do for a container's own record what `import_instance` does."""
        raise NotImplementedError

    async def ask_delete_container(self, space: Space, expected: int | None, operation: Operation) -> Verdict:
        """Do for a container what `ask_delete` does; it will be rejected while it holds an instance (C11)."""
        raise NotImplementedError
