"""docs/faults.md is what happens (gw:S5, F3, F5, F9; design P1, T8): every fault, every promise."""

import asyncio

import pytest
import pytest_asyncio

from gateway.store.embedded import EmbeddedServer
from tests.faults.proxy import GARBAGE, Fault, Proxy
from tests.faults.table import PAGE, PROMISES, Case, Observation, observe_all, read_cases, write_page

CASES = read_cases()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Observation]:
    with EmbeddedServer(tmp_path_factory.mktemp("faults")) as redis:
        return {one.case: one for one in await observe_all(redis.url)}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.at} {case.name}")
async def test_every_promise_is_kept(observed: dict[Case, Observation], case: Case, promise: str) -> None:
    assert observed[case].kept[promise], PROMISES[promise]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.at} {case.name}")
async def test_visitors_are_told_what_is_lost(observed: dict[Case, Observation], case: Case) -> None:
    """And the fault was one: without it nothing would be lost. One that is made good has no reason."""
    assert observed[case].reasons == {case.reason} - {""}
    assert observed[case].statuses == {200 if case.at == "Redis" or not case.reason else 206}


@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_says_what_was_observed(observed: dict[Case, Observation]) -> None:
    assert PAGE.read_text(encoding="utf-8") == write_page(list(observed.values())), "run `python -m tests.faults`"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(100):
        writer.write(piece)
    writer.close()


async def outcome_of(port: int) -> bytes | type[BaseException]:
    """Give what comes back for `hello` within 150 ms, or how it failed."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"hello")
            async with asyncio.timeout(0.15):
                return await reader.readexactly(5)
        finally:
            writer.transport.abort()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except (OSError, TimeoutError) as error:
        return type(error)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("", b"hello"),
        ("delay", TimeoutError),
        ("drip", TimeoutError),
        ("cut", b"h"),
        ("half-open", TimeoutError),
        ("vanish", TimeoutError),
        ("reset", ConnectionResetError),
        ("garbage", GARBAGE[:5]),
        ("refuse", ConnectionRefusedError),
        ("twice", b"hello"),
        ("swap", TimeoutError),
    ],
)
async def test_the_proxy_does_what_it_says(fault: Fault, expected: bytes | type[BaseException]) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as listening, Proxy() as proxy:
        proxy.upstream = listening.sockets[0].getsockname()[:2]
        assert await outcome_of(proxy.port) == b"hello"
        await proxy.begin(fault)
        assert await outcome_of(proxy.port) == expected
        await proxy.end()
        assert await outcome_of(proxy.port) == b"hello"


async def test_replies_twice_and_swapped() -> None:
    """What the test above cannot see: the second copy, and the other's reply."""
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as listening, Proxy() as proxy:
        proxy.upstream = listening.sockets[0].getsockname()[:2]
        sides = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(2)]
        await proxy.begin("twice")
        sides[0][1].write(b"a")
        assert await sides[0][0].readexactly(2) == b"aa"
        await proxy.begin("swap")
        for (_, writer), word in zip(sides, (b"a", b"b"), strict=True):
            writer.write(word)
        assert [await reader.readexactly(1) for reader, _ in sides] == [b"b", b"a"]
        for _, writer in sides:
            writer.transport.abort()
