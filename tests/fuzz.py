"""schemathesis against the OpenAPI document of a whole gateway: `python -m tests.fuzz` for longer than the tests do.

A container with one activity and all it needs is there before; the document is told their ids, because no generator
guesses a UUID. Server errors, undocumented answers and answers of another shape are failures.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from gateway.store.embedded import EmbeddedServer
from tests.stage import Stage, run_stage
from tests.web.callers import CONTAINER, SIGNED_IN, Caller, make_activity, schema_id

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_ABOUT = """\
Runs schemathesis against a gateway of its own, with a Redis and a stand-in Target beside it. Exit status 0: no failure.

examples:
  python -m tests.fuzz                                    100 examples an operation, about two minutes
  python -m tests.fuzz --max-examples 1000 --seed 7       longer, and another way
"""


async def fuzz(stage: Stage, folder: Path, *options: str) -> tuple[int, str]:
    """Run schemathesis with `options`; gives its exit status and what it said."""
    path = folder / "openapi.json"
    path.write_text(json.dumps(await _make_document(stage)))
    signed_in = [part for name, value in SIGNED_IN.items() for part in ("-H", f"{name}: {value}")]
    program = Path(sys.executable).with_name("schemathesis")
    process = await asyncio.create_subprocess_exec(
        *(program, "run", path, "--url", stage.running.public, "--checks", CHECKS, "--no-color", "--warnings", "off"),
        *(*signed_in, *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    said, _ = await process.communicate()
    return await process.wait(), said.decode()


async def _make_document(stage: Stage) -> Any:
    """Give the gateway's document with ids that exist."""
    document = (await stage.admin("/openapi.json")).body
    caller = Caller(stage)
    container = await caller.make_container()
    made = await make_activity(caller)
    operation = (await caller.delete(made["tag"]["instanceId"])).headers["Location"].rpartition("/")[2]
    known = {
        "container": [container],
        "instance": [receipt["instanceId"] for receipt in made.values()],
        "operation": [operation],
        "schema": [CONTAINER, *map(schema_id, made)],
    }
    for path in document["paths"].values():
        for described in path.values():
            # Without time a notification is answered 504, as it should be: no defect to look for.
            kept = [one for one in described["parameters"] if one["name"] != "x-request-timeout-ms"]
            described["parameters"] = [_fill(one, known) for one in kept]
    return document


def _fill(parameter: dict[str, Any], known: dict[str, list[str]]) -> dict[str, Any]:
    ids = known.get(parameter["name"])
    return parameter | {"schema": {"enum": ids}} if ids else parameter


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--max-examples", default="100", help="examples an operation (default: %(default)s)")
    parser.add_argument("--seed", default="1", help="where chance begins (default: %(default)s)")
    options = parser.parse_args()

    async def run() -> int:
        with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder) / "redis") as redis:
            async with run_stage(redis.url) as stage:
                given = ("--max-examples", options.max_examples, "--seed", options.seed, "--continue-on-failure")
                status, said = await fuzz(stage, Path(folder), "--phases", "examples,coverage,fuzzing,stateful", *given)
        print(said)
        return status

    return asyncio.run(run())


if __name__ == "__main__":
    raise SystemExit(main())
