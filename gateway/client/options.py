"""The options of `TargetClient.create`, checked in the order of get-offers §1, and the settings they mean."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from gateway.config import Settings
from gateway.configuration import check_settings
from gateway.errors import ConfigError

_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]{1,255}", re.ASCII)
METHODS = ("on-device", "server-side", "hybrid")
Handler = Callable[[dict[str, Any]], Any]


class Logger(Protocol):
    """What the `logger` option must have; every message begins with `AT:`."""

    def debug(self, message: str) -> Any: ...  # noqa: D102
    def error(self, message: str) -> Any: ...  # noqa: D102


class ClientOptions(Struct, frozen=True, kw_only=True):
    """The options by the names of Adobe's SDK for Python, then our own; times in ms.

    `gateway_url` names a running gateway to ask instead of deciding in this process; `settings` are tables of
    gateway.toml laid over what the options mean; `blocking` makes calls wait also where an event loop runs.
    """

    client: str
    organization_id: str
    timeout: int = 3000
    server_domain: str | None = None
    secure: bool = True
    target_location_hint: str | None = None
    property_token: str | None = None
    environment_id: int | None = None
    environment: str = "production"
    decisioning_method: Literal["on-device", "server-side", "hybrid"] | None = None
    polling_interval: int = 300_000
    artifact_location: str | None = None
    artifact_payload: dict[str, Any] | None = None
    artifact_format: str | None = None
    telemetry_enabled: bool = True
    version: str | None = None
    gateway_url: str | None = None
    redis_url: str | None = None
    key_secret: str | None = None
    blocking: bool = False
    settings: dict[str, Any] = {}


def read_client_options(given: Any) -> ClientOptions:
    """Give the checked options; raises ConfigError that says which one is wrong."""
    if not isinstance(given, Mapping) or not any(value is not None for value in given.values()):
        raise ConfigError("Options are required")
    for name, what in (("client", "Client"), ("organization_id", "Organization Id")):
        value = given.get(name)
        if not (isinstance(value, str) and value):
            raise ConfigError(f"{what} is required")
    if given.get("decisioning_method") not in (None, *METHODS):
        raise ConfigError(f"Invalid Decisioning Method. Must be set to one of: {', '.join(METHODS)}")
    known = {name: given[name] for name in ClientOptions.__struct_fields__ if given.get(name) is not None}
    known["secure"] = given.get("secure") is not False
    try:
        options = msgspec.convert(known, ClientOptions)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the options of the client: {error}".replace("`$.", "`")) from error
    if options.server_domain and not _HOST.fullmatch(options.server_domain):
        raise ConfigError("the options of the client: server_domain is a host, or host:port, without a scheme")
    if options.timeout < 1:
        raise ConfigError("the options of the client: timeout must be above 0 ms")
    return options


def make_settings(options: ClientOptions) -> Settings:
    """Give the settings of an engine in this process; raises ConfigError that names the key."""
    scheme = "https" if options.secure else "http"
    client: dict[str, Any] = {
        "organization-id": options.organization_id,
        "method": options.decisioning_method or "server-side",
        "environment": options.environment.lower(),
        "poll-s": math.ceil(max(options.polling_interval, 0) / 1000),
        "traces": True,
        "telemetry": options.telemetry_enabled,
        "property-token": options.property_token or "",
        "artifact-location": options.artifact_location or "",
        "artifact-format": _choose_format(options),
    }
    target = {"edge-url": f"{scheme}://mboxedge{{cluster}}.tt.omtrdc.net"}
    target["url"] = f"{scheme}://{options.server_domain or '{client}.tt.omtrdc.net'}"
    table: dict[str, Any] = {
        "web": {"deadline-ms": options.timeout, "keep-clients": False},
        "client": {options.client: client},
        "upstream": {"target": target},
        "artifact": {"cache-dir": ""},
        "log": {"access": False},
    }
    return check_settings(_lay_over(table, options.settings), "the options of the client")


def _choose_format(options: ClientOptions) -> str:
    if options.artifact_payload is not None:
        return "json"
    return options.artifact_format if options.artifact_format in ("json", "bin") else ""


def _lay_over(table: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(table)
    for name, value in changes.items():
        inner = laid.get(name)
        laid[name] = _lay_over(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return laid
