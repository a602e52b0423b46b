"""Who calls, from the headers of a request: token, API key, organisation, sandbox (spec repository §2)."""

import hmac
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from gateway.access.accounts import Account
from gateway.access.entitlement import Entitlement
from gateway.access.grants import Grants
from gateway.errors import Problem, Violation
from gateway.offers.instances import Space

API_KEY = "x-api-key"
ORGANIZATION = "x-gw-ims-org-id"
SANDBOX = "x-sandbox-name"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)


class Caller(Struct, frozen=True):
    """An account, the client it uses (H11), the sandbox it works in and what it may do there."""

    account: str
    client_id: str
    space: Space
    grants: Grants


async def find_caller(entitlement: Entitlement, headers: Mapping[str, str]) -> Caller:
    """Give the caller; raises Problem 401, 429, 400 or 403, in this order (§9.7 steps 2 to 4)."""
    account, until_s = await entitlement.accounts.find_until(headers.get("Authorization"))
    _check_rate(entitlement, account.name)
    caller = _find_caller(entitlement, headers, account)
    entitlement.remember(_name(headers), caller, until_s)
    return caller


def find_known_caller(entitlement: Entitlement, headers: Mapping[str, str]) -> Caller | None:
    """Give a caller who was found with the same headers lately; None: `find_caller`. Raises Problem 429."""
    caller = entitlement.recall(_name(headers))
    if not isinstance(caller, Caller):
        return None
    request_id = headers.get("x-request-id")
    if request_id is not None and not is_request_id(request_id):
        return None
    _check_rate(entitlement, caller.account)
    return caller


def _name(headers: Mapping[str, str]) -> tuple[str | None, ...]:
    return headers.get("Authorization"), headers.get(API_KEY), headers.get(ORGANIZATION), headers.get(SANDBOX)


def _find_caller(entitlement: Entitlement, headers: Mapping[str, str], account: Account) -> Caller:
    sandbox = headers.get(SANDBOX) or entitlement.settings.default_sandbox
    _check_headers(headers, sandbox)
    client_id, space = headers[API_KEY], Space(headers[ORGANIZATION], sandbox)
    organization = entitlement.organizations.get(space.organization)
    keys = organization.api_keys if organization else _all_keys(entitlement)
    if not _is_among(client_id, keys):
        raise Problem(403, "api-key-rejected", "The API key is not known here")
    if organization is None or space.organization not in account.organizations:
        raise Problem(403, "org-mismatch", "The token is not entitled to this organisation")
    grants = entitlement.grants_of(account, space)
    if sandbox not in organization.sandboxes or not grants.profiles:
        raise Problem(403, "sandbox-rejected", "The token is not entitled to this sandbox")
    return Caller(account.name, client_id, space, grants)


def is_request_id(text: str) -> bool:
    """Whether a caller may name a request so (H5)."""
    return _REQUEST_ID.fullmatch(text) is not None


def _check_rate(entitlement: Entitlement, account: str) -> None:
    wait_s = entitlement.rates.take(account)
    if wait_s:
        raise refuse_rate("This account makes more requests a second than it may", wait_s)


def refuse_rate(message: str, wait_s: float = 1.0) -> Problem:
    """Give the answer to one request too many."""
    return Problem(429, "too-many-requests", message, headers={"Retry-After": str(max(1, round(wait_s)))})


def _check_headers(headers: Mapping[str, str], sandbox: str) -> None:
    """Raise Problem 400 that lists every missing header (H10), or names a request id that cannot be one (H5)."""
    missing = [name for name in (API_KEY, ORGANIZATION) if not headers.get(name)]
    if not sandbox:
        missing.append(SANDBOX)
    if missing:
        listed = [Violation("missing-header", "", f"the header {name} is missing") for name in missing]
        raise Problem(400, "missing-header", f"Missing headers: {', '.join(missing)}", violations=listed)
    request_id = headers.get("x-request-id")
    if request_id is not None and not is_request_id(request_id):
        raise Problem(
            400, "invalid-header", "x-request-id must be 1 to 128 characters of A-Z, a-z, 0-9, `.`, `_`, `~` and `-`"
        )


def _all_keys(entitlement: Entitlement) -> list[str]:
    return [key for organization in entitlement.organizations.values() for key in organization.api_keys]


def _is_among(given: str, known: Iterable[str]) -> bool:
    """Compare with each in the same time."""
    raw = given.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(raw, one.encode()) for one in known]
    return any(matches)
