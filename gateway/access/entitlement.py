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
        self.callers: dict[tuple[object, ...], object] = {}
        """Who was found entitled, by account and headers: grants do not change while a gateway runs."""

    def remember(self, caller: object, key: tuple[object, ...]) -> None:
        """Keep who was found entitled, so that it need not be worked out again with the next request."""
        if len(self.callers) >= _MOST_CALLERS:
            self.callers.clear()
        self.callers[key] = caller

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
