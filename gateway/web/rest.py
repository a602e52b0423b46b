"""Endpoints for signed-in callers: routing by pattern, then who calls, then the handler; errors as problem documents.

The repository is one such area of paths. Handlers learn who calls and what the path said, nothing of tokens.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote_to_bytes

from msgspec import Struct, field

from gateway.access.entitlement import Entitlement
from gateway.errors import GatewayError, Problem
from gateway.ids import new_uuid
from gateway.services import Services
from gateway.telemetry import get_log
from gateway.web.callers import Caller, find_caller, find_known_caller, is_request_id, refuse_rate
from gateway.web.cors import REST_EXPOSED, make_cors_headers, make_rest_preflight_headers
from gateway.web.plain import Request
from gateway.web.problems import answer_problem, to_problem
from gateway.web.response import Answer


class Call(Struct, frozen=True):
    """One request of a known caller; `names` are the parts of the path that the route leaves open."""

    services: Services
    request: Request
    request_id: str
    caller: Caller
    names: dict[str, str]


_MOST_FOUND = 512
RestHandler = Callable[[Call], Awaitable[Answer]]


class Route(Struct, frozen=True):
    """A path below the area's prefix: parts in braces are open. `methods` names what HEAD and OPTIONS follow from."""

    pattern: str
    methods: Mapping[str, RestHandler]

    def match(self, parts: list[str], *, may_be_empty: bool = False) -> dict[str, str] | None:
        """Give the open parts of a path, or None where it is another one."""
        own = self.pattern.split("/") if self.pattern else []
        if len(own) != len(parts):
            return None
        names: dict[str, str] = {}
        for mine, given in zip(own, parts, strict=True):
            if mine.startswith("{") and (given or may_be_empty):
                names[mine.strip("{}")] = given
            elif mine != given:
                return None
        return names


Found = tuple[Route, dict[str, str]]
"""A route, and the parts of a path that it leaves open."""


class Area(Struct, frozen=True):
    """All paths below `prefix`, which has no slash at its end; the first route that matches counts.

    The paths of a `personal` area name people: each part is decoded by itself, so that it may hold a slash, may be
    empty, and is repeated in no problem document.
    """

    prefix: str
    routes: tuple[Route, ...]
    personal: bool = False
    found: dict[str, Found] = field(default_factory=dict)
    """What was found lately, by path; paths that name people are not remembered."""

    def covers(self, path: str) -> bool:
        """Whether a path is here."""
        return path.startswith(self.prefix) and path[len(self.prefix) : len(self.prefix) + 1] in ("", "/")

    async def answer(self, services: Services, request: Request) -> Answer:
        """Answer a request, whatever comes of it, and log it."""
        started = time.perf_counter()
        given = request.headers.get("X-Request-Id")
        request_id = given if given and is_request_id(given) else new_uuid()
        pattern, code = "", ""
        try:
            route, names = self._find(request)
            pattern = route.pattern
            handler = route.methods.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                response = _answer_method(services, request, list_methods(route.methods))
            else:
                entitlement = services.entitlement
                _take_place(entitlement)
                try:
                    known = find_known_caller(entitlement, request.headers)
                    caller = known or await find_caller(entitlement, request.headers)
                    response = await handler(Call(services, request, request_id, caller, names))
                finally:
                    entitlement.under_way -= 1
        except GatewayError as error:
            code, response = self._refuse(request, pattern, request_id, error)
        except Exception as error:  # noqa: BLE001 - the last resort: an answer must leave, and the defect must be seen
            get_log().error("web.failed", request_id=request_id, error=type(error).__name__, exc_info=error)
            services.metrics.count_event("web.failed")
            told = Problem(500, "internal", "The gateway failed; see its log")
            code, response = self._refuse(request, pattern, request_id, told)
        response.extra.append(("X-Request-Id", request_id))
        if origin := request.headers.get("Origin"):
            response.extra.extend(make_cors_headers(origin, services.settings.web, REST_EXPOSED))
        _report(services, request, f"{self.prefix}/{pattern}", response.status, (request_id, code, started))
        return response

    def _refuse(self, request: Request, pattern: str, request_id: str, error: GatewayError) -> tuple[str, Answer]:
        """Give the code of what went wrong, and the answer. Nobody keeps the error, whose frames are the caller's."""
        problem = to_problem(error)
        return problem.code, answer_problem(problem, self._show(request, pattern), request_id)

    def _show(self, request: Request, pattern: str) -> str:
        return f"{self.prefix}/{pattern}" if self.personal else request.rel_url.raw_path

    def _find(self, request: Request) -> Found:
        if self.personal:
            rest = request.rel_url.raw_path[len(self.prefix) + 1 :]
            return self._match([_decode_part(part) for part in rest.split("/")] if rest else [])
        path = request.path
        found = self.found.get(path)
        if found is None:
            rest = path[len(self.prefix) + 1 :]
            found = self._match(rest.split("/") if rest else [])
            if len(self.found) >= _MOST_FOUND:
                self.found.clear()
            self.found[path] = found
        return found

    def _match(self, parts: list[str]) -> Found:
        for route in self.routes:
            names = route.match(parts, may_be_empty=self.personal)
            if names is not None:
                return route, names
        raise Problem(404, "no-such-path", "There is nothing at this path")


def _decode_part(part: str) -> str:
    """Decode percent signs; what is no UTF-8 becomes half surrogate pairs, which no handler takes."""
    return unquote_to_bytes(part.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _take_place(entitlement: Entitlement) -> None:
    if entitlement.under_way >= entitlement.settings.max_under_way:
        raise refuse_rate("Too many requests are under way")
    entitlement.under_way += 1


def _answer_method(services: Services, request: Request, allowed: str) -> Answer:
    """Answer OPTIONS (U14); raises Problem 405 for any other method that a route does not have."""
    if request.method != "OPTIONS":
        message = f"This method is not allowed here, only {allowed}"
        raise Problem(405, "method-not-allowed", message, headers={"Allow": allowed})
    preflight = make_rest_preflight_headers(request.headers, allowed, services.settings.web)
    return Answer(204, b"", [("Allow", allowed), *preflight])


def list_methods(methods: Mapping[str, RestHandler]) -> str:
    """Give the value of `Allow` (U14)."""
    return ", ".join(sorted({*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))


def _report(services: Services, request: Request, route: str, status: int, facts: tuple[str, str, float]) -> None:
    request_id, code, started = facts
    method = request.method if request.method in _METHODS else "other"
    seconds = time.perf_counter() - started
    services.access_log.add_call((time.time(), seconds, request_id, method, route, status, code))


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
