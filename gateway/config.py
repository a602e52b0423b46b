"""The tables of the configuration file, one frozen Struct each; `configuration.py` reads them.

`config/gateway.toml` documents each key beside its default. A table's keys are written with hyphens.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

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
