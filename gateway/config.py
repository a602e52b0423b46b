"""TOML and environment in, one frozen `Settings` out; every unknown key is an error.

`config/gateway.toml` documents each key beside its default. A key `listen` of table `web` can also be given as
`GATEWAY_WEB__LISTEN`: upper case, two underscores between tables, one underscore for a hyphen. Keys that end in
`-env` name an environment variable that holds a secret, so that no secret is ever written into a file.
"""

import os
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

from gateway.errors import ConfigError

Milliseconds = Annotated[int, Meta(ge=0, le=3_600_000)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Method = Literal["hybrid", "on-device", "server-side"]
DurabilityLevel = Literal["log", "fsync", "memory"]


class _Table(Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """One table of the configuration file."""


class Web(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[web]`: the listeners and what they accept."""

    listen: str = "0.0.0.0:8080"
    admin_listen: str = "127.0.0.1:8081"
    deadline_ms: Milliseconds = 2500
    body_timeout_ms: Milliseconds = 10_000
    grace_ms: Milliseconds = 0
    drain_ms: Milliseconds = 10_000
    max_body_kb: Count = 256
    max_depth: Annotated[int, Meta(ge=8, le=200)] = 64
    max_waiting: Count = 2000
    public_url: str = ""
    origins: list[str] = field(default_factory=lambda: ["*"])
    preflight_max_age_s: Annotated[int, Meta(ge=0)] = 600
    visitor_address: Literal["off", "peer", "forwarded"] = "off"
    forwarded_hops: Annotated[int, Meta(ge=1, le=20)] = 1
    read_cookies: bool = True
    write_cookies: bool = True
    cookie_domain: str = ""
    cookie_same_site: Literal["Lax", "Strict", "None"] = "Lax"
    cookie_secure: bool = False
    keep_clients: bool = True
    invalid_items: Literal["refuse", "drop"] = "refuse"
    unknown_channel: Literal["web", "refuse"] = "web"
    partial_status: Literal[200, 206] = 200


class Client(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[client.<code>]`: one Target client code and how it is decided for."""

    organization_id: str
    method: Method = "hybrid"
    split: Literal["items", "all-or-nothing"] = "items"
    environment: str = "production"
    property_token: str = ""
    artifact_location: str = ""
    artifact_format: Literal["", "json", "bin"] = ""
    poll_s: Annotated[int, Meta(ge=0, le=86_400)] = 300
    geo: bool = True
    traces: bool = False
    telemetry: bool = False
    escape_macros: bool = False
    secondary: list[str] = field(default_factory=list)
    secondary_wait_ms: Milliseconds = 0


class Redis(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[redis]`: where session state is kept; with no URL a private server is started."""

    url_env: str = "REDIS_URL"
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 40
    connect_timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 1000
    max_waiting: Count = 20_000
    data_dir: str = "var/redis"
    server: str = ""
    key_secret_env: str = "GATEWAY_KEY_SECRET"  # noqa: S105 - the name of a variable, not a secret


class Repository(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[repository]`: where business objects are kept, and how safely."""

    url_env: str = "REPOSITORY_REDIS_URL"
    durability: DurabilityLevel = "log"
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 2000
    patience_ms: Annotated[int, Meta(ge=0, le=60_000)] = 5000
    changes_kept: Annotated[int, Meta(ge=100, le=10_000_000)] = 10_000
    unique_offer_names: bool = False
    containers_indexed: Annotated[int, Meta(ge=1, le=10_000)] = 64
    indexed_at_start: Annotated[int, Meta(ge=0, le=10_000)] = 4
    schemas: list[str] = field(default_factory=list)


class Profiles(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[profiles]`: where what is known of people is kept, how much of it and how long."""

    url_env: str = "PROFILES_REDIS_URL"
    durability: DurabilityLevel = "log"
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 250
    patience_ms: Annotated[int, Meta(ge=0, le=60_000)] = 2000
    max_events: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    ttl_days: Annotated[int, Meta(ge=0, le=36_500)] = 90


class OfferMbox(_Table, frozen=True, kw_only=True, rename="kebab"):
    """An mbox that an offer activity decides."""

    container: str
    activity: str


class Offers(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[offers]`: how offer decisions are made, and which mboxes offer activities decide."""

    most_containers: Count = 64
    inline_profile: bool = False
    repeats_mb: Annotated[int, Meta(ge=0, le=16_384)] = 32
    sandbox: str = "prod"
    containers: list[str] = field(default_factory=list)
    mboxes: dict[str, OfferMbox] = field(default_factory=dict)


class Target(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[upstream.target]`: where Target is and how much of it we use at once."""

    url: str = "https://{client}.tt.omtrdc.net"
    edge_url: str = "https://mboxedge{cluster}.tt.omtrdc.net"
    max_in_flight: Count = 64
    max_waiting: Count = 1000
    deadline_margin_ms: Milliseconds = 25
    minimum_budget_ms: Milliseconds = 30
    max_response_kb: Count = 5120
    max_ratio: Count = 100
    retry_percent: Annotated[int, Meta(ge=0, le=10)] = 10
    breaker_percent: Annotated[int, Meta(ge=0, le=100)] = 50
    breaker_timeout_ms: Milliseconds = 500
    keepalive_s: Annotated[int, Meta(ge=1, le=3600)] = 30
    mboxes_per_call: Annotated[int, Meta(ge=1, le=50)] = 50
    parallel_per_session: Annotated[int, Meta(ge=1, le=100)] = 4


class Merge(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[merge]`: calls of one session that go to Target as one."""

    enabled: bool = True
    window_ms: Annotated[int, Meta(ge=0, le=1000)] = 2
    waiting_per_session: Count = 500
    max_waiting: Count = 4000


class Upstream(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[upstream]`: one table per upstream."""

    target: Target = Target()


class Artifact(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[artifact]`: limits for downloaded artifacts and where the last good one is kept."""

    url: str = "https://assets.adobetarget.com/{client}/{environment}/v1/{property}{file}"
    geo_url: str = "https://assets.adobetarget.com/v1/geo"
    max_mb: Count = 50
    cache_dir: str = "var/artifacts"
    timeout_ms: Milliseconds = 10_000
    geo_timeout_ms: Milliseconds = 300


class Outbox(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[outbox]`: notifications of local decisions on their way to Target."""

    enabled: bool = True
    max_length: Count = 100_000
    max_age_s: Annotated[int, Meta(ge=1)] = 86_400
    batch: Annotated[int, Meta(ge=1, le=50)] = 50


class Jwt(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[access.jwt]`: how signed tokens are checked and read."""

    secret_env: str = "GATEWAY_JWT_SECRET"  # noqa: S105 - the name of a variable, not a secret
    jwks: str = ""
    issuer: str = ""
    audience: str = ""
    clock_skew_s: Annotated[int, Meta(ge=0, le=600)] = 30
    refetch_s: Annotated[int, Meta(ge=1, le=86_400)] = 60
    recheck_s: Annotated[int, Meta(ge=1, le=86_400)] = 300
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 2000
    account_claim: str = "sub"
    organizations_claim: str = "organizations"
    profiles_claim: str = "profiles"


class Organization(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[access.organization.<id>]`: its sandboxes, and the API keys its clients use."""

    sandboxes: list[str]
    api_keys: list[str]
    loopback_only: bool = False


class StaticToken(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[access.token.<name>]`: a bearer token that is known by its SHA-256 only."""

    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    account: str
    organizations: list[str]
    profiles: list[str] = field(default_factory=list)
    loopback_only: bool = False


class Profile(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[access.profile.<name>]`: what members of a product profile may do; `*` means all, present and future."""

    organization: str
    sandboxes: list[str]
    read: list[str] = field(default_factory=list)
    write: list[str] = field(default_factory=list)
    create: bool = False
    people: Literal["none", "read", "write"] = "none"


class Access(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[access]`: who may use the repository, and how much of it at once."""

    default_sandbox: str = ""
    requests_per_s: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    max_under_way: Count = 500
    jwt: Jwt = Jwt()
    organization: dict[str, Organization] = field(default_factory=dict)
    token: dict[str, StaticToken] = field(default_factory=dict)
    profile: dict[str, Profile] = field(default_factory=dict)


class Caps(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[caps]`: where caps are counted, how safely, and what holds while they cannot be."""

    url_env: str = "CAPS_REDIS_URL"
    cluster: Literal["detect", "yes", "no"] = "detect"
    shards: Annotated[int, Meta(ge=1, le=256)] = 1
    when_store_fails: Literal["closed", "open"] = "closed"
    safety: Literal["normal", "strict"] = "normal"
    replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 100
    patience_ms: Annotated[int, Meta(ge=1, le=60_000)] = 400
    allow_eviction: bool = False
    record: str = ""


class Events(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[events]`: the stream of decision events."""

    max_length: Count = 100_000
    max_waiting: Count = 10_000


class Log(_Table, frozen=True, kw_only=True, rename="kebab"):
    """`[log]`: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    access: bool = True


class Settings(_Table, frozen=True, kw_only=True, rename="kebab"):
    """The whole configuration, checked."""

    web: Web = Web()
    client: dict[str, Client] = field(default_factory=dict)
    redis: Redis = Redis()
    merge: Merge = Merge()
    repository: Repository = Repository()
    offers: Offers = Offers()
    profiles: Profiles = Profiles()
    upstream: Upstream = Upstream()
    artifact: Artifact = Artifact()
    outbox: Outbox = Outbox()
    access: Access = Access()

    caps: Caps = Caps()
    events: Events = Events()
    log: Log = Log()


CLIENT_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII | re.IGNORECASE)
_PREFIX = "GATEWAY_"
_BLAMED = re.compile(r"- at `([a-z0-9._-]+)`$", re.IGNORECASE)


def load_settings(path: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the TOML file at `path`, lay `GATEWAY_…__…` variables over it and check everything.

    Raises ConfigError that names the file, the key and what was expected.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    try:
        return check_settings(overlay_environment(table, environ), path)
    except ConfigError as error:
        if variable := _find_variable(str(error), environ):
            raise ConfigError(f"environment variable {variable} (over {error})") from error
        raise


def _find_variable(message: str, environ: Mapping[str, str]) -> str:
    """Give the variable that set the key which `message` is about, or ""."""
    key = _BLAMED.search(message)
    if key is None:
        return ""
    name = _PREFIX + key[1].replace(".", "__").replace("-", "_").upper()
    return next((variable for variable in environ if variable.upper() == name), "")


def check_settings(table: dict[str, Any], source: str) -> Settings:
    """Turn plain tables into Settings, or raise ConfigError naming `source` and the key."""
    try:
        settings = msgspec.convert(table, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}".replace("`$.", "`")) from error
    if not settings.client:
        raise ConfigError(f"{source}: no client is configured; add a table [client.<your Target client code>]")
    for address in (settings.web.listen, settings.web.admin_listen):
        split_address(address)
    for code in settings.client:
        _check_urls(settings, code)
        for pattern in settings.client[code].secondary:
            if "*" in pattern[:-1]:
                raise ConfigError(f"{source}: client.{code}.secondary: `{pattern}` may have a * at its end only")
        if not CLIENT_CODE.fullmatch(code):
            raise ConfigError(f"{source}: `{code}` is not a Target client code (letters, digits, - and _)")
    _check_access(settings.access, source)
    return settings


def _check_access(access: Access, source: str) -> None:
    """Refuse names that nothing defines: a grant or a token with a slip of the pen would silently give nothing."""
    scheme, mark, _ = access.jwt.jwks.partition("://")
    if mark and scheme not in ("https", "file"):
        raise ConfigError(f"{source}: access.jwt.jwks = {hide_secrets(access.jwt.jwks)} is not a file or an https URL")
    for name, profile in access.profile.items():
        _check_known(f"{source}: access.profile.{name}.organization", profile.organization, access.organization)
        for sandbox in profile.sandboxes:
            known = ["*", *access.organization[profile.organization].sandboxes]
            _check_known(f"{source}: access.profile.{name}.sandboxes", sandbox, known)
    for name, token in access.token.items():
        for organization in token.organizations:
            _check_known(f"{source}: access.token.{name}.organizations", organization, access.organization)
        for profile_name in token.profiles:
            _check_known(f"{source}: access.token.{name}.profiles", profile_name, access.profile)


def _check_known(place: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ConfigError(f"{place}: `{name}` is not configured")


def _check_urls(settings: Settings, code: str) -> None:
    target, artifact = settings.upstream.target, settings.artifact
    for key, text in (
        ("web.public-url", settings.web.public_url),
        ("upstream.target.url", target.url.replace("{client}", code)),
        ("upstream.target.edge-url", target.edge_url.replace("{client}", code).replace("{cluster}", "1")),
        ("artifact.geo-url", artifact.geo_url),
        ("artifact.url", artifact.url),
        (f"client.{code}.artifact-location", settings.client[code].artifact_location),
    ):
        is_file = key.endswith("artifact-location") and ("://" not in text or text.startswith("file://"))
        if text and not is_file and not is_web_address(text):
            raise ConfigError(f"{key} = {hide_secrets(text)} is not a web address like https://host:port")


def is_web_address(text: str) -> bool:
    """Whether `text` is an http or https URL with a host and a valid port."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def hide_secrets(url: str) -> str:
    """Give a URL as it may be shown: without user, password and query."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    place, mark, _ = rest.partition("?")
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{'?…' if mark else ''}"


def overlay_environment(table: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Lay every `GATEWAY_TABLE__KEY` variable over `table`; lists and tables are given as TOML values."""
    result = {name: dict(value) if isinstance(value, dict) else value for name, value in table.items()}
    for name, text in sorted(environ.items()):
        if name.startswith(_PREFIX) and "__" in name:
            *tables, key = name.removeprefix(_PREFIX).lower().replace("_", "-").split("--")
            place = result
            for part in tables:
                known = _find_spelling(place, part)
                inner = place.get(known, {})
                if not isinstance(inner, dict):
                    raise ConfigError(f"environment variable {name}: {part} is a value, not a table")
                place[known] = place = dict(inner)
            place[_find_spelling(place, key)] = _read_value(text)
    return result


def _find_spelling(place: Mapping[str, Any], part: str) -> str:
    """Give the key of the file that `part` of a variable means: variables know neither case nor hyphens."""
    return next((name for name in place if name.lower().replace("_", "-") == part), part)


def _read_value(text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # an IPv6 address, for one; where a list is wanted the check says so


def split_address(text: str) -> tuple[str, int]:
    """Give host and port of `host:port`; raises ConfigError when it is neither."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ConfigError(f"`{text}` is not host:port, for example 127.0.0.1:8080 (port 0 takes any free one)")
    return host.strip("[]"), int(port)


def read_schemas(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Read the JSON Schema documents of `repository.schemas`: files, or folders of `.json` files.

    Raises ConfigError that names the file.
    """
    files = [file for path in map(Path, paths) for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    return [_read_schema(file) for file in files]


def _read_schema(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise ConfigError(f"repository.schemas: cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"repository.schemas: {path} is not a JSON object: {error}") from error
