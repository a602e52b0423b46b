"""The container of offers that the demonstration begins with: a sale behind the mbox `summer-sale`."""

from pathlib import Path

from gateway.offers.instances import Space
from gateway.services import Services
from gateway.transfer import check_lines, read_lines, write_container

_FILE = Path(__file__).parent / "offers.ndjson"


async def seed_offers(services: Services) -> int:
    """Put the container of `offers.ndjson` into the repository and give how many objects it has.

    What is there already, or has been changed since, stays as it is. Raises StoreError.
    """
    header, record, instances = read_lines(_FILE.read_bytes().splitlines(keepends=True))
    container, changes = check_lines(services.registry, record, instances)
    space = Space(header.organization, header.sandbox)
    await write_container(services.entities, space, container, changes, lambda _: None)
    return header.instances
