"""Ways in which an upstream goes wrong, on request: what `PUT /control` takes and what it does to an answer."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

JSON = {"Content-Type": "application/json;charset=UTF-8"}
HUGE_BYTES = 6 * 1024 * 1024
BOMB_BYTES = 32 * 1024 * 1024
DRIP_BYTES = 8
DRIP_SECONDS = 0.05

_WRONG_SHAPE = (
    b'{"status":"fine","client":[],"id":"nobody","edgeHost":{},"execute":{"mboxes":{"index":"one"}},'
    b'"prefetch":[],"notifications":"all of them"}'
)


class Trouble(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What goes wrong: a delay, or one of the kinds below, or both; for the next `times` calls, 0 for all of them.

    `status`, `drop` and `hang` leave the call undone; after every other kind it was done and only its answer is bad.
    """

    delay_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    status: Annotated[int, Meta(ge=300, le=599)] = 0
    drop: bool = False
    truncate: bool = False
    garbage: bool = False
    wrong_shape: bool = False
    hang: bool = False
    slow_drip: bool = False
    huge: bool = False
    gzip_bomb: bool = False
    times: Annotated[int, Meta(ge=0)] = 0
    mboxes: tuple[str, ...] = ()
    on: Literal["delivery", "artifact", "geo"] = "delivery"

    def __post_init__(self) -> None:
        """Refuse two kinds at once: nobody could say which of them a test has seen."""
        kinds = [kind for kind in _SPOILERS if getattr(self, kind)]
        if len(kinds) > 1:
            raise ValueError(f"one kind of trouble at a time, not {' and '.join(kinds)}")

    @property
    def kind(self) -> str:
        """Give the name of the kind, empty when there is none (a delay alone, or nothing)."""
        return next((kind for kind in _SPOILERS if getattr(self, kind)), "")

    @property
    def undone(self) -> bool:
        """Say whether the call is not carried out at all."""
        return self.kind in {"status", "drop", "hang"}

    def after_one(self) -> "Trouble | None":
        """Give what is left of it after one more call; None when that was the last."""
        if self.times == 0:
            return self
        return msgspec.structs.replace(self, times=self.times - 1) if self.times > 1 else None


async def spoil(request: web.BaseRequest, trouble: Trouble, body: bytes) -> web.StreamResponse:
    """Answer `request` with `body` as the trouble will have it; the caller has waited out the delay."""
    spoiler = _SPOILERS.get(trouble.kind)
    return await spoiler(request, trouble, body) if spoiler else web.Response(body=body, headers=JSON)


async def _fail(_request: web.BaseRequest, trouble: Trouble, _body: bytes) -> web.StreamResponse:
    failure = {"status": trouble.status, "message": f"Asked to answer with status {trouble.status}"}
    # A redirect leads nowhere: whoever follows it is found out by the 404 (design rule: redirects are not followed).
    location = {"Location": "/moved"} if trouble.status < 400 else {}
    return web.Response(status=trouble.status, body=msgspec.json.encode(failure), headers=JSON | location)


async def _drop(request: web.BaseRequest, _trouble: Trouble, _body: bytes) -> web.StreamResponse:
    close_connection(request)
    return web.Response()


async def _truncate(request: web.BaseRequest, _trouble: Trouble, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers=JSON | {"Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    close_connection(request)
    return response


async def _garble(_request: web.BaseRequest, _trouble: Trouble, _body: bytes) -> web.StreamResponse:
    return web.Response(body=b"<html><body>The upstream is at lunch</body></html>", headers=JSON)


async def _misshape(_request: web.BaseRequest, _trouble: Trouble, _body: bytes) -> web.StreamResponse:
    return web.Response(body=_WRONG_SHAPE, headers=JSON)


async def _hang(_request: web.BaseRequest, _trouble: Trouble, _body: bytes) -> web.StreamResponse:
    await asyncio.get_running_loop().create_future()  # for ever: until the caller leaves or the stand-in stops
    raise AssertionError("nobody completes this future")


async def _drip(request: web.BaseRequest, _trouble: Trouble, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers=JSON | {"Content-Length": str(len(body))})
    await response.prepare(request)
    for start in range(0, len(body), DRIP_BYTES):
        await response.write(body[start : start + DRIP_BYTES])
        await asyncio.sleep(DRIP_SECONDS)
    return response


async def _inflate(_request: web.BaseRequest, _trouble: Trouble, body: bytes) -> web.StreamResponse:
    return web.Response(body=body + b" " * HUGE_BYTES, headers=JSON)  # still valid JSON


async def _bomb(_request: web.BaseRequest, _trouble: Trouble, _body: bytes) -> web.StreamResponse:
    return web.Response(body=_build_bomb(), headers=JSON | {"Content-Encoding": "gzip"})


@lru_cache(maxsize=1)
def _build_bomb() -> bytes:
    return gzip.compress(b'{"status":200,"padding":"' + b"x" * BOMB_BYTES + b'"}', mtime=0)


def close_connection(request: web.BaseRequest) -> None:
    """Close the connection under `request` once what is written has left."""
    if request.transport is not None:
        request.transport.close()


_SPOILERS: dict[str, Callable[[web.BaseRequest, Trouble, bytes], Awaitable[web.StreamResponse]]] = {
    "status": _fail,
    "drop": _drop,
    "truncate": _truncate,
    "garbage": _garble,
    "wrong_shape": _misshape,
    "hang": _hang,
    "slow_drip": _drip,
    "huge": _inflate,
    "gzip_bomb": _bomb,
}
