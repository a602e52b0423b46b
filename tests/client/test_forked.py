"""A client in a process that forks, as web servers with several workers do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import os
from gateway.client import TargetClient

client = TargetClient.create({"client": "demo", "organization_id": "DEMO@AdobeOrg", "timeout": 5000})
ask = {"request": {"context": {"channel": "web"}}}
assert client.get_offers(ask)["response"].status == 200
child = os.fork()
answer = client.get_offers(ask)
print("child" if child == 0 else "parent", answer["response"].status, flush=True)
client.close()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_starts_afresh() -> None:
    """None of its parent's threads go on in a child: calls would wait for ever."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert sorted(done.stdout.split("\n")) == ["", "child 200", "parent 200"], done.stderr[-2000:]
