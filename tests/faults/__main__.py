"""`python -m tests.faults`: observe every fault and write docs/faults.md."""

import asyncio
import tempfile
from pathlib import Path

from gateway.store.embedded import EmbeddedServer
from gateway.telemetry import set_up_logs
from tests.faults.table import PAGE, observe_all, write_page


def main() -> None:
    """Write the page, and say so."""
    set_up_logs("error")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, EmbeddedServer(Path(folder)) as redis:
        PAGE.write_text(write_page(asyncio.run(observe_all(redis.url))), encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
