"""A container as a file and back: `gateway entities export` and `import`."""

import asyncio
import contextlib
import filecmp
import io
import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.__main__ import make_parser
from gateway.config import Access, Settings
from gateway.configuration import load_settings
from gateway.entity_commands import describe, find_space, run
from gateway.errors import ConfigError, GatewayError
from gateway.offers.registry import Registry
from gateway.store.connection import Store
from gateway.store.embedded import EmbeddedServer
from gateway.store.entities import Entities
from gateway.transfer import Taken, TransferError, check_lines, read_lines
from tests.stage import run_stage
from tests.store.servers import connected
from tests.web.callers import Caller, make_activity

ROOT = Path(__file__).parent.parent
REGISTRY = Registry()


async def gateway(url: str, *arguments: str) -> tuple[int, str]:
    """Run `gateway entities` in this process; gives status and what it told."""
    options = make_parser().parse_args(["entities", *arguments])
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        try:
            status = await run(settings(), options, {"REDIS_URL": url})
        except GatewayError as error:
            return 2, str(error)
    return status, told.getvalue()


async def fill(url: str) -> tuple[str, dict]:
    async with run_stage(url) as stage:
        editor = Caller(stage)
        container = await editor.make_container()
        made = await make_activity(editor)
        await editor.patch(made["tag"]["instanceId"])
        return container, made


async def test_what_is_exported_can_be_imported_as_it_was(redis_url: str, store: Store, tmp_path: Path):
    """Revisions, ids, dates and authors are kept; a second import changes nothing; names and references hold."""
    container, made = await fill(redis_url)
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    status, said = await gateway(redis_url, "export", "--container", container, "--output", first)
    assert (status, said.splitlines()[-1]) == (0, f"7 instances written to {first}")
    assert sorted(os.listdir(tmp_path)) == ["first"]  # noqa: PTH208 - nothing waits for so small a folder
    await store.call("FLUSHALL")
    for _ in range(2):
        status, said = await gateway(redis_url, "import", "--input", first)
        assert (status, said.splitlines()[-1]) == (0, "8 are as the file says, the container's own record included")
    await gateway(redis_url, "export", "--container", container, "--output", second)
    assert filecmp.cmp(first, second, shallow=False)
    async with run_stage(redis_url) as stage:
        editor = Caller(stage, container)
        assert (await editor.read(made["tag"]["instanceId"])).headers["ETag"] == '"2"'
        assert (await editor.post("tag", {"xdm:name": "winter footwear"})).status == 422
        assert (await editor.delete_and_wait(made["tag"]["instanceId"])).body["outcome"] == "rejected"
        assert (await editor.list("offer")).body["_embedded"]["total"] == 2
        activity = {"op": "replace", "path": "/_instance/xdm:status", "value": "live"}
        assert (await editor.patch(made["offer-activity"]["instanceId"], activity)).body["repo:etag"] == 2
    status, said = await gateway(redis_url, "import", "--input", first)
    assert status == 1
    assert made["offer-activity"]["instanceId"] in said
    assert "newer here" in said


async def test_standard_input_and_output_do_too(clean_url: str):
    """As a command in a pipe: nothing but the file is on standard output."""
    container, _ = await fill(clean_url)
    status, exported, said = await pipe(clean_url, "export", "--container", container)
    assert status == 0, said
    lines = exported.splitlines()
    assert json.loads(lines[0])["instances"] == len(lines) - 2 == 7
    assert json.loads(lines[1])["instanceId"] == container
    status, _, said = await pipe(clean_url, "import", given=exported)
    assert status == 0, said


async def pipe(url: str, *arguments: str, given: bytes = b"") -> tuple[int, bytes, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "entities", *arguments, "--config", str(ROOT / "config" / "test.toml")),
        cwd=ROOT,
        env=os.environ | {"REDIS_URL": url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given)
    return await process.wait(), out, err.decode()


async def test_what_is_not_there_can_be_neither_exported_nor_imported(clean_url: str, tmp_path: Path):
    status, said = await gateway(clean_url, "export", "--container", "00000000-0000-7000-8000-000000000000")
    assert status == 2
    assert "there is no container" in said
    status, said = await gateway(clean_url, "import", "--input", str(tmp_path / "none"))
    assert status == 2
    assert "cannot read" in said


async def test_a_private_server_is_used_whether_it_runs_or_not(tmp_path: Path):
    """Without a URL: that of a running gateway, whose folder is locked, or one started for the command."""
    mine = settings()
    private = msgspec.structs.replace(mine, redis=msgspec.structs.replace(mine.redis, data_dir=str(tmp_path / "r")))
    path = str(tmp_path / "file")
    with EmbeddedServer(tmp_path / "r") as server:
        container, _ = await fill(server.url)
        options = make_parser().parse_args(["entities", "export", "--container", container, "--output", path])
        assert await run(private, options, {}) == 0
    assert await run(private, options, {}) == 0
    options = make_parser().parse_args(["entities", "import", "--input", path])
    assert await run(private, options, {}) == 0


async def test_what_was_changed_while_reading_is_as_it_is_in_the_end(clean_url: str):
    """The file is the container as of one moment: what came or went during the reading is in it, or not."""
    from gateway.offers.instances import Space
    from gateway.transfer import read_container

    async with run_stage(clean_url) as stage, connected(clean_url) as other:
        editor = Caller(stage)
        container = await editor.make_container()
        tags = [await editor.make("tag", {"xdm:name": f"t{n}"}) for n in range(5)]
        late: list = []

        class Busy(Entities):
            async def snapshot(self, space, container, schema=""):
                async for batch in super().snapshot(space, container, schema):
                    yield batch
                late.append(await editor.make("tag", {"xdm:name": "late"}))
                await editor.delete_and_wait(tags[0]["instanceId"])
                await editor.patch(tags[1]["instanceId"])

        _, documents = await read_container(Busy(other), Space("DEMO@AdobeOrg", "prod"), container, len_of)
    found = {one["instanceId"]: one["repo:etag"] for one in map(json.loads, documents)}
    expected = {tag["instanceId"]: 1 for tag in tags[2:]} | {tags[1]["instanceId"]: 2, late[0]["instanceId"]: 1}
    assert found == expected


def len_of(_count: int) -> None:
    """Watch no progress."""


HEADER = {
    "organization": "O",
    "sandbox": "s",
    "container": "c",
    "instances": 1,
    "format": "gateway-entities",
    "version": 1,
}
CONTROL = {
    "instanceId": "018f7a52-6c1d-7b0e-8f7e-2b0d9f3f5a10",
    "productContexts": ["acp"],
    "repo:etag": 3,
    "repo:createdDate": "2024-05-02T08:15:30.120Z",
    "repo:lastModifiedDate": "2024-05-02T08:15:30.120Z",
    "repo:createdBy": "a",
    "repo:lastModifiedBy": "a",
    "repo:createdByClientId": "c",
    "repo:lastModifiedByClientId": "c",
    "_links": {},
}
TAG = CONTROL | {
    "schemas": ["https://ns.adobe.com/experience/offer-management/tag;version=0.1"],
    "_instance": {"xdm:name": "t", "@id": "xcore:tag:5d1f2b7c90aa4e01"},
}
RECORD = CONTROL | {
    "schemas": ["https://ns.adobe.com/experience/xcore/container;version=0.1"],
    "_instance": {"repo:name": "n"},
    "owners": ["editors"],
}


def lines(*documents: object) -> list[bytes]:
    return [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]


def test_a_good_file_is_taken():
    header, record, instances = read_lines(lines(HEADER, RECORD, TAG))
    container, changes = check_lines(REGISTRY, record, instances)
    assert header.sandbox == "s"
    assert (container.at_id, container.revision, container.schemas) == ("", 3, ("container",))
    assert [(change.at_id, change.revision) for change in changes] == [("xcore:tag:5d1f2b7c90aa4e01", 3)]


WRONG = {
    "nothing": ([], "line 1"),
    "another file": ([b"a,b,c"], "line 1"),
    "another format": ([HEADER | {"format": "x"}, RECORD, TAG], "another version"),
    "another version": ([HEADER | {"version": 2}, RECORD, TAG], "another version"),
    "one that broke off": ([HEADER, RECORD], "broke off"),
    "a record that is an instance": ([HEADER, TAG, TAG], "line 2"),
    "an instance that is a container": ([HEADER, RECORD, RECORD], "line 3"),
    "no JSON": ([HEADER, RECORD, b"{"], "line 3"),
    "another member": ([HEADER, RECORD, TAG | {"x": 1}], "line 3"),
    "an id with a slash": ([HEADER, RECORD, TAG | {"instanceId": "a/b"}], "line 3"),
    "a revision of 0": ([HEADER, RECORD, TAG | {"repo:etag": 0}], "line 3"),
    "an unknown schema": ([HEADER, RECORD, TAG | {"schemas": ["https://x.example/y"]}], "repository.schemas"),
    "no date": ([HEADER, RECORD, TAG | {"repo:createdDate": "yesterday"}], "RFC 3339"),
    "an invalid instance": ([HEADER, RECORD, TAG | {"_instance": {"xdm:name": 7}}], "/_instance/xdm:name"),
    "a long integer": ([HEADER, RECORD, TAG | {"_instance": TAG["_instance"] | {"n": 10**30}}], "64 bits"),
    "a deep instance": ([HEADER, RECORD, TAG | {"_links": {"a": json.loads("[" * 80 + "]" * 80)}}], "nested"),
    "too many references": (
        [
            HEADER,
            RECORD,
            TAG
            | {
                "schemas": ["https://ns.adobe.com/experience/offer-management/offer-filter"],
                "_instance": {
                    "xdm:name": "f",
                    "@id": "xcore:offer-filter:5d1f2b7c90aa4e01",
                    "xdm:filterType": "anyTags",
                    "ids": [f"xcore:tag:{number:016x}" for number in range(2001)],
                },
            },
        ],
        "line 3: .*2000 others",
    ),
    "no @id": ([HEADER, RECORD, TAG | {"_instance": {"xdm:name": "t"}}], "@id"),
    "another @id": ([HEADER, RECORD, TAG | {"_instance": {"xdm:name": "t", "@id": "xcore:offer:1"}}], "@id"),
}


@pytest.mark.parametrize(("given", "named"), WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_taken_is_refused_whole(given: list, named: str):
    with pytest.raises(TransferError, match=named):
        take(given)


def take(given: list) -> None:
    _, record, instances = read_lines(lines(*given))
    check_lines(REGISTRY, record, instances)


def settings() -> Settings:
    return load_settings(str(ROOT / "config" / "test.toml"), {})


def test_the_sandbox_is_the_only_one_or_the_one_named():
    assert find_space(settings(), "", "").sandbox == "prod"
    for organization, sandbox in (("X@AdobeOrg", ""), ("", "nowhere")):
        with pytest.raises(ConfigError, match="not configured"):
            find_space(settings(), organization, sandbox)
    bare = msgspec.structs.replace(settings(), access=Access())
    with pytest.raises(ConfigError, match="--organization"):
        find_space(bare, "", "")


def test_what_became_of_a_file_is_told():
    said = describe(Taken(saved=3, newer=[str(n) for n in range(12)], refused=["a: missing"]))
    assert said.splitlines() == [
        "3 are as the file says, the container's own record included",
        "12 are newer here and were left as they are: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more",
        "1 were refused: a: missing",
    ]


@pytest.mark.parametrize("arguments", [("--help",), ("export", "--help"), ("import", "--help")])
def test_help_teaches(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        make_parser().parse_args(["entities", *arguments])
    assert left.value.code == 0
    assert "gateway entities import --input offers.ndjson" in capsys.readouterr().out
