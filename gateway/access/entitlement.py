"""Everything `[access]` says, ready to be asked."""

import time
from collections.abc import Mapping
from ipaddress import ip_address

from gateway.access.accounts import Account, Accounts
from gateway.access.grants import Grants, make_grants
from gateway.access.rates import Rates
from gateway.access.signatures import Signatures
from gateway.config import Access, Organization, Settings
from gateway.configuration import split_address
from gateway.offers.instances import Space
from gateway.upstream.jwks import KeySet

_MOST_CALLERS = 4096

Headers = tuple[str | None, ...]
"""What a request says of its caller: the values of the headers that count, the token first."""


class Entitlement:
    """Accounts, organisations, sandboxes, API keys and grants of one gateway."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], keys: KeySet | None) -> None:
        """Read the configuration; what is `loopback-only` exists only when the public listener is on loopback."""
        access = settings.access
        local = is_loopback(settings.web.listen)
        signed = Signatures(access.jwt, environ.get(access.jwt.secret_env, ""), keys, time.time)
        self.settings: Access = access
        self.organizations: dict[str, Organization] = {
            name: organization
            for name, organization in access.organization.items()
            if local or not organization.loopback_only
        }
        tokens = {name: token for name, token in access.token.items() if local or not token.loopback_only}
        self.ignored = len(access.organization) - len(self.organizations) + len(access.token) - len(tokens)
        """How many organisations and tokens do not exist because they are `loopback-only`."""
        self.accounts = Accounts(tokens, signed, time.time, access.jwt.recheck_s)
        self.rates = Rates(access.requests_per_s, time.monotonic)
        self.under_way = 0
        self._known: dict[Headers, tuple[object, float]] = {}

    def remember(self, headers: Headers, caller: object, until_s: float) -> None:
        """Keep who was found entitled, so that it need not be worked out again with the next request.

        Grants do not change while a gateway runs; `until_s` (seconds since the epoch) is when the token is looked at
        again.
        """
        if len(self._known) >= _MOST_CALLERS:
            self._known.clear()
        self._known[headers] = caller, until_s

    def recall(self, headers: Headers) -> object | None:
        """Give who was found entitled with the same headers, None where that has to be worked out."""
        known = self._known.get(headers)
        return known[0] if known is not None and known[1] > time.time() else None

    def grants_of(self, account: Account, space: Space) -> Grants:
        """Give what an account may do in a sandbox."""
        return make_grants(self.settings.profile, account, space)


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach a listener at `host:port`."""
    host, _ = split_address(listen)
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
